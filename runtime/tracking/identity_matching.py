"""AlphaPose's way of following people: appearance first, then place and pose, in stages."""
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import numpy as np

from wholebody.poses import Poses
from wholebody.runtime.tracking.appearance import Appearance
from wholebody.runtime.tracking.assignment import best_pairs
from wholebody.runtime.tracking.box_filter import BoxFilter, measured_of
from wholebody.runtime.tracking.overlap import overlap_of

if TYPE_CHECKING:
    import numpy.typing as npt

_GATE = 9.4877      # chi squared of four values, 95 %: a box further from where a track should be is not its own
_FUSED = 0.98       # weight of appearance beside the squared distance
_SMOOTH = 0.9       # weight of what a track looked like before
_TWICE = 0.15       # distance of the boxes of two tracks that are one
_NEAR = 0.1         # of a box: keypoints so far apart are alike by a third


class MatchOptions(NamedTuple):
    """The paper's and the released code's numbers."""

    look: Optional[float] = None  # stage one: the most that two may differ in looks; None is what is usual for them,
    place: float = 0.5        # stage two: in place and pose,
    again: float = 0.7        # stage three: in place, of those seen once
    pose_weight: float = 0.2  # of poses beside boxes; the paper names no value, the released code has no such term
    remembered: float = 8.0   # seconds that somebody who is not seen is looked for
    born: float = 0.1         # score of somebody new


