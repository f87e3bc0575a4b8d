"""Who is the same person twice: similarity of keypoints (OKS), hard and soft."""
from typing import TYPE_CHECKING, List

import numpy as np

from wholebody.poses import Poses

if TYPE_CHECKING:
    import numpy.typing as npt

THRESHOLD = 0.9
SOFT_MOST = 20        # people that the soft version keeps
_SIGMA = 0.089        # of keypoints for which the set has none: the largest of COCO's but the hips
_TINY = 2.220446049250313e-16


def oks_nms(poses: Poses, threshold: float = THRESHOLD) -> "npt.NDArray[np.int64]":
    """Indices of the people who stay, best first: none is more like a better one than `threshold`."""
    order = np.argsort(-_known(poses), kind="stable")
    variances = _variances(poses)
    keep: List[int] = []
    while len(order):
        best, order = order[0], order[1:]
        keep.append(int(best))
        order = order[oks(poses, int(best), order, variances) <= threshold]
    return np.array(keep, np.int64)


def soft_oks_nms(poses: Poses, threshold: float = THRESHOLD, most: int = SOFT_MOST) -> "npt.NDArray[np.int64]":
    """Indices of at most `most` people, best first; who is like a better one counts for less."""
    order, scores = np.arange(len(poses)), _known(poses).astype(np.float64)
    variances = _variances(poses)
    keep: List[int] = []
    while len(order) and len(keep) < most:
        first = int(np.argmax(scores))
        best = int(order[first])
        order, scores = np.delete(order, first), np.delete(scores, first)
        keep.append(best)
        scores = scores * np.exp(-oks(poses, best, order, variances) ** 2 / threshold)
    return np.array(keep, np.int64)


def oks(poses: Poses, one: int, others: "npt.NDArray[np.int64]",
        variances: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """How alike (0 to 1) one person and others are; the area is the mean of their two boxes'."""
    points = poses.keypoints.astype(np.float64)
    area = (poses.boxes_xyxy[:, 2] - poses.boxes_xyxy[:, 0]).astype(np.float64) * (
        poses.boxes_xyxy[:, 3] - poses.boxes_xyxy[:, 1])
    squared = ((points[others] - points[one]) ** 2).sum(axis=2)
    size = (area[one] + area[others]) / 2 + _TINY
    return np.asarray(np.exp(-squared / variances / size[:, None] / 2).mean(axis=1), np.float64)


def _variances(poses: Poses) -> "npt.NDArray[np.float64]":
    sigmas = poses.skeleton.oks_sigmas or (_SIGMA,) * len(poses.skeleton.keypoints)
    return np.asarray((2 * np.array(sigmas)) ** 2, np.float64)


def _known(poses: Poses) -> "npt.NDArray[np.float32]":
    return np.where(np.isfinite(poses.person_scores), poses.person_scores, np.float32(-np.inf))
