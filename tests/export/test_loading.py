"""One network from every format that carries it, and weights that no network should have."""
import numpy as np
import pytest
import torch
from checkpoint_files import as_torch, official_tensors, write_caffemodel, write_keras
from safetensors.torch import save_file

from wholebody.errors import CheckpointError
from wholebody.export.loading import load_network


@pytest.fixture(scope="module")
def coco():
    return official_tensors("openpose-coco")


def _ported(tensors):
    """Names as the modules of pytorch-openpose hold them."""
    return {("model0." if key.startswith("conv1") else "model1_1.") + key: tensor
            for key, tensor in as_torch(tensors).items()}


WRITERS = [
    ("caffemodel", ".caffemodel", write_caffemodel, "", 0),
    ("caffemodel of V1 layers with legacy dimensions", ".caffemodel",
     lambda path, tensors: write_caffemodel(path, tensors, form="layers", dims="legacy"), "", 0),
    ("pytorch-openpose", ".pth", lambda path, tensors: torch.save(as_torch(tensors), path), "pytorch-openpose", 0),
    ("pytorch-openpose in a legacy file", ".pth", lambda path, tensors: torch.save(
        as_torch(tensors), path, _use_new_zipfile_serialization=False), "pytorch-openpose", 0),
    ("the modules of pytorch-openpose", ".pt", lambda path, tensors: torch.save(_ported(tensors), path),
     "pytorch-openpose", 0),
    ("safetensors", ".safetensors", lambda path, tensors: save_file(as_torch(tensors), path), "", 0),
    ("safetensors in half precision", ".safetensors", lambda path, tensors: save_file(
        {name: tensor.half() for name, tensor in as_torch(tensors).items()}, path), "", 2e-3),
    ("the Keras port", ".h5", write_keras, "divides by 256", 0),
]


@pytest.mark.parametrize(("suffix", "write", "note", "rounding"), [case[1:] for case in WRITERS],
                         ids=[case[0] for case in WRITERS])
def test_every_format_gives_the_same_network(tmp_path, coco, suffix, write, note, rounding):
    path = tmp_path / ("net" + suffix)
    write(path, coco)
    loaded = load_network(str(path))
    path.unlink()
    assert loaded.architecture.name == "openpose-coco"
    assert loaded.skeleton.name == "COCO_18"
    for key, tensor in loaded.network.state_dict().items():
        np.testing.assert_allclose(tensor, coco[loaded.architecture.official_name(key)], rtol=0, atol=rounding)
        assert tensor.dtype == torch.float32
    assert note in " ".join(loaded.notes)
    assert bool(loaded.notes) == bool(note)
    assert not loaded.network.training


def test_the_hand_network_of_pytorch_openpose_is_caffes(tmp_path):
    torch.save(as_torch(official_tensors("openpose-hand")), tmp_path / "hand_pose_model.pth")
    loaded = load_network(str(tmp_path / "hand_pose_model.pth"))
    assert (loaded.architecture.name, loaded.skeleton.name, loaded.notes) == ("openpose-hand", "HAND_21", ())


def test_refinement_stages_are_all_kept_and_may_be_cut(tmp_path):
    path = str(tmp_path / "checkpoint_iter_370000.pth")
    torch.save({"state_dict": as_torch(official_tensors("lightweight-openpose-3")), "iter": 370000}, path)
    whole, cut = load_network(path), load_network(path, "lightweight-openpose-1")
    assert len(whole.network.refinement_stages) == 3
    assert "--arch lightweight-openpose-1" in whole.notes[0]
    assert len(cut.network.refinement_stages) == 1
    assert cut.notes == ("156 tensors of the file are not in this network, "
                         "refinement_stages.1.trunk.0.initial.0.weight first",)


SPOILT = [
    ("a number that is none", lambda t: t.fill_(float("nan")), "holds numbers that are not finite"),
    ("an infinite number", lambda t: t.fill_(float("inf")), "holds numbers that are not finite"),
    ("whole numbers", lambda t: t.to(torch.int64), "expected floating-point weights, got torch.int64"),
    ("complex numbers", lambda t: t.to(torch.complex64), "expected floating-point weights, got torch.complex64"),
    ("a tensor without data", lambda t: t.to("meta"), "expected floating-point weights, got torch.float32 on meta"),
    ("a sparse tensor", lambda t: t.to_sparse(), "expected floating-point weights"),
]


@pytest.mark.parametrize(("spoil", "says"), [case[1:] for case in SPOILT], ids=[case[0] for case in SPOILT])
def test_weights_that_are_none_are_refused_with_their_name(tmp_path, spoil, says):
    state = as_torch(official_tensors("lightweight-openpose-1"))
    state["cpm.align.0.bias"] = spoil(state["cpm.align.0.bias"])
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(CheckpointError) as caught:
        load_network(str(tmp_path / "net.pth"))
    assert says in str(caught.value)
    assert "cpm.align.0.bias" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_view_that_claims_to_be_huge_is_refused_by_its_shape(tmp_path):
    state = as_torch(official_tensors("lightweight-openpose-1"))
    state["cpm.align.0.bias"] = torch.zeros(1).expand(1 << 40)
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"cpm\.align\.0\.bias: expected \(128\), got \(1099511627776\)"):
        load_network(str(tmp_path / "net.pth"))
