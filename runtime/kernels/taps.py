"""Which pixels of a picture make a pixel of the network's input, and how much of each: along one axis."""
from typing import TYPE_CHECKING, Any, NamedTuple, Tuple

import numpy as np

from wholebody.runtime.geometry import Geometry, openpose_scale
from wholebody.runtime.warp import origin_taps

if TYPE_CHECKING:
    import numpy.typing as npt


class AxisTaps(NamedTuple):
    """Of one axis: output i is the sum of weights[i, k] * pixel[first[i] + k]; pixels outside repeat the edge."""

    first: "npt.NDArray[np.int32]"       # (n,)
    weights: "npt.NDArray[np.float32]"   # (n, taps)


def picture_taps(width: int, height: int, geometry: Geometry, how: str) -> Tuple[AxisTaps, AxisTaps]:
    """Rows and columns for a picture of this size, as runtime/preprocess.py resizes it on the CPU."""
    covered = (geometry.resized_width, geometry.resized_height)
    if covered == (width, height):
        return copy_taps(height), copy_taps(width)
    if how == "openpose":
        factor = openpose_scale((width, height), (geometry.net_width, geometry.net_height))
        return _from_origin(height, covered[1], factor), _from_origin(width, covered[0], factor)
    if covered[0] >= width and covered[1] >= height:
        return linear_taps(height, covered[1]), linear_taps(width, covered[0])
    if covered[0] <= width and covered[1] <= height:
        return area_taps(height, covered[1]), area_taps(width, covered[0])
    # One side grows and the other shrinks: cv2's INTER_AREA takes two pixels then, both ways.
    return narrow_taps(height, covered[1]), narrow_taps(width, covered[0])


def copy_taps(size: int) -> AxisTaps:
    """Every pixel is itself."""
    return AxisTaps(np.arange(size, dtype=np.int32), np.ones((size, 1), np.float32))


def linear_taps(source: int, target: int) -> AxisTaps:
    """cv2.INTER_LINEAR.

    >>> linear_taps(2, 4).weights.tolist()
    [[0.25, 0.75], [0.75, 0.25], [0.25, 0.75], [0.75, 0.25]]
    """
    position = (np.arange(target) + 0.5) * (source / target) - 0.5
    base = np.floor(position)
    return _two(base, position - base)


def narrow_taps(source: int, target: int) -> AxisTaps:
    """cv2.INTER_AREA where the other side grows: no area, but a step that is blurred over one pixel."""
    scale, out = source / target, np.arange(target)
    base = np.floor(out * scale)
    t = (out + 1) - (base + 1) / scale
    return _two(base, np.where(t <= 0, 0, t - np.floor(t)))


def area_taps(source: int, target: int) -> AxisTaps:
    """cv2.INTER_AREA for what shrinks: each pixel counts by its share of the output's area.

    >>> area_taps(3, 2)
    AxisTaps(first=array([0, 1], dtype=int32), weights=array([[0.6666667 , 0.33333334],
           [0.33333334, 0.6666667 ]], dtype=float32))
    """
    scale = source / target
    left = np.arange(target) * scale
    right = np.minimum(left + scale, source)
    first = np.floor(left + 1e-6)
    taps = int((np.ceil(right - 1e-6) - first).max())
    pixel = first[:, None] + np.arange(taps)
    overlap = np.minimum(pixel + 1, right[:, None]) - np.maximum(pixel, left[:, None])
    weights = np.maximum(overlap, 0)
    return AxisTaps(first.astype(np.int32), (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def resample(image: "npt.NDArray[np.uint8]", rows: AxisTaps, columns: AxisTaps) -> "npt.NDArray[np.uint8]":
    """The NumPy twin of the kernel: a picture (H, W, 3) through its taps, rounded to whole grey levels."""
    total: Any = 0
    for k in range(columns.weights.shape[1]):
        taken = image.take(np.clip(columns.first + k, 0, image.shape[1] - 1), axis=1)
        sums: Any = np.float32(0)
        for i in range(rows.weights.shape[1]):
            lines = taken.take(np.clip(rows.first + i, 0, image.shape[0] - 1), axis=0)
            sums = sums + lines.astype(np.float32) * rows.weights[:, i, None, None]
        total = total + sums * columns.weights[:, k, None]
    return _grey_levels(total)


def crop(image: "npt.NDArray[np.uint8]", matrix: "npt.NDArray[np.float32]",
         size: Tuple[int, int]) -> "npt.NDArray[np.uint8]":
    """The twin of the kernel's crops: output pixel (x, y) is the picture at matrix (2, 3) * (x, y, 1), bilinear.

    Outside the picture it is black; `size` is (width, height).
    """
    m = np.asarray(matrix, np.float32)
    y, x = (axis.astype(np.float32) for axis in np.mgrid[:size[1], :size[0]])
    column, column_weights = _bilinear(m[0, 0] * x + m[0, 1] * y + m[0, 2], image.shape[1])
    row, row_weights = _bilinear(m[1, 0] * x + m[1, 1] * y + m[1, 2], image.shape[0])
    total: Any = np.float32(0)
    for k in range(2):
        xs, sums = np.clip(column + k, 0, image.shape[1] - 1), np.float32(0)
        for i in range(2):
            ys = np.clip(row + i, 0, image.shape[0] - 1)
            sums = sums + image[ys, xs].astype(np.float32) * row_weights[i][..., None]
        total = total + sums * column_weights[k][..., None]
    return _grey_levels(total)


def _grey_levels(values: Any) -> "npt.NDArray[np.uint8]":
    levels: "npt.NDArray[np.uint8]" = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def _bilinear(position: "npt.NDArray[np.float32]", size: int) -> Tuple[Any, Any]:
    inside = (position > -1) & (position < size)
    position = np.where(inside, position, np.float32(0))
    base = np.floor(position)
    t, first = position - base, base.astype(np.int64)
    weights = [np.where(inside & (first >= 0), np.float32(1) - t, np.float32(0)),
               np.where(inside & (first + 1 < size), t, np.float32(0))]
    return first, weights


def _two(base: "npt.NDArray[np.float64]", t: "npt.NDArray[np.float64]") -> AxisTaps:
    return AxisTaps(base.astype(np.int32), np.stack([1 - t, t], axis=1).astype(np.float32))


def _from_origin(source: int, target: int, factor: float) -> AxisTaps:
    """What runtime/warp.py does; what it reads outside the picture weighs nothing there."""
    _, weights = origin_taps(source, target, factor)
    first = np.floor(np.arange(target) / factor).astype(np.int32) - np.int32(1 if factor > 1 else 0)
    return AxisTaps(first, np.ascontiguousarray(weights.T))