class IdentityMatcher:
    """People of one source, in the order of its frames; without looks (`features`) stages two and three do it all."""

    def __init__(self, keypoints: int, options: MatchOptions = MatchOptions()) -> None:
        self.options = options
        self._filter = BoxFilter()
        self._ids: "npt.NDArray[Any]" = np.zeros(0, np.int64)
        self._confirmed: "npt.NDArray[Any]" = np.zeros(0, bool)
        self._lost: "npt.NDArray[Any]" = np.zeros(0, bool)
        self._began: "npt.NDArray[Any]" = np.zeros(0, np.int64)  # frame
        self._until: "npt.NDArray[Any]" = np.zeros(0, np.int64)  # frame when last seen
        self._seen: "npt.NDArray[Any]" = np.zeros(0)             # seconds, the same
        self._shape: "npt.NDArray[Any]" = np.zeros((0, keypoints, 2))  # of the last pose, in its box
        self._scores: "npt.NDArray[Any]" = np.zeros((0, keypoints))
        self._looks: "npt.NDArray[Any]" = np.zeros((0, 0), np.float32)
        self._next, self._frame = 0, 0

    def update(self, poses: Poses, now: float,
               features: "Optional[npt.NDArray[np.float32]]" = None) -> "npt.NDArray[np.int64]":
        """The number of each person (N,) of the frame taken at `now`; features (N, D) have length one."""
        self._frame += 1
        if features is not None and self._looks.shape[1] != features.shape[1]:
            self._looks = np.zeros((len(self._ids), features.shape[1]), np.float32)
        measured = measured_of(poses.boxes_xyxy)
        if len(self._ids):
            self._filter.predict(self._lost)
        owner = np.full(len(poses), -1)
        self._stages(owner, poses, measured, features)
        lost = ~np.isin(np.arange(len(self._ids)), owner)
        gone = lost & ~self._confirmed
        self._lost = lost
        matched = np.nonzero(owner >= 0)[0]
        self._correct(owner[matched], poses[matched], measured[matched],
                      None if features is None else features[matched], now)
        new = np.nonzero((owner < 0) & (poses.person_scores >= self.options.born))[0]
        owner[new] = len(self._ids) + np.arange(len(new))
        self._add(poses[new], measured[new], None if features is None else features[new], now)
        told = np.where(owner >= 0, self._ids[owner], -1) if len(self._ids) else owner
        self._forget(np.concatenate([gone, np.zeros(len(new), bool)]), now)
        return told

    def _stages(self, owner: "npt.NDArray[np.int64]", poses: Poses, measured: "npt.NDArray[Any]",
                features: "Optional[npt.NDArray[np.float32]]") -> None:
        """Fills the track of each person; who has none stays at -1."""
        options = self.options
        if features is not None and len(self._ids):
            self._match(owner, self._confirmed, self._look_costs(measured, features),
                        Appearance.most if options.look is None else options.look)
        overlap = overlap_of(self._filter.boxes, poses.boxes_xyxy)
        # Looks bring lost people back; without them their place must.
        tracked = self._confirmed & (~self._lost if features is not None else True)
        costs = 1 - overlap + options.pose_weight * self._pose_distance(poses)
        self._match(owner, tracked, costs, options.place)
        self._match(owner, ~self._confirmed, 1 - overlap, options.again)

    def _match(self, owner: "npt.NDArray[np.int64]", tracks: "npt.NDArray[np.bool_]", costs: "npt.NDArray[Any]",
               most: float) -> None:
        """The cheapest pairs of these tracks and of people without one; leaving two alone costs `most`."""
        rows = np.nonzero(tracks & ~np.isin(np.arange(len(tracks)), owner))[0]
        columns = np.nonzero(owner < 0)[0]
        if rows.size and columns.size:
            worth = (most - costs[np.ix_(rows, columns)]).astype(np.float32)
            for row, column in best_pairs(worth, 0.0):
                owner[columns[column]] = rows[row]

    def _look_costs(self, measured: "npt.NDArray[Any]", features: "npt.NDArray[np.float32]") -> "npt.NDArray[Any]":
        """How different people look, and, a little, how far off they are (T, N); infinite beyond the gate."""
        looks = np.maximum(0.0, 1 - self._looks.astype(np.float64) @ features.T.astype(np.float64))
        away = self._filter.gate(measured)
        return np.where(away > _GATE, np.inf, _FUSED * looks + (1 - _FUSED) * away)

    def _pose_distance(self, poses: Poses) -> "npt.NDArray[Any]":
        """(T, N): 0 for the same pose in its box, 1 for one with no keypoint alike; 1 where none is common."""
        shape = _in_box(poses)
        apart = np.sqrt(((self._shape[:, None] - shape[None]) ** 2).sum(axis=3))
        both = (self._scores[:, None] > 0) & (poses.scores[None] > 0)
        alike = np.where(both, np.exp(-apart / _NEAR), 0).sum(axis=2) / np.maximum(both.sum(axis=2), 1)
        return np.asarray(1 - alike)

    def _correct(self, tracks: "npt.NDArray[np.int64]", poses: Poses, measured: "npt.NDArray[Any]",
                 features: "Optional[npt.NDArray[np.float32]]", now: float) -> None:
        self._filter.correct(tracks, measured)
        self._confirmed[tracks] = True
        self._seen[tracks], self._until[tracks] = now, self._frame
        self._shape[tracks], self._scores[tracks] = _in_box(poses), poses.scores
        if features is not None:
            mixed = _SMOOTH * self._looks[tracks] + (1 - _SMOOTH) * features
            self._looks[tracks] = mixed / np.maximum(np.sqrt((mixed ** 2).sum(axis=1, keepdims=True)), 1e-12)

    def _add(self, poses: Poses, measured: "npt.NDArray[Any]", features: "Optional[npt.NDArray[np.float32]]",
             now: float) -> None:
        count = len(poses)
        looks = np.zeros((count, self._looks.shape[1]), np.float32) if features is None else features
        self._filter.add(measured)
        for name, more in (("_ids", self._next + np.arange(count)), ("_confirmed", np.zeros(count, bool)),
                           ("_lost", np.zeros(count, bool)), ("_began", np.full(count, self._frame)),
                           ("_until", np.full(count, self._frame)), ("_seen", np.full(count, now)),
                           ("_shape", _in_box(poses)), ("_scores", poses.scores), ("_looks", looks)):
            setattr(self, name, np.concatenate([getattr(self, name), more]))
        self._next += count

    def _forget(self, gone: "npt.NDArray[np.bool_]", now: float) -> None:
        """Who was seen once and not again, who was lost for too long, and one of two tracks of the same person."""
        gone = gone | (self._lost & (now - self._seen > self.options.remembered))
        tracked, lost = np.nonzero(~self._lost & ~gone)[0], np.nonzero(self._lost & ~gone)[0]
        if tracked.size and lost.size:
            boxes = self._filter.boxes
            for row, column in zip(*np.nonzero(1 - overlap_of(boxes[tracked], boxes[lost]) < _TWICE)):
                one, other = tracked[row], lost[column]
                older = self._age(one) > self._age(other)
                gone[other if older else one] = True
        if gone.any():
            self._filter.keep(~gone)
            for name in ("_ids", "_confirmed", "_lost", "_began", "_until", "_seen", "_shape", "_scores", "_looks"):
                setattr(self, name, getattr(self, name)[~gone])

    def _age(self, track: int) -> int:
        return int(self._until[track] - self._began[track])


def _in_box(poses: Poses) -> "npt.NDArray[Any]":
    """Keypoints (N, K, 2) from their box's corner, in its sides: boxes of any size are alike."""
    boxes = poses.boxes_xyxy
    sides = np.maximum(boxes[:, None, 2:] - boxes[:, None, :2], 1.0)
    return np.asarray((poses.keypoints - boxes[:, None, :2]) / sides, np.float64)
