"""The official networks as tables of layers, and a plain way to run them: what our modules are compared with."""
import csv
import pathlib
from typing import NamedTuple

import torch
from torch.nn import functional

TABLES = pathlib.Path(__file__).resolve().parents[1] / "export/networks/layers"


class Layer(NamedTuple):
    """One row of a table made from the official prototxt; `activation` is relu or the name of the PReLU layer."""

    name: str
    kind: str
    inputs: tuple
    output: str
    kernel: int
    c_out: int
    activation: str


def read_table(name):
    """The layers of one network in the official order."""
    with open(TABLES / f"{name}.csv", newline="") as file:
        return [Layer(row["layer"], row["kind"], tuple(row["inputs"].split("+")), row["output"],
                      int(row["kernel"] or 0), int(row["c_out"]), row["activation"]) for row in csv.DictReader(file)]


def run_table(layers, tensors, image):
    """`net_output` of one network; convolutions correlate, activations replace what they read."""
    blobs = {"image": image}
    for layer in layers:
        inputs = [blobs[name] for name in layer.inputs]
        if layer.kind == "conv":
            x = functional.conv2d(inputs[0], tensors[f"{layer.name}.weight"], tensors[f"{layer.name}.bias"],
                                  padding=layer.kernel // 2)
            if layer.activation == "relu":
                x = x.clamp(min=0)
            elif layer.activation:
                slopes = tensors[f"{layer.activation}.weight"].reshape(1, -1, 1, 1)
                x = torch.where(x > 0, x, slopes * x)
        elif layer.kind == "pool":
            x = functional.max_pool2d(inputs[0], 2, ceil_mode=True)
        else:
            x = torch.cat(inputs, 1)
        blobs[layer.output] = x
    return blobs["net_output"]


def table_shapes(layers):
    """Official name and shape of each tensor a table needs."""
    channels, shapes = {"image": 3}, {}
    for layer in layers:
        c_in = sum(channels[name] for name in layer.inputs)
        channels[layer.output] = c_in if layer.kind != "conv" else layer.c_out
        if layer.kind == "conv":
            shapes[f"{layer.name}.weight"] = (layer.c_out, c_in, layer.kernel, layer.kernel)
            shapes[f"{layer.name}.bias"] = (layer.c_out,)
            if layer.activation not in ("", "relu"):
                shapes[f"{layer.activation}.weight"] = (layer.c_out,)
    return shapes
