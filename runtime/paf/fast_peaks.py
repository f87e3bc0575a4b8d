"""Keypoint candidates in the `fast` mode: maxima among the cells, refined by a parabola through their logarithms."""
from typing import TYPE_CHECKING, Tuple

import numpy as np

from wholebody.runtime.paf.options import PafOptions

if TYPE_CHECKING:
    import numpy.typing as npt

LEAST = np.float32(1e-6)  # what is smaller has no logarithm here
HALF = np.float32(0.5)
# A neighbour that comes earlier in scan order wins a tie.
EARLIER = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
LATER = ((0, 1), (1, -1), (1, 0), (1, 1))


def find_fast_peaks(channel: "npt.NDArray[np.float32]", stride: int, options: PafOptions) -> "npt.NDArray[np.float32]":
    """Peaks (n, 3) x, y, score of a map (h, w), in pixels of the network input, in scan order."""
    framed = np.full((channel.shape[0] + 2, channel.shape[1] + 2), -np.inf, np.float32)
    framed[1:-1, 1:-1] = channel
    ys, xs = np.nonzero(channel > np.float32(options.nms_threshold))
    value = channel[ys, xs]
    wins = np.ones(len(xs), np.bool_)
    for dy, dx in EARLIER:
        wins &= value > framed[ys + 1 + dy, xs + 1 + dx]
    for dy, dx in LATER:
        wins &= value >= framed[ys + 1 + dy, xs + 1 + dx]
    ys, xs = ys[wins][:options.max_peaks], xs[wins][:options.max_peaks]
    height = natural_log(channel[ys, xs])
    x, rise_x = _vertex(framed[ys + 1, xs], height, framed[ys + 1, xs + 2])
    y, rise_y = _vertex(framed[ys, xs + 1], height, framed[ys + 2, xs + 1])
    peaks = np.empty((len(xs), 3), np.float32)
    peaks[:, 0] = (xs.astype(np.float32) + x + HALF) * np.float32(stride)
    peaks[:, 1] = (ys.astype(np.float32) + y + HALF) * np.float32(stride)
    peaks[:, 2] = channel[ys, xs] * _exp_of_little(rise_x + rise_y)
    return peaks


def _vertex(before: "npt.NDArray[np.float32]", height: "npt.NDArray[np.float32]", after: "npt.NDArray[np.float32]",
            ) -> "Tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]":
    """Where the parabola through three logarithms has its vertex, from the middle one, and how much higher it is.

    0 at the edge of the map (where a neighbour is -inf) and where a logarithm is missing.
    """
    known = (before > LEAST) & (after > LEAST)
    left = natural_log(np.where(known, before, np.float32(1)))
    right = natural_log(np.where(known, after, np.float32(1)))
    bend = (left - height) + (right - height)
    known &= bend < 0
    place = HALF * (left - right) / np.where(known, bend, np.float32(-1))
    place = np.where(known, np.clip(place, -HALF, HALF), np.float32(0))
    rise = np.where(known, np.float32(0.25) * (right - left) * place, np.float32(0))
    return place, rise


def natural_log(values: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
    """Logarithms of positive normal floats to 1e-6, by float32 operations that every machine does alike."""
    bits = values.view(np.int32)
    # values = scale * 2^exponent with scale in [sqrt(1/2), sqrt(2)).
    exponent = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    scale = (bits - (exponent << np.int32(23))).view(np.float32)
    t = (scale - np.float32(1)) / (scale + np.float32(1))
    square = t * t
    series = ((square * np.float32(1 / 7) + np.float32(1 / 5)) * square + np.float32(1 / 3)) * square + np.float32(1)
    log: "npt.NDArray[np.float32]" = exponent.astype(np.float32) * np.float32(np.log(2)) + t * np.float32(2) * series
    return log


def _exp_of_little(x: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
    """The exponential of 0 to 0.5, to 3e-4."""
    third, half = np.float32(1 / 3), HALF
    most = ((x * np.float32(0.25) + np.float32(1)) * x * third + np.float32(1)) * x * half
    exp: "npt.NDArray[np.float32]" = (most + np.float32(1)) * x + np.float32(1)
    return exp
