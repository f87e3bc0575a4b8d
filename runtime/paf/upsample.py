"""Upsampling of network maps by a whole stride, in one fixed float32 order of operations.

Output pixel x reads the source coordinate (x + 0.5) / stride - 0.5, so all pixels of one phase (x mod stride)
share their four weights. Heat maps: columns first, then rows, taps added from left to right, as cv::resize does.
runtime/native follows the same orders, so that both give the same bits.
"""
import math
from typing import TYPE_CHECKING, Callable, NamedTuple, Tuple

import numpy as np

from wholebody.runtime.paf.options import KERNELS, PafOptions

if TYPE_CHECKING:
    import numpy.typing as npt

PAD = 2  # cells that the four taps reach beyond the map
Weights = Tuple[float, float, float, float]


class Taps(NamedTuple):
    """The four taps of each phase."""

    stride: int
    first: Tuple[int, ...]              # per phase: the first cell read, relative to the phase's own cell, plus PAD
    weights: "npt.NDArray[np.float32]"  # (stride, 4)


def bicubic_taps(stride: int, kernel: str) -> Taps:
    """Weights for upsampling by `stride`.

    >>> bicubic_taps(2, "catmull-rom").weights.tolist()[0]
    [-0.0234375, 0.2265625, 0.8671875, -0.0703125]
    """
    a = KERNELS[kernel]

    def weights(t: float) -> Weights:
        w0 = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a
        w1 = ((a + 2) * t - (a + 3)) * t * t + 1
        w2 = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1
        return w0, w1, w2, 1 - w0 - w1 - w2
    return _taps(stride, weights)


def linear_taps(stride: int) -> Taps:
    """The same where only the two nearest cells of each axis count: adding nothing from the others changes no bit.

    >>> linear_taps(2).weights.tolist()
    [[0.0, 0.25, 0.75, 0.0], [0.0, 0.75, 0.25, 0.0]]
    """
    return _taps(stride, lambda t: (0.0, 1 - t, t, 0.0))


def field_taps(stride: int, options: PafOptions) -> Taps:
    """How part-affinity fields are read between their cells."""
    return linear_taps(stride) if options.mode == "fast" else bicubic_taps(stride, options.kernel)


def _taps(stride: int, weights: Callable[[float], Weights]) -> Taps:
    """`weights` of the four cells around a place `t` of the way from the second to the third."""
    first, rows = [], []
    for phase in range(stride):
        source = (phase + 0.5) / stride - 0.5
        base = math.floor(source)
        first.append(int(base) - 1 + PAD)
        rows.append(weights(source - base))
    return Taps(stride, tuple(first), np.array(rows, np.float32))


def upsample(channel: "npt.NDArray[np.float32]", taps: Taps) -> "npt.NDArray[np.float32]":
    """A map (h, w) at full size (h * stride, w * stride); the border is clamped."""
    (height, width), stride = channel.shape, taps.stride
    if not channel.size:
        return np.zeros((height * stride, width * stride), np.float32)
    padded = np.pad(channel, PAD, mode="edge")
    wide = np.empty((height + 2 * PAD, width, stride), np.float32)
    for phase, first in enumerate(taps.first):
        w = taps.weights[phase]
        a, b, c, d = (padded[:, first + i:first + i + width] for i in range(4))
        wide[:, :, phase] = a * w[0] + b * w[1] + c * w[2] + d * w[3]
    rows = wide.reshape(height + 2 * PAD, width * stride)
    full = np.empty((height, stride, width * stride), np.float32)
    for phase, first in enumerate(taps.first):
        w = taps.weights[phase]
        a, b, c, d = (rows[first + i:first + i + height] for i in range(4))
        full[:, phase] = a * w[0] + b * w[1] + c * w[2] + d * w[3]
    return full.reshape(height * stride, width * stride)


def upsample_field(channel: "npt.NDArray[np.float32]", taps: Taps) -> "npt.NDArray[np.float32]":
    """As `upsample`, but rows first, then columns 0 + 2 and 1 + 3: the order in which vectors read single pixels."""
    (height, width), stride = channel.shape, taps.stride
    padded = np.pad(channel, PAD, mode="edge")
    tall = np.empty((height, stride, width + 2 * PAD), np.float32)
    for phase, first in enumerate(taps.first):
        w = taps.weights[phase]
        a, b, c, d = (padded[first + i:first + i + height] for i in range(4))
        tall[:, phase] = a * w[0] + b * w[1] + c * w[2] + d * w[3]
    columns = tall.reshape(height * stride, width + 2 * PAD)
    full = np.empty((height * stride, width, stride), np.float32)
    for phase, first in enumerate(taps.first):
        w = taps.weights[phase]
        a, b, c, d = (columns[:, first + i:first + i + width] for i in range(4))
        full[:, :, phase] = (a * w[0] + c * w[2]) + (b * w[1] + d * w[3])
    return full.reshape(height * stride, width * stride)


def sample_field(channel: "npt.NDArray[np.float32]", taps: Taps, xs: "npt.NDArray[np.int64]",
                 ys: "npt.NDArray[np.int64]") -> "npt.NDArray[np.float32]":
    """`upsample_field(channel, taps)[ys, xs]` without the pixels in between; the same bits."""
    padded = np.pad(channel, PAD, mode="edge")
    first = np.array(taps.first)
    left = xs // taps.stride + first[xs % taps.stride]
    top = ys // taps.stride + first[ys % taps.stride]
    wx, wy = taps.weights[xs % taps.stride], taps.weights[ys % taps.stride]

    def column(k: int) -> "npt.NDArray[np.float32]":
        a, b, c, d = (padded[top + i, left + k] for i in range(4))
        sums: "npt.NDArray[np.float32]" = a * wy[..., 0] + b * wy[..., 1] + c * wy[..., 2] + d * wy[..., 3]
        return sums * wx[..., k]
    values: "npt.NDArray[np.float32]" = (column(0) + column(2)) + (column(1) + column(3))
    return values
