"""CSPNeXt, the backbone of RTMPose, and the pyramid that RTMW puts behind it; tensors named as mmpose's."""
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

_STEM = 64                                                                # channels of the stem at width 1
_STAGES = ((128, 3, True), (256, 6, True), (512, 6, True), (1024, 3, False))  # channels, blocks, ways around them
_PYRAMID_BLOCKS = 2


class ConvNorm(nn.Module):
    """A convolution without bias that keeps the size, divided by its stride, batch-norm and an activation."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1,
                 activation: type[nn.Module] = nn.SiLU) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.activate = activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activate(self.bn(self.conv(x)))
        return out


class _Separable(nn.Module):
    """5x5 by channels, then 1x1 across them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise_conv = ConvNorm(width, width, 5, groups=width)
        self.pointwise_conv = ConvNorm(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pointwise_conv(self.depthwise_conv(x))
        return out


class _Block(nn.Module):
    def __init__(self, width: int, identity: bool) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, width, 3)
        self.conv2 = _Separable(width)
        self.identity = identity

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x))
        return y + x if self.identity else y


class _Attention(nn.Module):
    """Weighs channels by their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)
        self.act = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * self.act(self.fc(x.mean((2, 3), keepdim=True)))
        return out


class CspLayer(nn.Module):
    """Half of the channels through blocks, half around them, and a 1x1 over both."""

    def __init__(self, channels: int, width: int, blocks: int, identity: bool, attention: bool) -> None:
        super().__init__()
        half = width // 2
        self.main_conv, self.short_conv = ConvNorm(channels, half, 1), ConvNorm(channels, half, 1)
        self.final_conv = ConvNorm(2 * half, width, 1)
        self.blocks = nn.Sequential(*(_Block(half, identity) for _ in range(blocks)))
        self.attention: nn.Module = _Attention(2 * half) if attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat((self.blocks(self.main_conv(x)), self.short_conv(x)), 1)
        out: Tensor = self.final_conv(self.attention(both))
        return out


class _PooledBottleneck(nn.Module):
    """Maxima of wider and wider surroundings side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, width // 2, 1)
        self.poolings = nn.ModuleList(nn.MaxPool2d(kernel, 1, kernel // 2) for kernel in (5, 9, 13))
        self.conv2 = ConvNorm(width // 2 * 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        out: Tensor = self.conv2(torch.cat((x, *(pool(x) for pool in self.poolings)), 1))
        return out


def widths(widen: float) -> tuple[int, ...]:
    """Channels that the stem and the four stages give."""
    return tuple(int(channels * widen) for channels in (_STEM, *(stage[0] for stage in _STAGES)))


class CspNext(nn.Module):
    """Features at an eighth, a sixteenth and a 32nd of the picture."""

    def __init__(self, deepen: float, widen: float) -> None:
        super().__init__()
        stem, *wide = widths(widen)
        half = int(_STEM * widen // 2)
        self.stem = nn.Sequential(ConvNorm(3, half, 3, 2), ConvNorm(half, half, 3), ConvNorm(half, stem, 3))
        channels = stem
        for n, (width, (_, blocks, identity)) in enumerate(zip(wide, _STAGES), 1):
            layers: list[nn.Module] = [ConvNorm(channels, width, 3, 2)]
            if n == len(_STAGES):
                layers.append(_PooledBottleneck(width))
            layers.append(CspLayer(width, width, max(round(blocks * deepen), 1), identity, True))
            self.add_module(f"stage{n}", nn.Sequential(*layers))
            channels = width

    def forward(self, image: Tensor) -> list[Tensor]:
        """The last three."""
        features = [self.stem(image)]
        for n in range(1, len(_STAGES) + 1):
            features.append(self.get_submodule(f"stage{n}")(features[-1]))
        return features[-3:]


class Pyramid(nn.Module):
    """CSPNeXtPAFPN: what is known at low resolution goes up to an eighth and comes down again."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        steps = list(zip(channels, channels[1:]))

        def layer(inputs: int, width: int) -> CspLayer:
            return CspLayer(inputs, width, _PYRAMID_BLOCKS, False, False)

        self.reduce_layers = nn.ModuleList(ConvNorm(high, low, 1) for low, high in reversed(steps))
        self.top_down_blocks = nn.ModuleList(layer(2 * low, low) for low, _ in reversed(steps))
        self.downsamples = nn.ModuleList(ConvNorm(low, low, 3, 2) for low, _ in steps)
        self.bottom_up_blocks = nn.ModuleList(layer(2 * low, high) for low, high in steps)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """As many as came, the finest first."""
        inner, x = [], features[-1]
        for reduce, block, below in zip(self.reduce_layers, self.top_down_blocks, reversed(features[:-1])):
            x = reduce(x)
            inner.append(x)
            x = block(torch.cat((interpolate(x, scale_factor=2.0, mode="nearest"), below), 1))
        out = [x]
        for down, block, above in zip(self.downsamples, self.bottom_up_blocks, reversed(inner)):
            out.append(block(torch.cat((down(out[-1]), above), 1)))
        return out
