"""Where OpenPose's multi-network way looks for faces and hands: squares from the keypoints of bodies."""
from typing import TYPE_CHECKING, Callable, Dict, NamedTuple, Sequence, Tuple, Union

import numpy as np

from wholebody.poses import Poses
from wholebody.skeletons import DERIVED, Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

_SURE_OF_FACES, _SURE_OF_HANDS = 0.25, 0.03   # a body's keypoint counts above it
_FACE_SIDE, _HAND_AREA = 40.0, 10.0           # smaller ones are left out
SIDES = {"face": ("",), "hand": ("left_", "right_")}  # kind of crop -> what stands before the names of its points
_HEAD = ("nose", "neck", "right_eye", "left_eye", "right_ear", "left_ear")
_ARM = ("wrist", "elbow", "shoulder")
_MPI = ("head_top", "upper_neck")


class Squares(NamedTuple):
    """M squares of a frame; a body has one slot for its face, or two for its left and right hand."""

    slots: "npt.NDArray[np.int64]"  # (M,) body * slots a body + place
    centre: "Array"                 # (M, 2) pixels of the frame
    side: "Array"                   # (M,)
    right: "Array"                  # (M, 2) unit vector, from left to right in the square when it is turned
    score: "Array"                  # (M,) of the keypoints it was made from

    def chosen(self, which: "Union[Flags, npt.NDArray[np.int64]]") -> "Squares":
        """Some of them."""
        return Squares(self.slots[which], self.centre[which], self.side[which], self.right[which], self.score[which])


class Joints:
    """Keypoints of a skeleton by name, the neck as the mean of the shoulders where it has none of its own."""

    def __init__(self, skeleton: Skeleton, names: Sequence[str]) -> None:
        here = {name: i for i, name in enumerate(skeleton.keypoints)}
        sources = [(name,) if name in here else DERIVED.get(name, (name,)) for name in names]
        self.missing = [name for name, of in zip(names, sources) if any(one not in here for one in of)]
        self._first = [here.get(of[0], 0) for of in sources]
        self._second = [here.get(of[-1], 0) for of in sources]
        self._known = np.array([name not in self.missing for name in names])

    def __call__(self, poses: Poses, sure: float) -> "Tuple[Array, Array]":
        """(J, N, 2) places and (J, N) scores; 0 for what is not above `sure`."""
        points = (poses.keypoints[:, self._first].astype(np.float64) + poses.keypoints[:, self._second]) / 2
        scores = np.minimum(poses.scores[:, self._first], poses.scores[:, self._second]).astype(np.float64)
        scores *= self._known & (scores > sure) & np.isfinite(points).all(axis=2)
        return points.transpose(1, 0, 2), scores.T


class FaceSquares:
    """OpenPose's rectangle of a face: the mean of what neck and nose, both eyes and both ears say."""

    def __init__(self, skeleton: Skeleton, least_side: float = 0.0) -> None:
        self._by_head_top = "nose" not in skeleton.keypoints and "head_top" in skeleton.keypoints
        self._joints = Joints(skeleton, _MPI if self._by_head_top else _HEAD)
        self.serves = not (self._joints.missing if self._by_head_top else {"nose", "neck"} & set(self._joints.missing))
        self._least = least_side or _FACE_SIDE

    def __call__(self, poses: Poses) -> Squares:
        """Of every body that has one."""
        points, scores = self._joints(poses, _SURE_OF_FACES)
        seen = scores > 0
        if self._by_head_top:
            centre, side = points[0], 1.33 * _distance(points[0], points[1]) * seen.all(axis=0)
        else:
            centre, side = _face(points, seen)
        right = np.tile([1.0, 0.0], (len(poses), 1))
        if not self._by_head_top:
            eyes = (seen[2] & seen[3])[:, None]
            right = _unit(np.where(eyes, points[3] - points[2], right))
        score = scores.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        return Squares(np.arange(len(poses)), centre, side, right, score).chosen(side > self._least)


class HandSquares:
    """OpenPose's rectangle of a hand: beyond the wrist on the line from the elbow, as large as the arm says."""

    def __init__(self, skeleton: Skeleton, least_side: float = 0.0) -> None:
        self._joints = [Joints(skeleton, [side + name for name in _ARM]) for side in SIDES["hand"]]
        self.serves = not any(joints.missing for joints in self._joints)
        self._least = least_side

    def __call__(self, poses: Poses) -> Squares:
        """Of every arm that is seen."""
        sides = [_hand(*joints(poses, _SURE_OF_HANDS)) for joints in self._joints]
        centre, side, right, score = (np.stack(arrays, axis=1).reshape((-1,) + arrays[0].shape[1:])
                                      for arrays in zip(*sides))
        large = (side > max(1.0, self._least)) & (side * side > _HAND_AREA)
        return Squares(np.arange(len(side)), centre, side, right, score).chosen(large)


SQUARES: "Dict[str, Callable[[Skeleton, float], Union[FaceSquares, HandSquares]]]" = {
    "face": FaceSquares, "hand": HandSquares}


def _face(points: "Array", seen: "Flags") -> "Tuple[Array, Array]":
    nose, neck, right_eye, left_eye, right_ear, left_ear = points
    has_nose, has_neck, re, le, ra, la = seen
    right_only, left_only = re & ra & ~le & ~la, le & la & ~re & ~ra
    head, profile = has_nose & has_neck, right_only | left_only
    eye = np.where(right_only[:, None], right_eye, left_eye)
    ear = np.where(right_only[:, None], right_ear, left_ear)
    to_neck = _distance(neck, nose)
    ways = [
        (head & profile, (eye + ear + nose) / 3, 0.85 * (_distance(nose, eye) + _distance(nose, ear) + to_neck)),
        (head & ~profile, (neck + nose) / 2, 2 * to_neck),
        (re & le, (right_eye + left_eye) / 2, 3 * _distance(right_eye, left_eye)),
        (ra & la, (right_ear + left_ear) / 2, 2 * _distance(right_ear, left_ear)),
    ]
    count = np.maximum(sum(counts.astype(np.float64) for counts, _, _ in ways), 1)
    centre = sum(np.where(counts[:, None], place, 0) for counts, place, _ in ways) / count[:, None]
    side = sum(np.where(counts, length, 0) for counts, _, length in ways) / count
    return np.asarray(centre, np.float64), np.asarray(side, np.float64)


def _hand(points: "Array", scores: "Array") -> "Tuple[Array, Array, Array, Array]":
    wrist, elbow, shoulder = points
    along = wrist - elbow
    side = 1.5 * np.maximum(_distance(wrist, elbow), 0.9 * _distance(elbow, shoulder))
    down = _unit(-along)
    right = np.stack([down[:, 1], -down[:, 0]], axis=1)
    return wrist + 0.33 * along, side * (scores > 0).all(axis=0), right, scores[0]


def _distance(a: "Array", b: "Array") -> "Array":
    return np.asarray(np.hypot(*np.moveaxis(a - b, -1, 0)), np.float64)


def _unit(vectors: "Array") -> "Array":
    """(N, 2) of length 1; one without a length points right."""
    length = np.hypot(vectors[:, 0], vectors[:, 1])[:, None]
    return np.where(length > 1e-9, vectors / np.maximum(length, 1e-9), [1.0, 0.0])
