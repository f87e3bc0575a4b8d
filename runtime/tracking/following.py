"""The ways of following people, and what each needs."""
import abc
from typing import TYPE_CHECKING, Any, Dict, Optional

import numpy as np

from wholebody.poses import Poses
from wholebody.runtime.tracking.identity_matching import IdentityMatcher
from wholebody.runtime.tracking.one_euro import OneEuro, Smoothing
from wholebody.runtime.tracking.options import TrackOptions
from wholebody.runtime.tracking.pose_flow import PoseFlow
from wholebody.runtime.tracking.tracker import NOBODY, Tracker
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]

_FORGOTTEN = 2.0  # seconds after which somebody's smoothed keypoints are of no use


class Follower(abc.ABC):
    """People of one source, in the order of its frames."""

    @abc.abstractmethod
    def update(self, poses: Poses, now: float, image: "Image") -> Poses:
        """The people of the next frame, taken at `now` (seconds), with their numbers."""


def follower(skeleton: Skeleton, options: TrackOptions) -> Follower:
    """The way that the options name."""
    if options.way == "alphapose":
        return _ByLooks(skeleton, options)
    if options.way == "poseflow":
        return _ByFlow(skeleton, options)
    return _ByPose(skeleton, options)


class _ByPose(Follower):
    """Ours: OKS and boxes; smooths by itself."""

    def __init__(self, skeleton: Skeleton, options: TrackOptions) -> None:
        self._tracker = Tracker(skeleton, options)

    def update(self, poses: Poses, now: float, image: "Image") -> Poses:  # noqa: ARG002 - poses say it all
        """Without a look at the picture."""
        return self._tracker.update(poses, now)


class _ByLooks(Follower):
    """AlphaPose's stages, with the looks that the options bring."""

    def __init__(self, skeleton: Skeleton, options: TrackOptions) -> None:
        self._appearance, matching = options.appearance, options.matching
        if matching.look is None and self._appearance is not None:
            matching = matching._replace(look=self._appearance.most)
        self._matcher = IdentityMatcher(len(skeleton.keypoints), matching)
        self._smooth = _SmoothById(len(skeleton.keypoints), options.smoothing) if options.smooth else None

    def update(self, poses: Poses, now: float, image: "Image") -> Poses:
        """Looks at everybody where a way of looking was given."""
        features = None if self._appearance is None else self._appearance.describe(image, poses)
        return _told(poses, self._matcher.update(poses, now, features), self._smooth, now)


class _ByFlow(Follower):
    """PoseFlow: features that move from frame to frame."""

    def __init__(self, skeleton: Skeleton, options: TrackOptions) -> None:
        self._flow = PoseFlow()
        self._smooth = _SmoothById(len(skeleton.keypoints), options.smoothing) if options.smooth else None

    def update(self, poses: Poses, now: float, image: "Image") -> Poses:
        """Looks for corners of the picture."""
        return _told(poses, self._flow.update(poses, image), self._smooth, now)


def _told(poses: Poses, ids: "npt.NDArray[np.int64]", smooth: "Optional[_SmoothById]", now: float) -> Poses:
    keypoints = poses.keypoints if smooth is None else smooth(ids, poses, now)
    return Poses(keypoints, poses.scores, poses.person_scores, poses.skeleton, poses.boxes_xyxy, ids)


class _SmoothById:
    """One-Euro filters that go with numbers."""

    def __init__(self, points: int, smoothing: Smoothing) -> None:
        self._filter = OneEuro(points, smoothing)
        self._rows: Dict[int, int] = {}
        self._seen: "npt.NDArray[Any]" = np.zeros(0)

    def __call__(self, ids: "npt.NDArray[np.int64]", poses: Poses, now: float) -> "npt.NDArray[np.float32]":
        """Keypoints (N, K, 2) of the people with these numbers; who has none stays as found."""
        self._forget(now)
        known = np.nonzero(ids != NOBODY)[0]
        new = [number for number in ids[known].tolist() if number not in self._rows]
        first = len(self._rows)
        self._rows.update((number, first + place) for place, number in enumerate(new))
        self._filter.add(len(new))
        self._seen = np.concatenate([self._seen, np.full(len(new), now)])
        rows = np.array([self._rows[number] for number in ids[known].tolist()], np.int64)
        self._seen[rows] = now
        keypoints = poses.keypoints.copy()
        heights = poses.boxes_xyxy[:, 3] - poses.boxes_xyxy[:, 1]
        keypoints[known] = self._filter(rows, poses.keypoints[known], poses.scores[known] > 0, heights[known], now)
        return np.asarray(keypoints)

    def _forget(self, now: float) -> None:
        stays = now - self._seen <= _FORGOTTEN
        if not stays.all():
            self._filter.keep(stays)
            self._seen = self._seen[stays]
            kept = [number for number, row in sorted(self._rows.items(), key=lambda item: item[1]) if stays[row]]
            self._rows = {number: row for row, number in enumerate(kept)}
