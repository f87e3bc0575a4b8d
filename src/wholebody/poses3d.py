"""Poses3D: people whose keypoints several cameras have placed in the world."""
from typing import TYPE_CHECKING

import numpy as np

from wholebody.errors import ShapeError
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt


class Poses3D:
    """N people of K keypoints each, in the cameras' world. A keypoint with score 0 was not found.

    >>> from wholebody.skeletons import get_skeleton
    >>> poses = Poses3D.empty(get_skeleton("COCO_17"), cameras=3)
    >>> len(poses), poses.keypoints.shape
    (0, (0, 17, 3))
    """

    __slots__ = ("keypoints", "scores", "errors", "people_in_views", "skeleton")

    def __init__(self, keypoints: "npt.NDArray[np.float32]", scores: "npt.NDArray[np.float32]",
                 errors: "npt.NDArray[np.float32]", people_in_views: "npt.NDArray[np.int64]",
                 skeleton: Skeleton) -> None:
        """keypoints (N, K, 3) metres, scores (N, K), errors (N, K) pixels, people_in_views (N, V) or -1."""
        people, points = len(keypoints), len(skeleton.keypoints)
        for name, array, shape in (("keypoints", keypoints, (people, points, 3)), ("scores", scores, (people, points)),
                                   ("errors", errors, (people, points))):
            if np.shape(array) != shape:
                raise ShapeError("%s: expected shape %s, got %s" % (name, shape, np.shape(array)))
        if np.ndim(people_in_views) != 2 or len(people_in_views) != people:
            raise ShapeError("people_in_views: expected shape (%d, cameras), got %s"
                             % (people, np.shape(people_in_views)))
        self.skeleton = skeleton
        self.keypoints = np.asarray(keypoints, np.float32)
        self.scores = np.asarray(scores, np.float32)
        self.errors = np.asarray(errors, np.float32)  # mean distance between seen and measured; 0 where not found
        self.people_in_views = np.asarray(people_in_views, np.int64)  # who it is among each camera's people

    @classmethod
    def empty(cls, skeleton: Skeleton, cameras: int) -> "Poses3D":
        """Nobody."""
        points = len(skeleton.keypoints)
        return cls(np.zeros((0, points, 3), np.float32), np.zeros((0, points), np.float32),
                   np.zeros((0, points), np.float32), np.zeros((0, cameras), np.int64), skeleton)

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        return "Poses3D(%d %s, %s)" % (len(self), "person" if len(self) == 1 else "people", self.skeleton.name)
