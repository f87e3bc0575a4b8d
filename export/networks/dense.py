"""Dense blocks: three convolutions in a row, and all three results go on together."""
from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wholebody.export.networks.layers import LINEAR, PRELU, Row, chain


class DenseBlock(nn.Module):
    """3x3 convolutions `name`_0, _1, _2 of one width; the output is all three after their PReLU: 3 x width."""

    def __init__(self, name: str, channels: int, width: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(chain((Row(f"{name}_{j}", width, 3, PRELU),), width if j else channels)
                                   for j in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) -> (N, 3 * width, h, w)."""
        results = []
        for step in self.steps:
            x = step(x)
            results.append(x)
        return torch.cat(results, 1)


class DenseStage(NamedTuple):
    """One prediction stage: dense blocks, a 1x1 convolution with PReLU, a linear 1x1 convolution."""

    name: str    # official suffix of its layers
    blocks: int
    width: int   # of each convolution in a block
    hidden: int  # channels of the first 1x1
    out: int     # maps it predicts


def dense_stage(stage: DenseStage, channels: int) -> "nn.Sequential":
    """The modules of one stage that reads so many channels."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for n in range(1, stage.blocks + 1):
        layers[f"Mconv{n}"] = DenseBlock(f"Mconv{n}_{stage.name}", channels, stage.width)
        channels = 3 * stage.width
    layers["maps"] = chain((Row(f"Mconv{stage.blocks + 1}_{stage.name}", stage.hidden, 1, PRELU),
                            Row(f"Mconv{stage.blocks + 2}_{stage.name}", stage.out, 1, LINEAR)), channels)
    return nn.Sequential(layers)
