"""What a top-down network's card says, and what no checkpoint tells: heads, skeletons; and names of other projects."""
import json

import pytest
import torch

from wholebody.errors import CheckpointError, ModelError
from wholebody.export.checkpoints.checkpoint import TORCH, Checkpoint
from wholebody.export.loading import LoadedNetwork, load_network
from wholebody.export.networks.architecture import meta_network, official_shapes
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.networks.topdown import TOP_DOWN_NETWORKS
from wholebody.export.onnx_export import OnnxOptions, network_preset, notes_on
from wholebody.export.recognition import recognise
from wholebody.export.topdown_heads import default_head
from wholebody.skeletons import get_skeleton


def variant(name, points):
    """A network for so many keypoints."""
    last = {"fastpose": "conv_out.weight", "rtmpose": "head.final_layer.weight", "rtmw": "head.final_layer.conv.weight"}
    shapes = {last.get(name.split("-")[0], "final_layer.weight"): (points, 256, 3, 3)}
    return ARCHITECTURES[name].of_shapes(shapes)


def checkpoint_of(architecture, rename=lambda name: name):
    return Checkpoint("net.pth", TORCH, {rename(name): torch.empty(shape, device="meta")
                                         for name, shape in official_shapes(architecture).items()})


def loaded(architecture, skeleton=None):
    return LoadedNetwork(meta_network(architecture), architecture, get_skeleton(skeleton or architecture.skeleton), (),
                         "0" * 64)


DEFAULTS = [
    ("fastpose-50", 17, "heatmap"), ("fastpose-50-dcn", 17, "heatmap"), ("fastpose-50", 26, "heatmap"),
    ("fastpose-101", 133, "integral"), ("fastpose-50", 136, "integral"), ("fastpose-50-dcn", 136, "combined"),
    ("fastpose-152-dcn", 133, "combined"), ("fastpose-50", 68, "combined"), ("fastpose-duc-152", 136, "heatmap"),
    ("hrnet-w48", 133, "heatmap"), ("simplepose-50", 17, "heatmap"), ("rtmpose-s", 26, "simcc"),
    ("rtmw-l", 133, "simcc"),
]


@pytest.mark.parametrize(("name", "points", "kind"), DEFAULTS, ids=[f"{row[0]} {row[1]}" for row in DEFAULTS])
def test_the_head_is_that_of_the_published_networks(name, points, kind):
    assert default_head(variant(name, points)) == kind


@pytest.mark.parametrize(("points", "skeleton", "first"), [(133, "WHOLEBODY_133", 23), (136, "HALPE_136", 26),
                                                           (68, "HALPE_68", 26)])
def test_a_combined_head_integrates_all_but_the_body_and_feet(points, skeleton, first):
    card = network_preset(loaded(variant("fastpose-50-dcn", points)), OnnxOptions(head="combined"))
    assert [(head.kind, head.keypoints, head.output("heatmaps").channels) for head in card.heads] == [
        ("heatmap", (0, first), (0, first)), ("integral", (first, points), (first, points))]
    assert card.skeleton == get_skeleton(skeleton)
    names = dict(card.skeleton.parts)
    assert sorted(set(names["body"]) | set(names["foot"])) == list(range(first))


def test_who_says_the_head_hears_no_guess():
    network = loaded(variant("fastpose-50", 136))
    (note,) = notes_on(network, OnnxOptions())
    assert "taken to be integral, as published networks for 136 keypoints are; --head" in note
    assert notes_on(network, OnnxOptions(head="heatmap")) == ()
    assert [head.kind for head in network_preset(network, OnnxOptions(head="heatmap")).heads] == ["heatmap"]
    assert notes_on(loaded(variant("fastpose-50", 17)), OnnxOptions()) == ()


