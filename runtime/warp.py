"""Warps of our own: the same on every board, where cv2.warpAffine differs between its versions."""
from typing import TYPE_CHECKING, Tuple, Union

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_CUBIC = -0.75  # OpenCV's cubic kernel


def scale_from_origin(image: "npt.NDArray[np.uint8]", factor: float,
                      size: Tuple[int, int]) -> "npt.NDArray[np.uint8]":
    """Pixel p of the (H, W, 3) picture goes to p * factor, without half-pixel shift; size is (width, height).

    Bilinear when it shrinks, cubic when it grows, black outside: the way OpenPose fills its network input.
    """
    rows, row_weights = origin_taps(image.shape[0], size[1], factor)
    columns, column_weights = origin_taps(image.shape[1], size[0], factor)
    lines = _blend(image, rows, row_weights, axis=0)
    pixels = _blend(lines, columns, column_weights, axis=1)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def origin_taps(source: int, target: int,
                factor: float) -> "Tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]":
    """For each target position the source indices (taps, target) and weights; outside weighs nothing."""
    position = np.arange(target) / factor
    first = np.floor(position).astype(np.int64)
    t = position - first
    if factor > 1:
        indices = first + np.arange(-1, 3)[:, None]
        distance = np.abs(position - indices)
        near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance ** 2 + 1
        far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
        weights = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    else:
        indices = first + np.arange(2)[:, None]
        weights = np.stack([1 - t, t])
    inside = (indices >= 0) & (indices < source)
    return np.clip(indices, 0, source - 1), (weights * inside).astype(np.float32)


def _blend(image: "Union[npt.NDArray[np.float32], npt.NDArray[np.uint8]]", indices: "npt.NDArray[np.int64]",
           weights: "npt.NDArray[np.float32]", axis: int) -> "npt.NDArray[np.float32]":
    shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    total = image.take(indices[0], axis) * weights[0].reshape(shape)
    for taken, weight in zip(indices[1:], weights[1:]):
        total += image.take(taken, axis) * weight.reshape(shape)
    return np.asarray(total, np.float32)
