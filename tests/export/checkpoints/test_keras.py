"""The Keras port's .h5: kernels turned to Caffe's order, and files that would swell or lead elsewhere refused."""
import h5py
import numpy as np
import pytest
from checkpoint_files import random_tensors, write_keras

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.keras import read_keras

SHAPES = {"conv1_1.weight": (4, 3, 3, 3), "conv1_1.bias": (4,), "conv5_2_CPM_L1.weight": (5, 4, 1, 1),
          "conv5_2_CPM_L1.bias": (5,), "Mconv1_stage2_L2.weight": (3, 5, 7, 7), "Mconv1_stage2_L2.bias": (3,)}


@pytest.mark.parametrize("whole_model", [False, True], ids=["weights alone", "a whole model"])
def test_kernels_come_out_in_caffes_order_and_names(tmp_path, whole_model):
    expected = random_tensors(SHAPES)
    write_keras(tmp_path / "model.h5", expected, whole_model)
    tensors = read_keras(str(tmp_path / "model.h5")).tensors
    assert tensors.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(tensors[name].numpy(), array)


def test_names_of_keras_1_are_read_too(tmp_path):
    with h5py.File(tmp_path / "model.h5", "w") as file:
        group = file.create_group("conv1_1")
        group["conv1_1_W"], group["conv1_1_b"] = np.ones((3, 3, 3, 4), np.float32), np.ones(4, np.float32)
    assert {name: tuple(tensor.shape) for name, tensor in read_keras(str(tmp_path / "model.h5")).tensors.items()} == {
        "conv1_1.weight": (4, 3, 3, 3), "conv1_1.bias": (4,)}


def _sparse(file):
    file.create_dataset("conv1_1/kernel:0", (1 << 20, 1 << 20), np.float32, chunks=(64, 64))


def _virtual(file):
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("conv1_1/kernel:0", layout)


def _outside(file):
    file.create_dataset("conv1_1/kernel:0", (4,), np.float32, external=[("/etc/passwd", 0, 16)])


def _links(file):
    file["model_weights"] = h5py.ExternalLink("/etc/passwd", "/")
    file["conv1_1"] = h5py.SoftLink("/nowhere")


def _ring(file):
    group = file.create_group("a")
    group["again"] = group


HOSTILE = [
    ("a kernel of 4 TB", _sparse, "'conv1_1' announces 1048576x1048576 numbers"),
    ("a kernel in another file", _outside, "'conv1_1' announces"),
    ("a kernel mapped from another file", _virtual, "'conv1_1' announces"),
    ("links to elsewhere", _links, "holds no layers with kernels"),
    ("a ring of groups", _ring, "more than 20000 objects"),
    ("nothing", lambda file: None, "holds no layers with kernels"),
    ("whole numbers", lambda file: file.create_dataset("conv1_1/kernel:0", data=[1, 2]), "holds no layers"),
]


@pytest.mark.parametrize("case", [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_a_file_that_swells_or_leads_elsewhere_is_refused_in_one_line(tmp_path, case):
    make, says = case
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        make(file)
    with pytest.raises(CheckpointError) as caught:
        read_keras(str(path))
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"<html>404</html>", b"\x89HDF\r\n\x1a\n" + bytes(200), b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_hdf5_is_refused_in_one_line(tmp_path, data):
    path = tmp_path / "model.h5"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="is not a readable HDF5 file") as caught:
        read_keras(str(path))
    assert "\n" not in str(caught.value)


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "model.h5"
    write_keras(path, random_tensors(SHAPES))
    whole = path.read_bytes()
    for length in range(1, len(whole), 211):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_keras(str(path))
