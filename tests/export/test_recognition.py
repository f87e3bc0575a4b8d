"""Networks are told from names and shapes; what does not fit is named, with expected and got."""
import pytest
import torch

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.checkpoint import CAFFE, TORCH, Checkpoint
from wholebody.export.networks.architecture import official_shapes
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.recognition import recognise


def tensors_of(name, prefix=""):
    return {prefix + key: torch.empty(shape, device="meta")
            for key, shape in official_shapes(ARCHITECTURES[name]).items()}


def checkpoint(tensors, file_format=TORCH):
    return Checkpoint("net.pth", file_format, tensors)


# What a file holds may be read as several networks: the largest is meant unless --arch says otherwise.
READ_AS = [(name, None, name) for name in ARCHITECTURES if name != "openpose-mpi-4"] + [
    ("openpose-mpi", "openpose-mpi-4", "openpose-mpi-4"),
    ("openpose-mpi-4", None, "openpose-mpi-4"),
    ("lightweight-openpose-3", "lightweight-openpose-1", "lightweight-openpose-1"),
    ("lightweight-openpose-3", "lightweight-openpose-2", "lightweight-openpose-2"),
    ("lightweight-openpose-2", "lightweight-openpose-1", "lightweight-openpose-1"),
]


@pytest.mark.parametrize(("held", "arch", "read"), READ_AS, ids=[f"{h} as {a or 'it is'}" for h, a, _ in READ_AS])
def test_a_network_is_told_from_names_and_shapes(held, arch, read):
    match = recognise(checkpoint(tensors_of(held)), arch)
    assert match.architecture.name == read
    assert match.tensors.keys() == official_shapes(ARCHITECTURES[read]).keys()
    assert len(match.unused) == len(official_shapes(ARCHITECTURES[held])) - len(official_shapes(ARCHITECTURES[read]))


def test_modules_of_a_port_around_caffes_layers_do_not_matter():
    nested = {("model0." if key.startswith("conv") else f"model{key[13]}_1.") + key: tensor
              for key, tensor in tensors_of("openpose-coco").items()}
    assert "model0.conv1_1.weight" in nested
    assert recognise(checkpoint(nested)).architecture.name == "openpose-coco"


def test_an_unused_classifier_is_left_out():
    tensors = tensors_of("trt-pose-resnet18")
    tensors["0.resnet.fc.weight"] = torch.empty(1000, 512, device="meta")
    assert recognise(checkpoint(tensors)).unused == ("0.resnet.fc.weight",)


def test_ones_do_not_count_in_a_caffemodel_and_do_elsewhere():
    tensors = tensors_of("openpose-hand")
    tensors["conv1_1.bias"] = tensors["conv1_1.bias"].reshape(1, 1, 1, 64)
    assert recognise(checkpoint(tensors, CAFFE)).architecture.name == "openpose-hand"
    with pytest.raises(CheckpointError, match=r"conv1_1\.bias: expected \(64\), got \(1, 1, 1, 64\)"):
        recognise(checkpoint(tensors))


def _without(key):
    return lambda tensors: tensors.pop(key)


def _with(key, *shape):
    return lambda tensors: tensors.update({key: torch.empty(shape, device="meta")})


MISFITS = [
    ("a layer is missing", "openpose-coco", None, _without("Mconv7_stage6_L1.bias"),
     "net.pth: nearest to openpose-coco, but Mconv7_stage6_L1.bias is missing; --arch NAME overrides: openpose-coco"),
    ("slopes are missing", "openpose-body25", None, _without("prelu4_2.weight"),
     "nearest to openpose-body25, but prelu4_2.weight is missing"),
    ("a layer too many", "openpose-hand", None, _with("conv9.weight", 3, 3),
     "nearest to openpose-hand, but conv9.weight is unexpected"),
    ("other shape", "lightweight-openpose-1", None, _with("cpm.conv.0.weight", 128, 128, 5, 5),
     "nearest to lightweight-openpose-1, but cpm.conv.0.weight: expected (128, 128, 3, 3), got (128, 128, 5, 5)"),
    ("axes turned", "openpose-face", None, _with("conv1_1.weight", 3, 3, 3, 64),
     "conv1_1.weight: expected (64, 3, 3, 3), got (3, 3, 3, 64)"),
    ("other keypoints", "openpose-coco", None, _with("Mconv7_stage6_L2.weight", 25, 128, 1, 1),
     "Mconv7_stage6_L2.weight: expected (19, 128, 1, 1), got (25, 128, 1, 1)"),
    ("another network by --arch", "openpose-coco", "openpose-mpi", lambda tensors: None,
     "not openpose-mpi: conv5_5_CPM_L1.weight: expected (28, 512, 1, 1), got (38, 512, 1, 1) (and 33 more); "
     "it fits openpose-coco"),
    ("too few stages for --arch", "openpose-mpi-4", "openpose-mpi", lambda tensors: None,
     "not openpose-mpi: Mconv1_stage5_L1.weight is missing (and 55 more); it fits openpose-mpi-4"),
    ("an unknown --arch", "openpose-coco", "openpose-cocoa", lambda tensors: None,
     "unknown architecture 'openpose-cocoa'; did you mean openpose-coco? known: openpose-body25,"),
]


@pytest.mark.parametrize(("held", "arch", "change", "says"), [case[1:] for case in MISFITS],
                         ids=[case[0] for case in MISFITS])
def test_a_misfit_is_named_with_expected_and_got(held, arch, change, says):
    tensors = tensors_of(held)
    change(tensors)
    with pytest.raises(CheckpointError) as caught:
        recognise(checkpoint(tensors), arch)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_foreign_tensors_are_answered_with_the_known_networks():
    with pytest.raises(CheckpointError, match=r"has tensors such as 'bert\.x'; known: openpose-body25"):
        recognise(checkpoint({"bert.x": torch.ones(3)}))


def test_layers_with_one_name_in_two_modules_are_not_mixed_up():
    tensors = tensors_of("openpose-hand", "a.")
    tensors["b.conv1_1.weight"] = tensors["a.conv1_1.weight"]
    with pytest.raises(CheckpointError, match="no known network has tensors such as 'a.conv1_1.weight'"):
        recognise(checkpoint(tensors))
