"""Keypoint candidates: local maxima of one upsampled heat map, refined to sub-pixel."""
from typing import TYPE_CHECKING, Tuple

import numpy as np

from wholebody.runtime.paf.options import PafOptions

if TYPE_CHECKING:
    import numpy.typing as npt

REACH = 3               # the centroid's window is 7 x 7
OFFSET = np.float32(0.5)  # a pixel's centre, as OpenPose adds it at net resolution
NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def find_peaks(surface: "npt.NDArray[np.float32]", options: PafOptions) -> "npt.NDArray[np.float32]":
    """Peaks (n, 3) x, y, score of a map (H, W), in scan order, at most `max_peaks`."""
    xs, ys = local_maxima(surface, options)
    xs, ys = xs[:options.max_peaks], ys[:options.max_peaks]
    peaks = np.empty((len(xs), 3), np.float32)
    if len(xs):
        peaks[:, 0], peaks[:, 1] = centroids(surface, xs, ys)
        peaks[:, 2] = surface[ys, xs]
    return peaks


def local_maxima(surface: "npt.NDArray[np.float32]",
                 options: PafOptions) -> "Tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]":
    """Pixels (xs, ys) in scan order that are above the threshold and their eight neighbours.

    OpenPose's CPU build is strict inside only: on the ring one pixel from the edge it takes ties, and that
    ring runs through to the edge, so (1, 0) counts. Its CUDA build is strict and leaves out the edge itself.
    """
    (height, width), threshold = surface.shape, np.float32(options.nms_threshold)
    ys, xs = np.nonzero(surface > threshold)
    framed = np.full((height + 2, width + 2), threshold, np.float32)
    framed[1:-1, 1:-1] = surface
    highest = np.full(len(xs), threshold, np.float32)
    for dy, dx in NEIGHBOURS:
        np.maximum(highest, framed[ys + 1 + dy, xs + 1 + dx], out=highest)
    value = surface[ys, xs]
    if options.border == "cuda":
        chosen = _inside(xs, width, 1) & _inside(ys, height, 1) & (value > highest)
    else:
        inside = _inside(xs, width, 2) & _inside(ys, height, 2)
        ring = (xs == 1) | (xs == width - 2) | (ys == 1) | (ys == height - 2)
        chosen = (inside & (value > highest)) | (ring & (value >= highest))
    return xs[chosen], ys[chosen]


def centroids(surface: "npt.NDArray[np.float32]", xs: "npt.NDArray[np.int64]",
              ys: "npt.NDArray[np.int64]") -> "Tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]":
    """Sub-pixel x and y: the centroid of the positive values around each pixel, plus half a pixel.

    Summed in float32 in scan order: another order moves points by 1e-4 px, enough to swap people in a crowd.
    """
    height, width = surface.shape
    dy, dx = (d.ravel() for d in np.mgrid[-REACH:REACH + 1, -REACH:REACH + 1])
    x, y = xs[:, None] + dx, ys[:, None] + dy
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    value = surface[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    value = np.where(within & (value > 0), value, np.float32(0))
    total = _sum_in_order(value)
    return (_sum_in_order(x.astype(np.float32) * value) / total + OFFSET,
            _sum_in_order(y.astype(np.float32) * value) / total + OFFSET)


def _inside(positions: "npt.NDArray[np.int64]", size: int, margin: int) -> "npt.NDArray[np.bool_]":
    inside: "npt.NDArray[np.bool_]" = (positions >= margin) & (positions <= size - 1 - margin)
    return inside


def _sum_in_order(values: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
    # accumulate adds one after the other; sum() adds pairwise.
    totals: "npt.NDArray[np.float32]" = np.add.accumulate(values, axis=1)[:, -1]
    return totals
