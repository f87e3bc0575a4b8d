"""How well the part-affinity field of a limb supports each pair of candidates, and the sorted connections."""
import math
from typing import TYPE_CHECKING, Any, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.runtime.paf.options import PafOptions
from wholebody.runtime.paf.upsample import Taps, sample_field, upsample_field

if TYPE_CHECKING:
    import numpy.typing as npt

EPSILON = np.float32(1e-6)
SAMPLES_MIN, SAMPLES_MAX = 5, 25
KEYPOINT_WEIGHT = np.float32(0.1)
PAIRS_AT_ONCE = 16384  # bounds the memory of crowded frames
CELLS_READ = 16        # per sample


class Connections(NamedTuple):
    """Accepted pairs of candidates, best first."""

    paf: "npt.NDArray[np.float32]"  # (n,)
    limb: "npt.NDArray[np.int64]"   # index into the skeleton's pairs
    a: "npt.NDArray[np.int64]"      # candidate index at the limb's start
    b: "npt.NDArray[np.int64]"      # and at its end


def score_limb(a: "npt.NDArray[np.float32]", b: "npt.NDArray[np.float32]",
               field: "Tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]",
               taps: Taps, options: PafOptions) -> "npt.NDArray[np.float32]":
    """Scores (nA, nB) of candidates (nA, 3), (nB, 3) over a limb's maps (x, y) of shape (h, w); 0 = no connection."""
    rows = max(1, PAIRS_AT_ONCE // len(b))
    return np.concatenate([_score(a[i:i + rows], b, field, taps, options) for i in range(0, len(a), rows)])


def _score(a: "npt.NDArray[np.float32]", b: "npt.NDArray[np.float32]",
           field: "Tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]",
           taps: Taps, options: PafOptions) -> "npt.NDArray[np.float32]":
    height, width = (size * taps.stride for size in field[0].shape)
    dx, dy = b[None, :, 0] - a[:, None, 0], b[None, :, 1] - a[:, None, 1]
    distance = np.sqrt(dx * dx + dy * dy)
    apart = distance > EPSILON
    unit = np.where(apart, distance, np.float32(1))
    count = np.sqrt(np.float32(5) * np.maximum(np.abs(dx), np.abs(dy)))
    count = np.clip((count + np.float32(0.5)).astype(np.int64), SAMPLES_MIN, SAMPLES_MAX)
    steps = np.arange(count.max(), dtype=np.float32)  # the end point is never sampled
    share = count.astype(np.float32)
    xs = _pixels(a[:, None, 0], dx / share, steps, width)
    ys = _pixels(a[:, None, 1], dy / share, steps, height)
    along_x, along_y = (_read(channel, taps, xs, ys) for channel in field)
    dot = (dx / unit)[..., None] * along_x + (dy / unit)[..., None] * along_y
    accepted = (dot > np.float32(options.paf_threshold)) & (steps < share[..., None])
    number = accepted.sum(axis=2).astype(np.float32)
    # OpenPose adds the samples one by one in float32, and so does accumulate.
    total = np.add.accumulate(np.where(accepted, dot, np.float32(0)), axis=2)[..., -1]
    supported = number / share > np.float32(options.paf_ratio)
    mean = total / np.maximum(number, np.float32(1))
    near = distance.astype(np.float64) < math.sqrt(width * height) / 150
    score = np.where(supported, mean, np.where(near, np.float32(options.nms_threshold + 1e-6), np.float32(0)))
    scores: "npt.NDArray[np.float32]" = np.where(apart, score, np.float32(0))
    return scores


def _pixels(start: "npt.NDArray[np.float32]", step: "npt.NDArray[np.float32]",
            steps: "npt.NDArray[np.float32]", size: int) -> "npt.NDArray[np.int64]":
    position = start[..., None] + steps * step[..., None]
    pixels: "npt.NDArray[np.int64]" = np.clip((position + np.float32(0.5)).astype(np.int64), 0, size - 1)
    return pixels


def _read(channel: "npt.NDArray[np.float32]", taps: Taps, xs: "npt.NDArray[np.int64]",
          ys: "npt.NDArray[np.int64]") -> "npt.NDArray[np.float32]":
    """The upsampled map at some pixels, by the cheaper of two ways to the same bits."""
    if xs.size * CELLS_READ < channel.size * taps.stride ** 2:
        return sample_field(channel, taps, xs, ys)
    return upsample_field(channel, taps)[ys, xs]


def connect(peaks: "Sequence[npt.NDArray[np.float32]]", pafs: "npt.NDArray[np.float32]",
            pairs: Sequence[Tuple[int, int]], channels: Sequence[Tuple[int, int]],
            taps: Taps, options: PafOptions) -> Connections:
    """All accepted connections of all limbs, sorted as OpenPose's CUDA path walks them."""
    columns: List[List["npt.NDArray[Any]"]] = [[] for _ in range(4)]
    for limb, ((start, end), (cx, cy)) in enumerate(zip(pairs, channels)):
        a, b = peaks[start], peaks[end]
        if not (len(a) and len(b)):
            continue
        scores = score_limb(a, b, (finite(pafs[cx]), finite(pafs[cy])), taps, options)
        i, k = np.nonzero(scores > EPSILON)
        found: List["npt.NDArray[Any]"] = [scores[i, k], np.full(len(i), limb), i, k]
        for column, values in zip(columns, found):
            column.append(values)
    if not columns[0]:
        none = np.zeros(0, np.int64)
        return Connections(np.zeros(0, np.float32), none, none, none)
    paf, limbs, i, k = (np.concatenate(column) for column in columns)
    return sort_connections(paf, limbs, i, k, peaks, pairs)


def sort_connections(paf: "npt.NDArray[np.float32]", limb: "npt.NDArray[np.int64]", a: "npt.NDArray[np.int64]",
                     b: "npt.NDArray[np.int64]", peaks: "Sequence[npt.NDArray[np.float32]]",
                     pairs: Sequence[Tuple[int, int]]) -> Connections:
    """Connections (n,) best first: descending by (paf + 0.1 of both keypoint scores, paf, limb, a, b)."""
    total = paf.copy()
    for number, (start, end) in enumerate(pairs):
        of = limb == number
        total[of] = paf[of] + KEYPOINT_WEIGHT * peaks[start][a[of], 2] + KEYPOINT_WEIGHT * peaks[end][b[of], 2]
    order = np.lexsort((-b, -a, -limb, -paf, -total))
    return Connections(paf[order], limb[order], a[order], b[order])


def finite(channel: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
    """A map whose values that are not finite, or beyond 1e9, count as 0: sums over it cannot overflow."""
    values = channel.astype(np.float32, copy=False)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) < np.float32(1e9), values, np.float32(0))
