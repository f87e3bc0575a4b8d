"""ResNets of bottlenecks, plain (torchvision's names) and as AlphaPose has them: squeezed, deformable or unshuffled."""
from torch import Tensor, nn
from torch.nn import functional

from wholebody.export.networks.deformable import DeformableConv

EXPANSION = 4
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # by depth: blocks of each layer
PLAIN, DEFORMABLE, UNSHUFFLED = "plain", "deformable", "unshuffled"  # the 3x3 convolution of layers 2 to 4
_WIDTHS = (64, 128, 256, 512)


class Squeeze(nn.Module):
    """Weighs channels by what their means say of all of them; AlphaPose does not narrow in between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.fc(x.mean((2, 3)))
        return x * weights[:, :, None, None]


class UnshuffledConv(nn.Conv2d):
    """PixelUnshuffle(2) and a 3x3 of stride 1 in one: what a 6x6 of stride 2 does with the same weights.

    Cell (y, x) of channel c * 4 + 2 * dy + dx is pixel (2 * y + dy, 2 * x + dx) of channel c.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels * 4, width, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        width, channels = self.weight.shape[0], self.weight.shape[1] // 4
        weight = self.weight.reshape(width, channels, 2, 2, 3, 3).permute(0, 1, 4, 2, 5, 3)
        return functional.conv2d(x, weight.reshape(width, channels, 6, 6), None, 2, 2)


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1 to four times the width, and a way around them."""

    def __init__(self, channels: int, width: int, stride: int = 1, squeeze: bool = False, kind: str = PLAIN) -> None:
        super().__init__()
        out = width * EXPANSION
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2: nn.Module = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        if kind == DEFORMABLE:
            self.conv2_offset = nn.Conv2d(width, DeformableConv.OFFSETS, 3, stride, 1)
            self.conv2 = DeformableConv(width, width, stride)
        elif kind == UNSHUFFLED and stride == 2:
            self.conv2 = nn.Sequential(nn.Identity(), UnshuffledConv(width, width))
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU()
        self.se: nn.Module = nn.Identity()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            self.se = Squeeze(out) if squeeze else nn.Identity()
        self.deformable = kind == DEFORMABLE

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.conv2(y, self.conv2_offset(y)) if self.deformable else self.conv2(y)
        y = self.bn3(self.conv3(self.relu(self.bn2(y))))
        out: Tensor = self.relu(self.se(y) + self.downsample(x))
        return out


class ResNet(nn.Module):
    """Features (N, 2048, H/32, W/32)."""

    channels = _WIDTHS[-1] * EXPANSION

    def __init__(self, depth: int, squeeze: bool = False, kind: str = PLAIN) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for n, (width, blocks) in enumerate(zip(_WIDTHS, BLOCKS[depth]), 1):
            layer: list[nn.Module] = []
            for b in range(blocks):
                layer.append(Bottleneck(channels, width, 2 if n > 1 and b == 0 else 1, squeeze,
                                        kind if n > 1 else PLAIN))
                channels = width * EXPANSION
            self.add_module(f"layer{n}", nn.Sequential(*layer))

    def forward(self, image: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        for n in range(1, len(_WIDTHS) + 1):
            x = self.get_submodule(f"layer{n}")(x)
        features: Tensor = x
        return features
