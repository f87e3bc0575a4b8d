"""The VGG-19 fronts of OpenPose's networks: picture in, features at an eighth of its size out."""
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wholebody.export.networks.dense import DenseBlock
from wholebody.export.networks.layers import POOL, PRELU, RELU, Row, chain

_TO_CONV4_1 = (
    Row("conv1_1", 64), Row("conv1_2", 64), POOL,
    Row("conv2_1", 128), Row("conv2_2", 128), POOL,
    Row("conv3_1", 256), Row("conv3_2", 256), Row("conv3_3", 256), Row("conv3_4", 256), POOL,
    Row("conv4_1", 512))
_TO_CONV4_4 = (*_TO_CONV4_1, Row("conv4_2", 512), Row("conv4_3", 512), Row("conv4_4", 512))
_SUPER_BLOCKS = (("conv4_5_CPM", 256), ("conv4_6_CPM", 256), ("conv4_7_CPM", 224),
                 ("conv4_8_CPM", 256), ("conv4_9_CPM", 256), ("conv4_10_CPM", 224))
_SUPER_TAPS = ("conv4_7_CPM", "conv4_10_CPM")  # blocks whose output reaches the features


def body_front(activation: str) -> "nn.Sequential":
    """The front of the body networks, 128 channels; ReLU in 2017, PReLU from conv4_2 on later."""
    return chain((*_TO_CONV4_1, Row("conv4_2", 512, 3, activation), Row("conv4_3_CPM", 256, 3, activation),
                  Row("conv4_4_CPM", 128, 3, activation)), 3)


def part_front() -> "nn.Sequential":
    """The front of the face and hand networks, 128 channels."""
    return chain((*_TO_CONV4_4, Row("conv5_1", 512), Row("conv5_2", 512), Row("conv5_3_CPM", 128)), 3)


class SuperFront(nn.Module):
    """The front of BODY_25B option 1, 512 channels: six dense blocks behind conv4_4, taps on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.to_conv4_2 = chain((*_TO_CONV4_1, Row("conv4_2", 512)), 3)
        self.to_conv4_4 = chain((Row("conv4_3", 512), Row("conv4_4", 512)), 512)
        self.blocks = nn.ModuleDict()
        channels, tapped = 512, 2 * 512
        for name, width in _SUPER_BLOCKS:
            self.blocks[name] = DenseBlock(name, channels, width)
            channels = 3 * width
            tapped += channels if name in _SUPER_TAPS else 0
        self.last = chain((Row("conv4_11_CPM", 512, 1, PRELU),), tapped)

    def forward(self, image: Tensor) -> Tensor:
        """Features (N, 512, H/8, W/8) of pictures (N, 3, H, W)."""
        taps = [self.to_conv4_2(image)]
        taps.append(self.to_conv4_4(taps[0]))
        x = taps[-1]
        for name, block in self.blocks.items():
            x = block(x)
            if name in _SUPER_TAPS:
                taps.append(x)
        features: Tensor = self.last(torch.cat(taps, 1))
        return features


FRONTS: dict[str, tuple[Callable[[], nn.Module], int]] = {  # name -> (what builds it, channels it gives)
    "relu": (lambda: body_front(RELU), 128),
    "prelu": (lambda: body_front(PRELU), 128),
    "super": (SuperFront, 512),
}
