"""Rows of x, y, v as people that can be drawn."""
import numpy as np

from wholebody.poses import Poses
from wholebody.skeletons import Skeleton, get_skeleton, skeleton_from_dict


def poses_of(rows: list[list[float]], skeleton: str | Skeleton) -> Poses:
    """A point counts as found when its v is above 0.

    >>> poses_of([[1, 2, 2] + 16 * [0, 0, 0]], "COCO_17").scores.sum()
    np.float32(1.0)
    """
    named = get_skeleton(skeleton) if isinstance(skeleton, str) else skeleton
    points = np.array(rows, np.float32).reshape(len(rows), len(named.keypoints), 3)
    scores = (points[..., 2] > 0).astype(np.float32)
    return Poses(points[..., :2] * scores[..., None], scores, np.ones(len(points), np.float32), named)


def plain_skeleton(count: int) -> Skeleton:
    """Points without names, for sets that the package does not know."""
    return skeleton_from_dict({"name": f"POINTS_{count}", "keypoints": [f"point_{i}" for i in range(count)]})