WRONG_HEADS = [
    ("hrnet-w32", "combined", "hrnet-w32 has 17 keypoints: a combined head is known for 68, 133, 136"),
    ("rtmpose-t", "integral",
     "rtmpose-t gives simcc_x and simcc_y; this head is for networks that give one stack of maps"),
    ("openpose-coco", "heatmap", "openpose-coco is no top-down network: --head is not for it"),
]


@pytest.mark.parametrize(("name", "head", "says"), WRONG_HEADS, ids=[row[0] for row in WRONG_HEADS])
def test_a_head_that_cannot_be_is_refused(name, head, says):
    with pytest.raises(ModelError) as caught:
        network_preset(loaded(ARCHITECTURES[name]), OnnxOptions(head=head))
    assert str(caught.value) == says


def test_another_preset_brings_its_colours_and_its_head():
    card = network_preset(loaded(variant("hrnet-w32", 136)), OnnxOptions(preset="alphapose-combined"))
    assert (card.input.mean, card.input.std) == ((0.406, 0.457, 0.48), (1, 1, 1))
    assert [head.kind for head in card.heads] == ["heatmap", "integral"]
    assert card.skeleton == get_skeleton("HALPE_136")


def _microsoft(name):
    return name[len("preact."):] if name.startswith("preact.") else name


def _mmpose(name):
    if name.startswith(("final_layer", "deconv_layers")):
        return "head." + name
    return "backbone." + (name[len("preact."):] if name.startswith("preact.") else name)


def _mmpose_0(name):
    return _mmpose(name).replace("head.", "keypoint_head.")


NAMES = [
    ("hrnet-w32", "mmpose 1.x", _mmpose, "hrnet"), ("hrnet-w48", "mmpose 0.x", _mmpose_0, "hrnet"),
    ("simplepose-50", "AlphaPose", lambda name: name, "alphapose"),
    ("simplepose-101", "mmpose 1.x", _mmpose, "simplepose"),
    ("simplepose-152", "its first authors", _microsoft, "simplepose"),
]


@pytest.mark.parametrize(("name", "rename", "preset"), [(n, r, p) for n, _, r, p in NAMES],
                         ids=[f"{row[0]} of {row[1]}" for row in NAMES])
def test_a_network_is_known_by_the_names_of_every_project_that_trains_it(name, rename, preset):
    checkpoint = checkpoint_of(ARCHITECTURES[name], rename)
    checkpoint.tensors["data_preprocessor.mean"] = torch.empty(3, 1, 1, device="meta")
    if preset == "alphapose":
        del checkpoint.tensors["data_preprocessor.mean"]
    match = recognise(checkpoint)
    assert (match.architecture.name, match.architecture.preset) == (name, preset)
    assert match.tensors.keys() == official_shapes(ARCHITECTURES[name]).keys()


