"""DenseNet-121 without its classifier, tensors named as torchvision's `features`."""
from collections import OrderedDict

import torch
from torch import Tensor, nn

_BLOCKS = (6, 12, 24, 16)  # layers in each block
_GROWTH = 32
_BOTTLENECK = 4 * _GROWTH
CHANNELS = 1024


class DenseLayer(nn.Module):
    """Adds 32 channels to what it reads."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, _BOTTLENECK, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(_BOTTLENECK)
        self.conv2 = nn.Conv2d(_BOTTLENECK, _GROWTH, 3, padding=1, bias=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.relu(self.norm1(x)))
        return torch.cat((x, self.conv2(self.relu(self.norm2(y)))), 1)


def densenet121() -> "nn.Sequential":
    """Features (N, 1024, H/32, W/32): norm5 without a ReLU after it."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv0=nn.Conv2d(3, 64, 7, 2, 3, bias=False), norm0=nn.BatchNorm2d(64), relu0=nn.ReLU(),
        pool0=nn.MaxPool2d(3, 2, 1))
    channels = 64
    for n, count in enumerate(_BLOCKS, 1):
        layers[f"denseblock{n}"] = nn.Sequential(OrderedDict(
            (f"denselayer{i + 1}", DenseLayer(channels + i * _GROWTH)) for i in range(count)))
        channels += count * _GROWTH
        if n < len(_BLOCKS):
            layers[f"transition{n}"] = nn.Sequential(OrderedDict(
                norm=nn.BatchNorm2d(channels), relu=nn.ReLU(),
                conv=nn.Conv2d(channels, channels // 2, 1, bias=False), pool=nn.AvgPool2d(2)))
            channels //= 2
    layers["norm5"] = nn.BatchNorm2d(channels)
    return nn.Sequential(layers)
