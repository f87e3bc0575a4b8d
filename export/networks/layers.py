"""Convolutions with their activations, from rows of a table."""
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from torch import nn

RELU, PRELU, LINEAR = "relu", "prelu", ""


class Row(NamedTuple):
    """One convolution of a network under its official name."""

    name: str
    width: int              # output channels
    kernel: int = 3
    activation: str = RELU


POOL = Row("pool", 0, 2, LINEAR)


def chain(rows: Iterable[Row], channels: int) -> "nn.Sequential":
    """Convolutions one after the other, stride 1 and the same size out as in; POOL halves the size.

    Layers keep their Caffe names: `conv4_2` is followed by `relu4_2` or `prelu4_2`, slopes per channel.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for row in rows:
        if row is POOL:
            layers[f"pool{len(layers)}"] = nn.MaxPool2d(2)
            continue
        layers[row.name] = nn.Conv2d(channels, row.width, row.kernel, padding=row.kernel // 2)
        channels = row.width
        if row.activation == RELU:
            layers[row.name.replace("conv", "relu", 1)] = nn.ReLU()
        elif row.activation == PRELU:
            layers[row.name.replace("conv", "prelu", 1)] = nn.PReLU(channels)
    return nn.Sequential(layers)


def official_name(tensor: str) -> str:
    """Caffe's name of a tensor: the layer and its weight or bias, without the modules around it.

    >>> official_name("stages.stage0_L2.Mconv1.steps.0.Mconv1_stage0_L2_0.weight")
    'Mconv1_stage0_L2_0.weight'
    """
    return ".".join(tensor.split(".")[-2:])
