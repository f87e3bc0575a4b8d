"""The networks have the tensors, parameters, channels and costs of the official ones."""
import csv

import pytest
import torch
from checkpoint_files import rtm_shapes
from layer_tables import TABLES, read_table, table_shapes

from wholebody.export.networks.architecture import LOOKS, TOP_DOWN, meta_network, official_shapes
from wholebody.export.networks.architectures import ARCHITECTURES
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
# For one person: network, keypoints and width of its last layer, million parameters, tensors, size, GMAC.
ONE_PERSON = [
    ("fastpose-50", (17, 128), 40.58, 293, (256, 192), 5.89),
    ("fastpose-50", (17, 128), 40.58, 293, (256, 256), 7.85),
    ("fastpose-101", (17, 128), 59.57, 548, (256, 192), 9.52),
    ("fastpose-152", (17, 128), 75.21, 803, (256, 192), 13.16),
    ("fastpose-50-dcn", (17, 128), 41.16, 319, (256, 192), 6.01),
    ("fastpose-50", (136, 256), 42.05, 293, (256, 192), 7.70),
    ("fastpose-50", (133, 256), 42.05, 293, (256, 192), 7.67),
    ("fastpose-50-dcn", (136, 256), 42.63, 319, (256, 192), 7.82),
    ("fastpose-duc-152", (17, 256), 83.20, 828, (256, 192), 15.94),
    ("fastpose-duc-152", (136, 256), 83.47, 828, (256, 192), 16.78),
    ("fastpose-duc-50-shuffle", (17, 256), 57.85, 318, (256, 192), 9.68),
    ("simplepose-50", (17, 256), 34.00, 282, (256, 192), 5.43),
    ("hrnet-w32", (17, 32), 28.54, 1462, (256, 192), 7.65), ("hrnet-w32", (17, 32), 28.54, 1462, (384, 288), 17.20),
    ("hrnet-w48", (17, 48), 63.60, 1462, (256, 192), 15.69), ("hrnet-w48", (17, 48), 63.60, 1462, (384, 288), 35.31),
]
# Million parameters and GFLOPs that mmpose publishes; ours count convolutions and linear layers, not attention.
MMPOSE = [
    ("rtmpose-t", 17, (256, 192), 3.34, 0.36), ("rtmpose-s", 17, (256, 192), 5.47, 0.68),
    ("rtmpose-m", 17, (256, 192), 13.59, 1.93), ("rtmpose-l", 17, (256, 192), 27.66, 4.16),
    ("rtmpose-m", 17, (384, 288), 13.72, 4.33), ("rtmpose-l", 17, (384, 288), 27.79, 9.35),
    ("rtmpose-m", 133, (256, 192), None, 2.22), ("rtmpose-l", 133, (256, 192), None, 4.52),
    ("rtmpose-l", 133, (384, 288), None, 10.07), ("rtmpose-x", 133, (384, 288), None, 18.1),
    ("rtmw-m", 133, (256, 192), None, 4.3), ("rtmw-l", 133, (256, 192), None, 7.9),
    ("rtmw-x", 133, (256, 192), None, 13.1), ("rtmw-l", 133, (384, 288), None, 17.7),
    ("rtmw-x", 133, (384, 288), None, 29.3),
]

WITH_KEYPOINTS = [name for name, architecture in ARCHITECTURES.items() if architecture.family != LOOKS]


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
    assert len(official_shapes(ARCHITECTURES[name])) == tensors
    assert round(count_macs(network, *size) / 1e9, 2) == gmac


@pytest.mark.parametrize(("name", "last", "millions", "tensors", "size", "gmac"), ONE_PERSON,
                         ids=[f"{row[0]} {row[1][0]} at {row[4][0]}x{row[4][1]}" for row in ONE_PERSON])
def test_networks_for_one_person_cost_what_their_authors_modules_do(name, last, millions, tensors, size, gmac):
    layer = "conv_out.weight" if name.startswith("fastpose") else "final_layer.weight"
    architecture = ARCHITECTURES[name].of_shapes({layer: (*last, 1, 1)})
    network = meta_network(architecture)
    assert tuple(network.get_parameter(layer).shape[:2]) == last
    assert round(count_parameters(network) / 1e6, 2) == millions
    assert len(official_shapes(architecture)) == tensors
    assert round(count_macs(network, *size) / 1e9, 2) == gmac


@pytest.mark.parametrize(("name", "keypoints", "size", "millions", "gflops"), MMPOSE,
                         ids=[f"{row[0]} {row[1]} at {row[2][0]}x{row[2][1]}" for row in MMPOSE])
def test_rtmpose_and_rtmw_cost_what_mmpose_publishes(name, keypoints, size, millions, gflops):
    architecture = ARCHITECTURES[name].of_shapes(rtm_shapes(name, keypoints, size))
    assert (architecture.keypoints, architecture.default_input) == (keypoints, size)
    network = meta_network(architecture)
    if millions:
        assert round(count_parameters(network) / 1e6, 2) == millions
    assert count_macs(network, *size) / 1e9 == pytest.approx(gflops, rel=0.01, abs=0.011)


@pytest.mark.parametrize("name", CAFFE)
def test_each_layer_of_the_official_prototxt_is_there_under_its_name(name):
    assert official_shapes(ARCHITECTURES[name]) == table_shapes(read_table(name))


@pytest.mark.parametrize("name", ["lightweight-openpose-1", "trt-pose-resnet18", "fastpose-50", "hrnet-w32"])
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
    assert official_shapes(ARCHITECTURES[name]) == expected


@pytest.mark.parametrize("name", WITH_KEYPOINTS)
def test_a_network_gives_the_maps_it_declares_at_its_stride(name):
    architecture = ARCHITECTURES[name]
    height, width = architecture.default_input if architecture.one_size else (64, 96)
    outputs = meta_network(architecture)(torch.empty(2, 3, height, width, device="meta"))
    assert isinstance(outputs, tuple)
    maps = [(height // architecture.stride, width // architecture.stride)] if architecture.stride else [
        (2 * width,), (2 * height,)]
    assert [tuple(output.shape) for output in outputs] == [
        (2, count, *sides) for (_, count), sides in zip(architecture.channels, maps * len(architecture.channels))]


@pytest.mark.parametrize("name", WITH_KEYPOINTS)
def test_the_maps_and_the_card_are_those_of_the_skeleton(name):
    architecture = ARCHITECTURES[name]
    skeleton, channels = get_skeleton(architecture.skeleton), dict(architecture.channels)
    card = load_preset(architecture.preset)
    assert card.skeleton == skeleton
    assert {head.stride for head in card.heads} == {architecture.stride}
    assert all(card.input.box_padding == (1.25 if architecture.family == TOP_DOWN else 0) for head in card.heads)
    assert all(side % card.input.multiple == 0 for side in architecture.default_input)
    if "pafs" in channels:
        assert channels == {"heatmaps": skeleton.heatmap_channels, "pafs": skeleton.paf_channel_count}
    elif architecture.family == TOP_DOWN:
        assert set(channels.values()) == {len(skeleton.keypoints)}
    else:
        assert channels == {"heatmaps": len(skeleton.keypoints) + 1}


def test_heat_maps_come_first_in_every_official_output():
    assert ARCHITECTURES["openpose-body25"].official_channels == {"heatmaps": (0, 26), "pafs": (26, 78)}
    assert ARCHITECTURES["openpose-body135"].official_channels == {"heatmaps": (0, 135), "pafs": (135, 439)}


def test_a_name_is_its_architectures_own():
    assert all(name == architecture.name for name, architecture in ARCHITECTURES.items())
