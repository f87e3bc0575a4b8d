"""The coordinates results are written in: OpenPose's --keypoint_scale."""
from typing import TYPE_CHECKING

import numpy as np

from wholebody.runtime.geometry import Geometry

if TYPE_CHECKING:
    import numpy.typing as npt

SCALES = ("input", "net", "output", "unit", "centred")  # OpenPose's 0 to 4


def scale_keypoints(points: "npt.NDArray[np.float32]", scale: str, width: int, height: int,
                    geometry: Geometry) -> "npt.NDArray[np.float32]":
    """Frame pixels (..., 2) -> the chosen coordinates; keypoints not found (0, 0) are scaled as well.

    "output" equals "input": results are always of the frame's own size.
    """
    if scale not in SCALES:
        raise ValueError("unknown keypoint scale %r; known: %s" % (scale, ", ".join(SCALES)))
    if scale in ("input", "output"):
        return points
    if scale == "net":
        moved = points / np.asarray(geometry.scale, np.float32) + np.asarray([geometry.left, geometry.top], np.float32)
        return np.asarray(moved, np.float32)
    unit = points / np.asarray([max(width - 1, 1), max(height - 1, 1)], np.float32)
    return np.asarray(unit if scale == "unit" else 2 * unit - 1, np.float32)
