"""A tiny fully-convolutional Part-Affinity-Field network: stride 8, two outputs, about 70k parameters."""

from typing import List, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

HEATMAP_CHANNELS, PAF_CHANNELS = 26, 52
STEM = (16, 24)
WIDTH = 56
BACKBONE_DILATIONS = (1, 2, 4, 8, 2, 4)
REFINE_DILATIONS = (1, 3, 6)
REFINEMENTS = 1
DOUBT = 0.2


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1,
          groups: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Depthwise 3x3 with a dilation, then 1x1, added to the input."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.spread = _conv(width, width, dilation=dilation, groups=width)
        self.mix = _conv(width, width, kernel=1)
        norm = self.mix[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)  # starts as the identity, so that deep stacks train at once

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, width, h, w) to the same shape."""
        y: Tensor = torch.relu(self.spread(x))
        return torch.relu(x + self.mix(y))


def _blocks(dilations: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(Block(WIDTH, dilation) for dilation in dilations))


class MannequinNet(nn.Module):
    """Picture (N, 3, H, W), BGR / 256 - 0.5, to heat maps and fields at an eighth of its size."""

    def __init__(self) -> None:
        super().__init__()
        first, second = STEM
        self.stem = nn.Sequential(
            _conv(3, first, stride=2), nn.ReLU(),
            _conv(first, second, stride=2), nn.ReLU(), Block(second, 1),
            _conv(second, WIDTH, stride=2), nn.ReLU())
        self.backbone = _blocks(BACKBONE_DILATIONS)
        outputs = HEATMAP_CHANNELS + PAF_CHANNELS
        self.guess = nn.Conv2d(WIDTH, outputs, 1)
        self.join = nn.Sequential(_conv(WIDTH + outputs, WIDTH, kernel=1), nn.ReLU())
        self.refine = _blocks(REFINE_DILATIONS)
        self.heatmaps = nn.Conv2d(WIDTH, HEATMAP_CHANNELS, 1)
        self.pafs = nn.Conv2d(WIDTH, PAF_CHANNELS, 1)
        for head in (self.guess, self.heatmaps, self.pafs):
            nn.init.normal_(head.weight, std=0.01)
            assert head.bias is not None
            nn.init.zeros_(head.bias)

    def stages(self, image: Tensor) -> List[Tensor]:
        """First guess and every refined answer, each (N, 78, H / 8, W / 8)."""
        features = self.backbone(self.stem(image))
        answers = [self.guess(features)]
        for _ in range(REFINEMENTS):  # the same weights each time: more context for no more bytes
            refined = self.refine(self.join(torch.cat([features, answers[-1]], 1)))
            answers.append(torch.cat([self.heatmaps(refined), self.pafs(refined)], 1))
        return answers

    def forward(self, image: Tensor) -> Tuple[Tensor, Tensor]:
        """Heat maps (N, 26, h, w) and fields (N, 52, h, w)."""
        answer = self.stages(image)[-1]
        return torch.relu(answer[:, :HEATMAP_CHANNELS]), answer[:, HEATMAP_CHANNELS:]


def subtract_doubt(net: MannequinNet) -> None:
    """Map keypoint heat from DOUBT..1 to 0..1, in place: OpenPose looks for peaks from 0.05 up.

    So small a network is never as sure of nothing as OpenPose's; every false peak on a limb breaks a person in two.
    """
    weight, bias = net.heatmaps.weight, net.heatmaps.bias
    assert bias is not None
    with torch.no_grad():
        bias[:HEATMAP_CHANNELS - 1] -= DOUBT
        bias[:HEATMAP_CHANNELS - 1] /= 1 - DOUBT
        weight[:HEATMAP_CHANNELS - 1] /= 1 - DOUBT


def fold(module: nn.Module) -> None:
    """Merge every batch norm of an eval-mode network into the convolution before it, in place."""
    for child in module.children():
        pair = list(child.children()) if isinstance(child, nn.Sequential) else []
        if len(pair) == 2 and isinstance(pair[0], nn.Conv2d) and isinstance(pair[1], nn.BatchNorm2d):
            child.__setattr__("0", fuse_conv_bn_eval(pair[0], pair[1]))
            child.__setattr__("1", nn.Identity())
        else:
            fold(child)
