"""Our own PAF network: EfficientNet-lite0, a context of 128 channels, a first guess and refinements of it."""
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wholebody.export.networks.efficientnet import STAGES, EfficientNetLite0, conv_norm

HEATMAPS, PAFS = 19, 38
WIDTH = 128
FIRST_BLOCKS, LATER_BLOCKS = 2, 3


class _Block(nn.Module):
    """A 1x1, and on top of its result a plain and a dilated 3x3, as in lightweight OpenPose."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.mix = conv_norm(inputs, WIDTH, 1)
        self.trunk = nn.Sequential(conv_norm(WIDTH, WIDTH, 3), conv_norm(WIDTH, WIDTH, 3, dilation=2))

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mix(x)
        out: Tensor = mixed + self.trunk(mixed)
        return out


class _Stage(nn.Module):
    """Blocks, then the two kinds of maps, each behind a 1x1 of its own."""

    def __init__(self, inputs: int, blocks: int, heatmaps: int, pafs: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(WIDTH if b else inputs) for b in range(blocks)))
        self.heatmaps = nn.Sequential(conv_norm(WIDTH, WIDTH, 1), nn.Conv2d(WIDTH, heatmaps, 1))
        self.pafs = nn.Sequential(conv_norm(WIDTH, WIDTH, 1), nn.Conv2d(WIDTH, pafs, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.blocks(x)
        return self.heatmaps(x), self.pafs(x)


class WholebodyLite(nn.Module):
    """Picture (N, 3, H, W), sides multiples of 16, to heat maps and PAFs at an eighth of its size."""

    def __init__(self, heatmaps: int = HEATMAPS, pafs: int = PAFS, refinements: int = 1) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0()
        self.near = conv_norm(STAGES[2].width, WIDTH, 1, activation=False)
        self.far = conv_norm(STAGES[4].width, WIDTH, 1, activation=False)
        self.first = _Stage(WIDTH, FIRST_BLOCKS, heatmaps, pafs)
        self.refinements = nn.ModuleList(
            _Stage(WIDTH + heatmaps + pafs, LATER_BLOCKS, heatmaps, pafs) for _ in range(refinements))

    def stages(self, image: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The first guess and every refined answer: heat maps and PAFs (N, C, H / 8, W / 8)."""
        eighth, sixteenth = self.encoder(image)
        far = interpolate(self.far(sixteenth), scale_factor=2.0, mode="nearest")
        features = torch.relu(self.near(eighth) + far)
        answers: list[tuple[Tensor, Tensor]] = [self.first(features)]
        for stage in self.refinements:
            answers.append(stage(torch.cat((features, *answers[-1]), 1)))
        return answers

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The last answer."""
        return self.stages(image)[-1]
