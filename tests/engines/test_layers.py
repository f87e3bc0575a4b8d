"""The inspector's JSON of several versions, as it is read for wb-export inspect."""
import json

import pytest

from wholebody.engines.layers import Layer, count_by, layers_from_json, parse_layers


def layer(name, kind, said):
    return {"Name": name, "LayerType": kind, "Inputs": [], "Outputs": [{"Name": "t", "Format/Datatype": said}]}


LAYERS = [
    (layer("conv1", "CaskConvolution", "Row major linear FP32"), Layer("conv1", "CaskConvolution", "FP32", False)),
    (layer("conv2", "CaskConvolution", "Channel major FP16 format where channel % 8 == 0"),
     Layer("conv2", "CaskConvolution", "FP16", False)),
    (layer("conv3", "CaskConvolution", "Thirty-two wide channel vectorized row major Int8 format"),
     Layer("conv3", "CaskConvolution", "INT8", False)),
    (layer("conv4", "gemm", "Two wide channel vectorized row major Half format"),
     Layer("conv4", "gemm", "FP16", False)),
    (layer("Reformatting CopyNode for Input Tensor 0 to conv1", "NoOp", "Row major linear FP32"),
     Layer("Reformatting CopyNode for Input Tensor 0 to conv1", "NoOp", "FP32", True)),
    (layer("r", "Reformat", "Row major linear FP16 format"), Layer("r", "Reformat", "FP16", True)),
    ("only a name", Layer("only a name", "unknown", "unknown", False)),
    ({"Name": "x"}, Layer("x", "unknown", "unknown", False)),
]


@pytest.mark.parametrize("data, expected", LAYERS, ids=[str(case[1].name)[:20] for case in LAYERS])
@pytest.mark.parametrize("key", ["Bindings", "I/O Tensors"], ids=["8 and 10", "11"])
def test_a_layer_is_read(key, data, expected):
    assert parse_layers(json.dumps({"Layers": [data], key: ["image"]})) == [expected]


@pytest.mark.parametrize("text", ["", "{}", "[]", "none", '{"Layers": []}'])
def test_an_inspector_that_says_nothing_gives_no_layers(text):
    assert parse_layers(text) == []


def test_layers_are_counted_and_survive_json():
    layers = [expected for _, expected in LAYERS]
    assert count_by(layers, "precision") == {"FP16": 2, "reformat": 2, "unknown": 2, "FP32": 1, "INT8": 1}
    assert layers_from_json(json.loads(json.dumps([layer._asdict() for layer in layers]))) == layers
    assert layers_from_json(None) is None
