"""OSNet-AIN: a small network that tells people apart, which AlphaPose's tracker looks at them with.

Zhou, Yang, Cavallaro, Xiang 2021. Tensors carry the names of its authors' checkpoints.
"""
import torch
from torch import Tensor, nn

STREAMS = 4        # of a block: one to four small convolutions deep
_NARROWER = 4      # times, inside a block
_GATE = 16         # times fewer channels inside a gate
WIDTHS = (64, 256, 384, 512)
EMBEDDING = 512
# Of each pair of blocks, whether it normalises within the picture (IN) instead of over the batch.
_WITHIN = ((True, True), (False, True), (True, False))


class _Layer(nn.Module):
    """Convolution, normalisation, ReLU, each of the last two on request."""

    def __init__(self, channels: int, width: int, kernel: int = 1, stride: int = 1, norm: nn.Module | None = None,
                 active: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
        self.bn = norm
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        if self.bn is not None:
            out = self.bn(out)
        return torch.relu(out) if self.active else out


def _plain(channels: int, width: int, active: bool = True) -> _Layer:
    return _Layer(channels, width, norm=nn.BatchNorm2d(width), active=active)


class _Light(nn.Module):
    """A 1x1 convolution, then a 3x3 one for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv2(self.conv1(x))))


class _Stream(nn.Module):
    """Several of them, one after the other."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(_Light(width) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


class _Gate(nn.Module):
    """How much of each channel passes, by what the whole picture has of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // _GATE, 1)
        self.fc2 = nn.Conv2d(width // _GATE, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        whole = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(whole))))


class _Block(nn.Module):
    """Streams of four depths, each through the same gate, summed beside what came in."""

    def __init__(self, channels: int, width: int, within: bool) -> None:
        super().__init__()
        narrow = width // _NARROWER
        self.conv1 = _plain(channels, narrow)
        self.conv2 = nn.ModuleList(_Stream(narrow, depth) for depth in range(1, STREAMS + 1))
        self.gate = _Gate(narrow)
        self.conv3 = _Layer(narrow, width, norm=None if within else nn.BatchNorm2d(width), active=False)
        self.downsample = _plain(channels, width, active=False) if channels != width else None
        if within:
            self.IN = nn.InstanceNorm2d(width, affine=True)
        self.within = within

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.conv1(x)
        gated = [self.gate(stream(narrow)) for stream in self.conv2]
        out = self.conv3(sum(gated[1:], gated[0]))
        if self.within:
            out = self.IN(out)
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


def _pair(channels: int, width: int, within: tuple[bool, bool]) -> nn.Sequential:
    return nn.Sequential(_Block(channels, width, within[0]), _Block(width, width, within[1]))


def _halved(width: int) -> nn.Sequential:
    return nn.Sequential(_plain(width, width), nn.AvgPool2d(2))


class OsNet(nn.Module):
    """Pictures of people (N, 3, H, W) to what they look like (N, 512)."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = WIDTHS
        self.conv1 = _Layer(3, first, 7, 2, nn.InstanceNorm2d(first, affine=True))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.conv2, self.pool2 = _pair(first, second, _WITHIN[0]), _halved(second)
        self.conv3, self.pool3 = _pair(second, third, _WITHIN[1]), _halved(third)
        self.conv4 = _pair(third, fourth, _WITHIN[2])
        self.conv5 = _plain(fourth, fourth)
        self.fc = nn.Sequential(nn.Linear(fourth, EMBEDDING), nn.BatchNorm1d(EMBEDDING), nn.ReLU())

    def forward(self, picture: Tensor) -> tuple[Tensor]:
        """One row a person."""
        x = self.pool2(self.conv2(self.maxpool(self.conv1(picture))))
        x = self.conv5(self.conv4(self.pool3(self.conv3(x))))
        return (self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)),)
