"""The networks have the tensors, parameters, channels and costs of the official ones."""
import csv

import pytest
import torch
from layer_tables import TABLES, read_table, table_shapes

from wholebody.export.networks.architectures import ARCHITECTURES, meta_network, official_shapes
from wholebody.export.networks.costs import count_macs, count_parameters
from wholebody.export.presets import load_preset
from wholebody.skeletons import get_skeleton

CAFFE = ("openpose-body25", "openpose-body25b-1", "openpose-body25b-2", "openpose-body135", "openpose-coco",
         "openpose-mpi", "openpose-mpi-4", "openpose-face", "openpose-hand")
SIZES = ((368, 368), (368, 656), (480, 480), (480, 848))
# Parameters with PReLU slopes, output channels, GMAC at SIZES: computed once from the official prototxts.
OFFICIAL = [
    ("openpose-body25", 26166084, 78, (80.57, 143.63, 137.08, 242.18)),
    ("openpose-coco", 52311446, 57, (135.93, 242.32, 231.27, 408.57)),
    ("openpose-mpi", 51481032, 44, (134.18, 239.19, 228.28, 403.29)),
    ("openpose-mpi-4", 34240880, 44, (97.7, 174.17, 166.23, 293.66)),
    ("openpose-face", 38425706, 71, (106.56, 189.95, 181.29, 320.28)),
    ("openpose-hand", 36832324, 22, (103.19, 183.94, 175.56, 310.15)),
    ("openpose-body135", 63578247, 439, (159.7, 284.68, 271.7, 480.0)),
    ("openpose-body25b-2", 26719041, 97, (81.74, 145.72, 139.07, 245.69)),
    ("openpose-body25b-1", 69355937, 97, (171.94, 306.51, 292.53, 516.8)),
]
# Parameters, tensors without counters, GMAC at one size. Files of trt_pose also hold a classifier that nothing reads;
# the figure of densenet121 that is quoted, 21,761,956 parameters, counts it: a linear layer from 1024 to 1000.
OTHERS = [
    ("lightweight-openpose-1", 4091698, 217, (368, 368), 8.88),
    ("lightweight-openpose-1", 4091698, 217, (256, 456), 7.66),
    ("lightweight-openpose-3", 7308964, 373, (368, 368), 15.67),
    ("trt-pose-resnet18", 20765308, 146 - 2, (224, 224), 7.82),
    ("trt-pose-densenet121", 21761956 - 1025 * 1000, 650 - 2, (256, 256), 11.82),
    ("wholebody-lite", 2369618, 278, (368, 656), 7.4),
]


@pytest.mark.parametrize(("name", "parameters", "channels", "gmacs"), OFFICIAL, ids=[row[0] for row in OFFICIAL])
def test_parameters_channels_and_macs_are_the_official_ones(name, parameters, channels, gmacs):
    network = meta_network(ARCHITECTURES[name])
    outputs = network(torch.empty(1, 3, 64, 96, device="meta"))
    assert count_parameters(network) == parameters
    assert sum(output.shape[1] for output in outputs) == channels
    assert tuple(round(count_macs(network, *size) / 1e9, 2) for size in SIZES) == gmacs


@pytest.mark.parametrize(("name", "parameters", "tensors", "size", "gmac"), OTHERS,
                         ids=[f"{row[0]} at {row[3][0]}" for row in OTHERS])
def test_parameters_tensors_and_macs_are_those_of_the_authors_modules(name, parameters, tensors, size, gmac):
    network = meta_network(ARCHITECTURES[name])
    assert count_parameters(network) == parameters
    assert len(official_shapes(name)) == tensors
    assert round(count_macs(network, *size) / 1e9, 2) == gmac


@pytest.mark.parametrize("name", CAFFE)
def test_each_layer_of_the_official_prototxt_is_there_under_its_name(name):
    assert official_shapes(name) == table_shapes(read_table(name))


@pytest.mark.parametrize("name", ["lightweight-openpose-1", "trt-pose-resnet18"])
def test_each_tensor_of_the_authors_module_is_there_under_its_name(name):
    expected = {}
    with open(TABLES / "torch_nets.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["network"] != name or row["module"] == "0.resnet.fc":
                continue
            shape = tuple(int(side) for side in row["weight_shape"].split("x"))
            expected[row["module"] + ".weight"] = shape
            if row["bias"] == "1":
                expected[row["module"] + ".bias"] = shape[1:2] if row["kind"] == "convT" else shape[:1]
            if row["kind"] == "bn":
                expected.update({f"{row['module']}.running_{what}": shape for what in ("mean", "var")})
    assert official_shapes(name) == expected


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_gives_the_maps_it_declares_at_its_stride(name):
    architecture = ARCHITECTURES[name]
    outputs = meta_network(architecture)(torch.empty(2, 3, 64, 96, device="meta"))
    assert isinstance(outputs, tuple)
    assert [tuple(output.shape) for output in outputs] == [
        (2, count, 64 // architecture.stride, 96 // architecture.stride) for _, count in architecture.channels]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_maps_and_the_card_are_those_of_the_skeleton(name):
    architecture = ARCHITECTURES[name]
    skeleton, channels = get_skeleton(architecture.skeleton), dict(architecture.channels)
    card = load_preset(architecture.preset)
    assert card.skeleton == skeleton
    assert {head.stride for head in card.heads} == {architecture.stride}
    assert all(side % card.input.multiple == 0 for side in architecture.default_input)
    if "pafs" in channels:
        assert channels == {"heatmaps": skeleton.heatmap_channels, "pafs": skeleton.paf_channel_count}
    else:
        assert channels == {"heatmaps": len(skeleton.keypoints) + 1}


def test_heat_maps_come_first_in_every_official_output():
    assert ARCHITECTURES["openpose-body25"].official_channels == {"heatmaps": (0, 26), "pafs": (26, 78)}
    assert ARCHITECTURES["openpose-body135"].official_channels == {"heatmaps": (0, 135), "pafs": (135, 439)}


def test_a_name_is_its_architectures_own():
    assert all(name == architecture.name for name, architecture in ARCHITECTURES.items())
