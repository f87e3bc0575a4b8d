"""EfficientNet-lite0 up to the end of its last stage at a sixteenth of the picture.

Mobile inverted bottlenecks without squeeze-and-excitation, ReLU6 throughout: what integer arithmetic likes.
"""
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

STEM_WIDTH = 32
NORM_EPSILON = 1e-3


class Stage(NamedTuple):
    """A run of bottlenecks; the stride is that of the first."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (Stage(1, 3, 1, 1, 16), Stage(2, 3, 2, 6, 24), Stage(2, 5, 2, 6, 40), Stage(3, 3, 2, 6, 80),
          Stage(3, 5, 1, 6, 112))
EIGHTH, SIXTEENTH = 2, 4  # the stages whose results lie at an eighth and at a sixteenth of the picture


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1,
              activation: bool = True, epsilon: float = 1e-5) -> "nn.Sequential":
    """Convolution, batch-norm, and ReLU6 unless the result is added to something."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, groups, bias=False),
              nn.BatchNorm2d(outputs, eps=epsilon)]
    return nn.Sequential(*layers, *([nn.ReLU6()] if activation else []))


class Bottleneck(nn.Module):
    """Expand, spread, project; added to the input where the shape allows it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = (conv_norm(inputs, hidden, 1, epsilon=NORM_EPSILON) if expansion > 1 else nn.Sequential())
        self.spread = conv_norm(hidden, hidden, kernel, stride, groups=hidden, epsilon=NORM_EPSILON)
        self.project = conv_norm(hidden, outputs, 1, activation=False, epsilon=NORM_EPSILON)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.spread(self.expand(x)))
        return x + out if self.adds else out


class EfficientNetLite0(nn.Module):
    """Features at an eighth (40 channels) and at a sixteenth (112 channels) of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_norm(3, STEM_WIDTH, 3, 2, epsilon=NORM_EPSILON)
        self.stages = nn.ModuleList()
        inputs = STEM_WIDTH
        for stage in STAGES:
            blocks = []
            for repeat in range(stage.repeats):
                stride = 1 if repeat else stage.stride
                blocks.append(Bottleneck(inputs, stage.width, stage.kernel, stride, stage.expansion))
                inputs = stage.width
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 40, H / 8, W / 8) and (N, 112, H / 16, W / 16)."""
        x, results = self.stem(image), []
        for stage in self.stages:
            x = stage(x)
            results.append(x)
        return results[EIGHTH], results[SIXTEENTH]


_LAYERS = (("expand", "_expand_conv", "_bn0"), ("spread", "_depthwise_conv", "_bn1"),
           ("project", "_project_conv", "_bn2"))  # ours, and efficientnet_lite_pytorch's two


def encoder_state(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's tensors from those of efficientnet_lite_pytorch, whose later stages are left out."""
    renamed: dict[str, str] = {"_conv_stem.": "stem.0.", "_bn0.": "stem.1."}
    number = 0
    for s, stage in enumerate(STAGES):
        for repeat in range(stage.repeats):
            for ours, conv, norm in _LAYERS:
                renamed[f"_blocks.{number}.{conv}."] = f"stages.{s}.{repeat}.{ours}.0."
                renamed[f"_blocks.{number}.{norm}."] = f"stages.{s}.{repeat}.{ours}.1."
            number += 1
    state = {}
    for name, tensor in weights.items():
        prefix, dot, rest = name.rpartition(".")
        if prefix + dot in renamed:
            state[renamed[prefix + dot] + rest] = tensor
    return state
