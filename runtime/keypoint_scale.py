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
    if scale in ("input", "output"):
        return points
    if scale == "net":
        scaled = points / np.float32(geometry.scale) + np.float32([geometry.left, geometry.top])
    else:
        span = np.float32([max(width - 1, 1), max(height - 1, 1)])
        scaled = points / span if scale == "unit" else 2 * points / span - 1
    return np.asarray(scaled, np.float32)
