"""Points of parts whose maps cover boxes that the network itself gives, as ZoomNet's face and hands."""
from typing import TYPE_CHECKING, Tuple

import numpy as np

from wholebody.runtime.topdown.flipping import Flip, unflipped_points

if TYPE_CHECKING:
    import numpy.typing as npt

    Points = npt.NDArray[np.float32]


def placed(found: "Points", boxes: "npt.NDArray[np.float32]", sides: Tuple[int, int]) -> "Points":
    """Cells (N, K, 3) of maps of (width, height) in boxes (N, 4), which end at pixels' edges -> pixels of the input.

    >>> placed(np.float32([[[0, 3, 1]]]), np.float32([[8, 0, 16, 4]]), (4, 4)).tolist()
    [[[8.5, 3.0, 1.0]]]
    """
    known = np.isfinite(boxes)
    good = known.all(axis=1, keepdims=True) & (found[..., 2] > 0)
    boxes = np.where(known, boxes, np.float32(0))
    cell = (boxes[:, 2:] - boxes[:, :2]) / np.array(sides, np.float32)
    places = boxes[:, None, :2] + (found[..., :2] + np.float32(0.5)) * cell[:, None] - np.float32(0.5)
    return np.asarray(np.concatenate([places, found[..., 2:]], axis=2) * good[..., None], np.float32)


def unmirrored(points: "Points", flip: Flip, last: float) -> "Points":
    """Points (N, K, 3) of mirrored people as points of the people; `last` is where the last column of pixels lies."""
    turned = np.array(unflipped_points(points, flip), np.float32)
    turned[..., 0] = np.where(turned[..., 2] > 0, np.float32(last) - turned[..., 0], 0)
    return turned


def mean_of_found(one: "Points", other: "Points") -> "Points":
    """Of two answers (N, K, 3) their mean, or the one that there is."""
    weights = [np.asarray(points[..., 2:] > 0, np.float32) for points in (one, other)]
    total = np.maximum(weights[0] + weights[1], 1)
    return np.asarray((one * weights[0] + other * weights[1]) / total, np.float32)
