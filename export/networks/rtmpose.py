"""RTMPose and RTMW (mmpose): CSPNeXt, a gated attention unit over keypoints, and one classification an axis (SimCC)."""
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wholebody.export.networks.cspnext import ConvNorm, CspNext, Pyramid, widths

_KERNEL = 7
_EPSILON = 1e-5


@dataclass(frozen=True)
class SimccSpec:
    """What the head of one file is like, beside its backbone."""

    keypoints: int
    cells: tuple[int, int]    # height and width of the features at a 32nd
    bins: tuple[int, int]     # of the y and the x axis
    hidden: int = 256
    attention: int = 128
    expanded: int = 512


class _ScaleNorm(nn.Module):
    """Divides by the root of the mean square, times one trained number."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1))
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * float(self.size) ** -0.5
        return x / length.clamp(min=_EPSILON) * self.g


class _Scale(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class GatedAttention(nn.Module):
    """Gated attention unit (Hua et al. 2022) with squared ReLU; keypoints are its tokens."""

    def __init__(self, spec: SimccSpec) -> None:
        super().__init__()
        self.parts = [spec.expanded, spec.expanded, spec.attention]
        self.ln = _ScaleNorm(spec.hidden)
        self.uv = nn.Linear(spec.hidden, sum(self.parts), bias=False)
        self.act_fn = nn.SiLU()
        self.gamma = nn.Parameter(torch.ones(2, spec.attention))
        self.beta = nn.Parameter(torch.zeros(2, spec.attention))
        self.o = nn.Linear(spec.expanded, spec.hidden, bias=False)
        self.res_scale = _Scale(spec.hidden)

    def forward(self, x: Tensor) -> Tensor:
        gate, value, base = torch.split(self.act_fn(self.uv(self.ln(x))), self.parts, 2)
        query, key = (base * self.gamma[n] + self.beta[n] for n in (0, 1))
        alike = torch.relu(query @ key.transpose(1, 2) / math.sqrt(self.parts[2]))
        out: Tensor = self.res_scale(x) + self.o(gate * (alike * alike @ value))
        return out


class _SimccHead(nn.Module):
    """The last layers of both kinds: tokens (N, K, hidden) to one row of bins an axis."""

    def __init__(self, spec: SimccSpec) -> None:
        super().__init__()
        self.keypoints, self.cells = spec.keypoints, math.prod(spec.cells)
        self.gau = GatedAttention(spec)
        self.cls_x = nn.Linear(spec.hidden, spec.bins[1], bias=False)
        self.cls_y = nn.Linear(spec.hidden, spec.bins[0], bias=False)

    def classify(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.gau(tokens)
        return self.cls_x(tokens), self.cls_y(tokens)


def _tokens(size: int, hidden: int) -> "nn.Sequential":
    return nn.Sequential(_ScaleNorm(size), nn.Linear(size, hidden, bias=False))


def _rows(maps: Tensor, keypoints: int, size: int) -> Tensor:
    """Maps (N, K, h, w) as rows (N, K, size); with numbers written down, tools know the shapes without running it."""
    return maps.reshape(-1, keypoints, size)


class RtmccHead(_SimccHead):
    """RTMPose's: one map a keypoint at a 32nd of the picture."""

    def __init__(self, channels: int, spec: SimccSpec) -> None:
        super().__init__(spec)
        self.final_layer = nn.Conv2d(channels, spec.keypoints, _KERNEL, padding=_KERNEL // 2)
        self.mlp = _tokens(self.cells, spec.hidden)

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        return self.classify(self.mlp(_rows(self.final_layer(features[-1]), self.keypoints, self.cells)))


class RtmwHead(_SimccHead):
    """RTMW's: half of a token from a map at a 32nd of the picture, half from one at a sixteenth."""

    def __init__(self, channels: int, spec: SimccSpec) -> None:
        super().__init__(spec)
        quarter, half = channels // 4, channels // 2
        self.ps = nn.PixelShuffle(2)
        self.conv_dec = ConvNorm(quarter, quarter, _KERNEL, activation=nn.ReLU)
        self.final_layer = ConvNorm(channels, spec.keypoints, _KERNEL, activation=nn.ReLU)
        self.final_layer2 = ConvNorm(quarter + half, spec.keypoints, _KERNEL, activation=nn.ReLU)
        self.mlp, self.mlp2 = _tokens(self.cells, spec.hidden // 2), _tokens(4 * self.cells, spec.hidden // 2)

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        _, sixteenth, last = features
        finer = torch.cat((self.conv_dec(self.ps(last)), sixteenth), 1)
        coarse_tokens = self.mlp(_rows(self.final_layer(last), self.keypoints, self.cells))
        fine_tokens = self.mlp2(_rows(self.final_layer2(finer), self.keypoints, 4 * self.cells))
        return self.classify(torch.cat((coarse_tokens, fine_tokens), 2))


class RtmPose(nn.Module):
    """Pictures (N, 3, H, W) of the one size of the head to simcc_x (N, K, bins) and simcc_y (N, K, bins)."""

    def __init__(self, deepen: float, widen: float, spec: SimccSpec, pyramid: bool = False) -> None:
        super().__init__()
        wide = widths(widen)
        self.backbone = CspNext(deepen, widen)
        self.neck: nn.Module = Pyramid(wide[-3:]) if pyramid else nn.Identity()
        self.head = RtmwHead(wide[-1], spec) if pyramid else RtmccHead(wide[-1], spec)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """How likely each keypoint is in each bin of the x axis, and of the y axis; not normalised."""
        simcc: tuple[Tensor, Tensor] = self.head(self.neck(self.backbone(image)))
        return simcc
