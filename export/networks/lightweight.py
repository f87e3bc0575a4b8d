"""Lightweight OpenPose: MobileNet, one first stage, one to three refinement stages.

Modules are nested as in the released file, so that tensors carry its names.
"""
import torch
from torch import Tensor, nn

HEATMAPS, PAFS = 19, 38
_WIDTH = 128
# Width, stride, dilation of MobileNet's blocks: nothing shrinks below an eighth.
_BLOCKS = ((64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 1, 1), (512, 1, 2),
           (512, 1, 1), (512, 1, 1), (512, 1, 1), (512, 1, 1))


def _conv_relu(channels: int, width: int, kernel: int) -> "nn.Sequential":
    return nn.Sequential(nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.ReLU())


def _separable(channels: int, width: int, stride: int, dilation: int) -> "nn.Sequential":
    depthwise = nn.Conv2d(channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False)
    return nn.Sequential(depthwise, nn.BatchNorm2d(channels), nn.ReLU(),
                         nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


def _mobilenet() -> "nn.Sequential":
    blocks = [nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())]
    channels = 32
    for width, stride, dilation in _BLOCKS:
        blocks.append(_separable(channels, width, stride, dilation))
        channels = width
    return nn.Sequential(*blocks)


def _maps(channels: int, hidden: int, out: int) -> "nn.Sequential":
    return nn.Sequential(_conv_relu(channels, hidden, 1), nn.Sequential(nn.Conv2d(hidden, out, 1)))


class _Features(nn.Module):
    """The bridge between MobileNet and the stages; no batch-norm, ELU on the side path."""

    def __init__(self) -> None:
        super().__init__()
        self.align = _conv_relu(512, _WIDTH, 1)
        self.trunk = nn.Sequential(*(
            nn.Sequential(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, groups=_WIDTH, bias=False), nn.ELU(),
                          nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False), nn.ELU()) for _ in range(3)))
        self.conv = _conv_relu(_WIDTH, _WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        aligned = self.align(x)
        features: Tensor = self.conv(aligned + self.trunk(aligned))
        return features


class _RefinementBlock(nn.Module):
    """A 1x1, and on top of its result two 3x3 with bias and batch-norm, the second dilated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.initial = _conv_relu(channels, _WIDTH, 1)
        self.trunk = nn.Sequential(*(
            nn.Sequential(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=d, dilation=d), nn.BatchNorm2d(_WIDTH), nn.ReLU())
            for d in (1, 2)))

    def forward(self, x: Tensor) -> Tensor:
        start = self.initial(x)
        out: Tensor = start + self.trunk(start)
        return out


class _Stage(nn.Module):
    def __init__(self, trunk: "nn.Sequential", hidden: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.heatmaps = _maps(_WIDTH, hidden, HEATMAPS)
        self.pafs = _maps(_WIDTH, hidden, PAFS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(x)
        return self.heatmaps(x), self.pafs(x)


def _refinement_stage() -> _Stage:
    blocks = [_RefinementBlock(_WIDTH if b else _WIDTH + HEATMAPS + PAFS) for b in range(5)]
    return _Stage(nn.Sequential(*blocks), _WIDTH)


class LightweightOpenPose(nn.Module):
    """The released file holds three refinement stages; its authors' demo and figures use the first alone."""

    def __init__(self, refinements: int) -> None:
        super().__init__()
        self.model = _mobilenet()
        self.cpm = _Features()
        self.initial_stage = _Stage(nn.Sequential(*(_conv_relu(_WIDTH, _WIDTH, 3) for _ in range(3))), 512)
        self.refinement_stages = nn.ModuleList(_refinement_stage() for _ in range(refinements))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Heat maps and PAFs (N, C, H/8, W/8) of pictures (N, 3, H, W)."""
        features = self.cpm(self.model(image))
        heatmaps, pafs = self.initial_stage(features)
        for stage in self.refinement_stages:
            heatmaps, pafs = stage(torch.cat((features, heatmaps, pafs), 1))
        return heatmaps, pafs
