"""Every architecture from a file in its official layout: loaded, run, and the same numbers as a second telling."""
import hashlib
from typing import NamedTuple

import pytest
import torch
from checkpoint_files import official_tensors, write_official
from layer_tables import read_table, run_table
from prototxt import to_prototxt
from torch_references import run_lightweight, run_trt_pose

from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.opening import open_engine
from wholebody.export.checkpoint_verification import verify_checkpoint
from wholebody.export.loading import LoadedNetwork, load_network
from wholebody.export.networks.architecture import LOOKS, OWN, TOP_DOWN
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.onnx_export import export_onnx
from wholebody.export.verification import VerifyOptions


class Case(NamedTuple):
    name: str
    path: str
    loaded: LoadedNetwork
    image: torch.Tensor
    expected: torch.Tensor  # all maps of the official output


# Ours is its only file; those for one person at a time are in test_topdown_checkpoints.py.
OFFICIAL = [name for name, architecture in ARCHITECTURES.items() if architecture.family not in (LOOKS, OWN, TOP_DOWN)]


@pytest.fixture(scope="module", params=OFFICIAL)
def case(request, tmp_path_factory):
    name = request.param
    tensors = official_tensors(name)
    path = write_official(tmp_path_factory.mktemp("official"), name, tensors)
    image = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3)) - 0.5
    expected = reference(name, {key: torch.from_numpy(array) for key, array in tensors.items()}, image)
    arch = name if name in ("openpose-mpi-4", "lightweight-openpose-1") else None
    yield Case(name, str(path), load_network(str(path), arch), image, expected)
    path.unlink()


def reference(name, tensors, image):
    with torch.no_grad():
        if ARCHITECTURES[name].family == "lightweight":
            return run_lightweight(tensors, image, int(name[-1]))
        if ARCHITECTURES[name].family == "trt_pose":
            return run_trt_pose(tensors, image)
        return run_table(read_table(name), tensors, image)


def relative_error(got, expected):
    """Largest difference over the range of what is expected."""
    return ((got - expected).abs().max() / (expected.max() - expected.min())).item()


def test_the_file_is_recognised_and_hashed(case):
    assert case.loaded.architecture.name == case.name
    assert case.loaded.skeleton.name == case.loaded.architecture.skeleton
    with open(case.path, "rb") as file:
        assert case.loaded.sha256 == hashlib.sha256(file.read()).hexdigest()


def test_the_network_gives_the_official_output(case):
    with torch.no_grad():
        outputs = case.loaded.network(case.image)
    got = torch.cat(outputs, 1)
    assert got.shape == case.expected.shape
    assert relative_error(got, case.expected) <= 1e-5
    ranges = case.loaded.architecture.official_channels
    for name, output in zip(case.loaded.architecture.outputs, outputs):
        assert torch.equal(output, got[:, slice(*ranges[name])])


@pytest.fixture(scope="module")
def exported(case, tmp_path_factory):
    """The case as an ONNX file, and its card."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    yield str(path), export_onnx(case.loaded, str(path), source=case.path)
    path.unlink()


def test_the_onnx_file_gives_the_same_on_onnx_runtime_at_any_size(case, exported):
    path, card = exported
    outside = parse_onnx(read_bytes(path), path)
    assert (outside.opset, outside.ir_version <= 8) == (13, True)
    assert card_of(outside, path) == card
    with open_engine(path) as engine:
        for image in (case.image, case.image[:1, :, :32, :64].contiguous()):
            with torch.no_grad():
                expected = case.loaded.network(image)
            outputs = engine.infer({"image": image.numpy()})
            for name, maps in zip(case.loaded.architecture.outputs, expected):
                assert relative_error(torch.from_numpy(outputs[name]), maps) <= 1e-4


def test_wb_export_verify_finds_the_two_equal(case, exported):
    result = verify_checkpoint(case.path, exported[0], options=VerifyOptions(inputs=1))
    assert result.passed
    assert (result.network, result.divergence, result.notes) == (case.name, None, ())
    assert [row.output for row in result.rows] == [*case.loaded.architecture.outputs] * 3
    assert max(row.relative for row in result.rows) <= 1e-5


def test_opencvs_own_caffe_importer_gives_the_same_from_the_same_file(case, tmp_path):
    dnn = pytest.importorskip("cv2", reason="compares with OpenCV's importer").dnn
    if not hasattr(dnn, "readNetFromCaffe"):
        pytest.skip("this OpenCV has no Caffe importer; 4.x has one")
    if case.loaded.architecture.family != "caffe":
        pytest.skip("its official file is not Caffe's")
    (tmp_path / "deploy.prototxt").write_text(to_prototxt(read_table(case.name), 64, 96))
    net = dnn.readNetFromCaffe(str(tmp_path / "deploy.prototxt"), case.path)
    net.setInput(case.image[:1].numpy())
    with torch.no_grad():
        got = torch.cat(case.loaded.network(case.image[:1]), 1)
    assert relative_error(got, torch.from_numpy(net.forward())) <= 1e-5