def test_the_input_of_rtmpose_is_read_from_its_bins_and_cells():
    for size, split in (((256, 192), 2), ((384, 288), 2), ((256, 256), 2), ((256, 192), 3)):
        shapes = {"head.cls_x.weight": (size[1] * split, 256), "head.cls_y.weight": (size[0] * split, 256),
                  "head.mlp.1.weight": (256, size[0] * size[1] // 1024)}
        network = ARCHITECTURES["rtmpose-m"].of_shapes(shapes)
        assert network.default_input == size
        bins = [tuple(output.shape[2:]) for output in meta_network(network)(torch.empty(1, 3, *size, device="meta"))]
        assert bins == [(size[1] * split,), (size[0] * split,)]


def _without(key):
    return lambda tensors: tensors.pop(key)


def _without_all(part):
    return lambda tensors: [tensors.pop(key) for key in list(tensors) if part in key]


def _with(key, *shape):
    return lambda tensors: tensors.update({key: torch.empty(shape, device="meta")})


MISFITS = [
    ("a bias is missing", "hrnet-w32", _without("final_layer.bias"),
     "nearest to hrnet-w32, but final_layer.bias is missing"),
    ("the last stage is missing", "hrnet-w48", _without_all("stage4"),
     "nearest to hrnet-w48, but stage4.0.branches.0.0.conv1.weight is missing (and 654 more)"),
    ("half of the head is missing", "fastpose-101", _without_all("duc"),
     "nearest to fastpose-101, but duc1.conv.weight is missing (and 9 more)"),
    ("the last block is missing", "fastpose-152", _without("preact.layer4.2.bn3.weight"),
     "nearest to fastpose-152, but preact.layer4.2.bn3.weight is missing"),
    ("offsets of one block alone are missing", "fastpose-50-dcn", _without("preact.layer3.1.conv2_offset.bias"),
     "nearest to fastpose-50-dcn, but preact.layer3.1.conv2_offset.bias is missing"),
    ("a tensor too many", "simplepose-50", _with("smpl.shapedirs", 3, 3),
     "nearest to simplepose-50, but smpl.shapedirs is unexpected"),
    ("bins and cells that do not agree", "rtmpose-t", _with("head.mlp.1.weight", 256, 50),
     "nearest to rtmpose-t, but head.mlp.1.weight: expected (256, 48), got (256, 50)"),
    ("a pyramid without its end", "rtmw-m", _without("neck.bottom_up_blocks.1.final_conv.bn.bias"),
     "nearest to rtmw-m, but neck.bottom_up_blocks.1.final_conv.bn.bias is missing"),
    ("a last layer of no shape", "fastpose-50", _with("conv_out.weight", 17),
     "nearest to fastpose-50, but conv_out.weight: expected (17, 128, 3, 3), got (17)"),
    ("more channels than memory", "fastpose-50", _with("conv_out.weight", 17, 1 << 40, 3, 3),
     "conv_out.weight: expected (17, 128, 3, 3), got (17, 1099511627776, 3, 3)"),
]


@pytest.mark.parametrize(("name", "change", "says"), [row[1:] for row in MISFITS], ids=[row[0] for row in MISFITS])
def test_a_file_that_is_cut_or_changed_is_named_in_one_line(name, change, says):
    checkpoint = checkpoint_of(ARCHITECTURES[name])
    change(checkpoint.tensors)
    with pytest.raises(CheckpointError) as caught:
        recognise(checkpoint)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """net.pth: RTMPose-t for the 23 keypoints of nobody."""
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": variant("rtmpose-t", 23).build().state_dict()}, "net.pth")
    keypoints = [f"point_{n}" for n in range(23)]
    (tmp_path / "mine.json").write_text(json.dumps({"name": "MINE", "keypoints": keypoints}))
    return tmp_path


def test_keypoints_of_nobody_need_a_skeleton(place):
    with pytest.raises(CheckpointError, match=r"^net\.pth is rtmpose-t with 23 keypoints, which no known skeleton has: "
                                              r"--skeleton FILE\.json"):
        load_network("net.pth")
    with pytest.raises(CheckpointError, match="with 23 keypoints, COCO_17 has 17: another --skeleton"):
        load_network("net.pth", skeleton=get_skeleton("COCO_17"))
    assert load_network("net.pth", skeleton=get_skeleton("mine.json")).skeleton.name == "MINE"


def test_networks_for_several_people_keep_their_own_keypoints(place):
    torch.save(ARCHITECTURES["lightweight-openpose-1"].build().state_dict(), "paf.pth")
    with pytest.raises(CheckpointError, match="whose keypoints are COCO_18; another skeleton can be given to top-down"):
        load_network("paf.pth", skeleton=get_skeleton("COCO_17"))
    assert load_network("paf.pth", skeleton=get_skeleton("COCO_18")).skeleton.name == "COCO_18"


def test_no_two_networks_take_the_same_file():
    for network in TOP_DOWN_NETWORKS:
        checkpoint = checkpoint_of(network)
        fitting = [other.name for other in TOP_DOWN_NETWORKS
                   if other.likely is not None and other.likely(official_shapes(network))]
        assert recognise(checkpoint).architecture.name == network.name
        assert fitting == [network.name]
