"""PoseFlow: people who share corners of the picture, boxes and joints with somebody of the frames before."""
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple

import numpy as np

from wholebody.packages import require
from wholebody.poses import Poses, boxes_around
from wholebody.runtime.tracking.assignment import best_pairs
from wholebody.runtime.tracking.overlap import overlap_of

if TYPE_CHECKING:
    import numpy.typing as npt

_WEIGHTS = (1.0, 2.0, 1.0, 2.0)  # of corners in boxes, boxes, corners at joints, joints; of the frame just before
_OLDER = (0.0, 1.0, 0.0, 1.0)    # of frames before that: their corners are not known here
_ACCEPT = 0.2
_SQUARE, _BEST = 30.0, 7         # pixels around a joint; as many joints as count
_MARGIN = 0.1                    # of the keypoints' extent, on either side
_BACK = 100                      # frames that somebody is looked for
_CORNERS = 2000                  # at most, of a picture


class _Known(NamedTuple):
    """Somebody when last seen."""

    keypoints: "npt.NDArray[np.float32]"
    found: "npt.NDArray[np.bool_]"
    box: "npt.NDArray[np.float64]"
    frame: int


class PoseFlow:
    """People of one source, in the order of its frames, which it counts: dropped ones make it look farther back."""

    def __init__(self) -> None:
        self._known: Dict[int, _Known] = {}
        self._next, self._frame = 0, 0
        self._corners: Any = None

    def update(self, poses: Poses, image: "npt.NDArray[np.uint8]") -> "npt.NDArray[np.int64]":
        """The number of each person (N,)."""
        return self.follow(poses, self._matches(image))

    def follow(self, poses: Poses, matches: "npt.NDArray[np.float64]") -> "npt.NDArray[np.int64]":
        """The same from matches (m, 4): x, y of a corner in the frame before and in this one."""
        self._frame += 1
        self._known = {number: one for number, one in self._known.items() if self._frame - one.frame <= _BACK}
        ids, found, boxes = np.full(len(poses), -1), poses.scores > 0, wide_boxes(poses)
        numbers = list(self._known)
        if numbers and len(poses):
            scores = self._scores([self._known[number] for number in numbers], poses, found, boxes, matches)
            for row, column in best_pairs(np.where(scores > _ACCEPT, scores, -1.0).astype(np.float32), 0.0):
                ids[column] = numbers[row]
        for person in range(len(poses)):
            if ids[person] < 0:
                ids[person], self._next = self._next, self._next + 1
            self._known[int(ids[person])] = _Known(poses.keypoints[person], found[person], boxes[person], self._frame)
        return ids

    def _scores(self, known: List[_Known], poses: Poses, found: "npt.NDArray[np.bool_]",
                boxes: "npt.NDArray[np.float64]", matches: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
        """How much each person known (T) and seen (N) are the same."""
        before, seen = np.stack([one.keypoints for one in known]), np.stack([one.found for one in known])
        older = np.array([one.frame < self._frame - 1 for one in known])
        weights = np.where(older[:, None], _OLDER, _WEIGHTS)
        known_boxes = np.stack([one.box for one in known])
        corners, joints = np.zeros((2, len(known), len(poses)))
        if len(matches):
            corners = _shared(_inside(known_boxes, matches[:, :2]), _inside(boxes, matches[:, 2:]))
            joints = self._joints(before, seen, poses.keypoints, found, matches)
        parts = [corners, overlap_of(known_boxes, boxes), joints, _squares(before, seen, poses.keypoints, found)]
        return np.asarray(sum(weights[:, [place]] * part for place, part in enumerate(parts)))

    def _joints(self, before: Any, seen: Any, now: Any, found: Any,
                matches: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
        """Corners shared by the same joint of both, of the joints that share most."""
        each = []
        for joint in range(before.shape[1]):
            one = _inside(_square(before[:, joint]), matches[:, :2]) & seen[:, [joint]]
            other = _inside(_square(now[:, joint]), matches[:, 2:]) & found[:, [joint]]
            each.append(_shared(one, other))
        return _best(np.stack(each, axis=2))

    def _matches(self, image: "npt.NDArray[np.uint8]") -> "npt.NDArray[np.float64]":
        """Corners (m, 4) that this picture has in common with the last one."""
        cv2 = require("cv2")
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
        finder = cv2.ORB_create(nfeatures=_CORNERS, scoreType=cv2.ORB_FAST_SCORE)
        places, marks = finder.detectAndCompute(grey, None)
        before, self._corners = self._corners, (places, marks)
        if before is None or before[1] is None or marks is None:
            return np.zeros((0, 4))
        pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(before[1], marks)
        return np.array([before[0][pair.queryIdx].pt + places[pair.trainIdx].pt for pair in pairs],
                        np.float64).reshape(-1, 4)


def wide_boxes(poses: Poses, margin: float = _MARGIN) -> "npt.NDArray[np.float64]":
    """What keypoints span (N, 4), and a tenth more on every side."""
    boxes = boxes_around(poses.keypoints, poses.scores).astype(np.float64)
    more = margin * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], axis=1)


def _square(points: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
    return np.concatenate([points - _SQUARE / 2, points + _SQUARE / 2], axis=1)


def _inside(boxes: "npt.NDArray[Any]", points: "npt.NDArray[Any]") -> "npt.NDArray[np.bool_]":
    """(n, m): which points lie in which boxes."""
    return np.asarray(((points[None] >= boxes[:, None, :2]) & (points[None] <= boxes[:, None, 2:])).all(axis=2))


def _shared(one: "npt.NDArray[np.bool_]", other: "npt.NDArray[np.bool_]") -> "npt.NDArray[np.float64]":
    """(T, N): corners in both of those in either."""
    both = one.astype(np.float32) @ other.astype(np.float32).T
    either = one.sum(axis=1)[:, None] + other.sum(axis=1)[None] - both
    return np.asarray(both / np.maximum(either, 1), np.float64)


def _squares(before: Any, seen: Any, now: Any, found: Any) -> "npt.NDArray[np.float64]":
    """(T, N): overlap of the squares around the same joints, of those that overlap most."""
    sides = np.maximum(_SQUARE - np.abs(before[:, None] - now[None]), 0)
    inside = sides[..., 0] * sides[..., 1] * (seen[:, None] & found[None])
    return _best(inside / (2 * _SQUARE ** 2 - inside))


def _best(values: "npt.NDArray[Any]") -> "npt.NDArray[np.float64]":
    """The mean of the largest along the last axis."""
    return np.asarray(np.sort(values, axis=-1)[..., -_BEST:].mean(axis=-1))
