"""How much boxes overlap."""
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def overlap_of(one: "npt.NDArray[Any]", other: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
    """Intersection over union (T, N) of boxes (T, 4) and (N, 4)."""
    low, high = np.maximum(one[:, None, :2], other[None, :, :2]), np.minimum(one[:, None, 2:], other[None, :, 2:])
    inside = np.prod(np.maximum(high - low, 0), axis=2)
    area_one, area_other = (np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1) for boxes in (one, other))
    return np.asarray(inside / np.maximum(area_one[:, None] + area_other[None] - inside, 1e-9))
