"""Tracker: the same number for the same person, frame after frame."""
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

import numpy as np

from wholebody.poses import Poses
from wholebody.runtime.tracking.assignment import best_pairs
from wholebody.runtime.tracking.motion import Motion, measured_of
from wholebody.runtime.tracking.one_euro import OneEuro
from wholebody.runtime.tracking.options import TrackOptions
from wholebody.runtime.tracking.overlap import overlap_of
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

NOBODY = -1            # the id of somebody who was seen once
_LOOSER = 2.0          # times COCO's sigmas: people move between frames
_USUAL_SIGMA = 0.08    # of keypoints whose spread nobody has measured
_HALVES = 0.5          # of a similarity, where hardly a keypoint of a person is seen
_IN_COMMON = 3         # keypoints seen both times, below which boxes decide
# In sizes of a person: how far off a place may be at once, and by how much more for every second that it is guessed.
_STEP, _PACE = 0.6, 1.5
_KNOWN = np.float32(0.2)  # is added to the similarity with somebody who has a number
_RECENT = 0.3          # weight of the last score in a person's average
_SIZES = 2.5           # times that somebody may look larger or smaller than just before


class Tracker:
    """People of one source, in the order of its frames; numbers count from 0 and are never used again."""

    def __init__(self, skeleton: Skeleton, options: TrackOptions = TrackOptions()) -> None:
        self.options = options
        sigmas = skeleton.oks_sigmas or (_USUAL_SIGMA,) * len(skeleton.keypoints)
        self._variances = (_LOOSER * 2 * np.maximum(np.array(sigmas, np.float32), 0.02)) ** 2
        self._motion = Motion()
        self._filter = OneEuro(len(skeleton.keypoints), options.smoothing)
        points = len(skeleton.keypoints)
        self._ids: "npt.NDArray[Any]" = np.zeros(0, np.int64)
        self._hits: "npt.NDArray[Any]" = np.zeros(0, np.int64)
        self._seen: "npt.NDArray[Any]" = np.zeros(0)
        self._level: "npt.NDArray[Any]" = np.zeros(0)  # of a person's scores, the last ones most
        self._keypoints: "npt.NDArray[Any]" = np.zeros((0, points, 2))  # when last seen, from the centre, in heights
        self._scores: "npt.NDArray[Any]" = np.zeros((0, points), np.float32)
        self._next, self._now = 0, 0.0

    def update(self, poses: Poses, now: float) -> Poses:
        """The people of the next frame, taken at `now` (seconds), with their numbers."""
        self._forget(now)
        if len(self._ids):
            self._motion.predict(np.full(len(self._ids), max(0.0, now - self._now)), self._seen < self._now)
        self._now = now
        measured = measured_of(poses.boxes_xyxy)
        pairs = self._pairs(poses, measured) if len(poses) and len(self._ids) else []
        tracks = np.array([track for track, _ in pairs], np.int64)
        people = np.array([person for _, person in pairs], np.int64)
        if len(tracks):
            measured[people] = self._moved(tracks, poses[people], measured[people])
            self._motion.correct(tracks, measured[people])
        new = np.setdiff1d(np.arange(len(poses)), people)
        first = len(self._ids)
        self._add(measured[new])
        owner = np.zeros(len(poses), np.int64)
        owner[people], owner[new] = tracks, np.arange(first, first + len(new))
        self._see(owner, poses, measured, now)
        return self._told(owner, poses, measured, now)

    def _pairs(self, poses: Poses, measured: "npt.NDArray[Any]") -> List[Tuple[int, int]]:
        """Who is whom: by pose, and for those who are left and have a number, by how far they may have come."""
        alike = self._similarity(poses, measured)
        known = (self._ids != NOBODY)[:, None] & (alike >= self.options.least)
        pairs = best_pairs(alike + _KNOWN * known, self.options.least)
        near = self._nearness(measured)
        near[[track for track, _ in pairs]] = -1
        near[:, [person for _, person in pairs]] = -1
        near[self._ids == NOBODY] = -1
        near[:, poses.person_scores < self.options.born] = -1  # a fragment anywhere is not somebody who is back
        return pairs + best_pairs(near, 0.0)

    def _nearness(self, measured: "npt.NDArray[Any]") -> "npt.NDArray[np.float32]":
        """(T, N): 1 where somebody should be, 0 as far as they can have come since they were seen, below 0 further."""
        place = self._motion.place
        size = np.maximum(place[:, 2], 1)
        far = np.sqrt(((place[:, None, :2] - measured[None, :, :2]) ** 2).sum(axis=2)) / size[:, None]
        reach = _STEP + _PACE * (self._now - self._seen)
        ratio = measured[None, :, 2] / size[:, None]
        alike = (ratio > 1 / _SIZES) & (ratio < _SIZES)
        return np.where(alike, 1 - far / reach[:, None], -1).astype(np.float32)

    def _similarity(self, poses: Poses, measured: "npt.NDArray[Any]") -> "npt.NDArray[np.float32]":
        """(T, N): OKS of each pose and where each person should be; of too few keypoints, the boxes' overlap."""
        place = self._motion.place
        should = place[:, None, :2] + self._keypoints * np.maximum(place[:, 2], 1)[:, None, None]
        both = (self._scores > 0)[:, None] & (poses.scores > 0)[None]
        size = np.maximum(place[:, 2], 1)[:, None] * np.maximum(measured[:, 2], 1)[None]
        squared = ((should[:, None] - poses.keypoints[None]) ** 2).sum(axis=3)
        # COCO's area is of the person; that of the box is about twice as large.
        near = np.exp(-squared / (2 * self._variances * 0.5 * size[..., None]))
        common = both.sum(axis=2)
        oks = (near * both).sum(axis=2) / np.maximum(common, 1)
        # Half a person that fits well is less than a whole one that fits a little worse.
        oks = oks * (_HALVES + (1 - _HALVES) * common / np.maximum((self._scores > 0).sum(axis=1), 1)[:, None])
        return np.where(common >= _IN_COMMON, oks, self._overlap(measured)).astype(np.float32)

    def _overlap(self, other: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
        """Intersection over union of squares of everybody's size."""
        squares = (np.concatenate([place[:, :2] - place[:, 2:] / 2, place[:, :2] + place[:, 2:] / 2], axis=1)
                   for place in (self._motion.place, other))
        return overlap_of(*squares)

    def _moved(self, tracks: "npt.NDArray[Any]", poses: Poses, measured: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
        """Where these people are, by the keypoints that were seen before as well: boxes jump when legs are hidden."""
        place = self._motion.place[tracks]
        common = ((self._scores[tracks] > 0) & (poses.scores > 0))[..., None]
        count = np.maximum(common.sum(axis=1), 1)
        should = self._keypoints[tracks] * np.maximum(place[:, 2], 1)[:, None, None]
        mean_should, mean_is = ((common * points).sum(axis=1) / count for points in (should, poses.keypoints))
        spread_should, spread_is = (np.sqrt((common * (points - mean[:, None]) ** 2).sum(axis=(1, 2)) / count[:, 0])
                                    for points, mean in ((should, mean_should), (poses.keypoints, mean_is)))
        grown = np.clip(spread_is / np.maximum(spread_should, 1e-6), 0.8, 1.25)
        by_points = np.concatenate([mean_is - mean_should * grown[:, None], (place[:, 2] * grown)[:, None]], axis=1)
        return np.where(count >= _IN_COMMON, by_points, measured)

    def _add(self, measured: "npt.NDArray[Any]") -> None:
        count = len(measured)
        self._motion.add(measured)
        self._filter.add(count)
        self._ids = np.concatenate([self._ids, np.full(count, NOBODY)])
        self._hits = np.concatenate([self._hits, np.zeros(count, np.int64)])
        self._seen = np.concatenate([self._seen, np.zeros(count)])
        self._level = np.concatenate([self._level, np.zeros(count)])
        self._keypoints = np.concatenate([self._keypoints, np.zeros((count,) + self._keypoints.shape[1:])])
        self._scores = np.concatenate([self._scores, np.zeros((count,) + self._scores.shape[1:], np.float32)])

    def _see(self, owner: "npt.NDArray[Any]", poses: Poses, measured: "npt.NDArray[Any]", now: float) -> None:
        self._hits[owner] += 1
        self._seen[owner] = now
        found = poses.scores > 0
        shape = (poses.keypoints - measured[:, None, :2]) / np.maximum(measured[:, 2], 1)[:, None, None]
        # A keypoint that is hidden now stays where it was on the body.
        self._keypoints[owner] = np.where(found[..., None], shape, self._keypoints[owner])
        self._scores[owner] = np.where(found, poses.scores, self._scores[owner])
        self._level[owner] += np.where(self._hits[owner] > 1, _RECENT, 1) * (poses.person_scores - self._level[owner])
        known = (self._hits[owner] >= self.options.hits) & (self._level[owner] >= self.options.born)
        for track in owner[known & (self._ids[owner] == NOBODY)]:
            self._ids[track] = self._next
            self._next += 1

    def _told(self, owner: "npt.NDArray[Any]", poses: Poses, measured: "npt.NDArray[Any]", now: float) -> Poses:
        keypoints = poses.keypoints
        if self.options.smooth:
            keypoints = self._filter(owner, keypoints, poses.scores > 0, measured[:, 2], now)
        ids: Optional[Any] = self._ids[owner] if self.options.ids else poses.ids
        return Poses(keypoints, poses.scores, poses.person_scores, poses.skeleton, poses.boxes_xyxy, ids)

    def _forget(self, now: float) -> None:
        """Who was not seen for too long; who was seen only once, a few frames on."""
        waited = now - self._seen
        stays = waited <= np.where(self._ids == NOBODY, self.options.remembered / 4, self.options.remembered)
        if stays.all():
            return
        self._motion.keep(stays)
        self._filter.keep(stays)
        for name in ("_ids", "_hits", "_seen", "_level", "_keypoints", "_scores"):
            setattr(self, name, getattr(self, name)[stays])

