"""Poses, the only pose result, and the frames and results that carry it."""
from typing import TYPE_CHECKING, Dict, NamedTuple, Optional, Tuple, Union

import numpy as np

from wholebody.errors import ShapeError
from wholebody.skeletons import Skeleton, get_skeleton

if TYPE_CHECKING:
    import numpy.typing as npt


class Frame(NamedTuple):
    """One picture on its way through the pipeline."""

    image: "npt.NDArray[np.uint8]"  # (H, W, 3) BGR
    index: int  # type: ignore[assignment]  # hides tuple.index; counts from 0 within its source
    captured_at: float              # seconds, time.monotonic(), when it was read
    source: str                     # what messages and output names call it


class Detections(NamedTuple):
    """Where people are in a frame, before anybody looked at their keypoints."""

    boxes_xyxy: "npt.NDArray[np.float32]"  # (N, 4) x0 y0 x1 y1, pixels of the frame
    scores: "npt.NDArray[np.float32]"      # (N,)

    @classmethod
    def empty(cls) -> "Detections":
        """Nobody."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


class Poses:
    """Who is in a frame: N people of K keypoints each. A keypoint with score 0 was not found.

    >>> poses = Poses.empty(get_skeleton("COCO_17"))
    >>> len(poses), poses.keypoints.shape
    (0, (0, 17, 2))
    """

    __slots__ = ("keypoints", "scores", "person_scores", "boxes_xyxy", "ids", "skeleton")

    def __init__(self, keypoints: "npt.NDArray[np.float32]", scores: "npt.NDArray[np.float32]",
                 person_scores: "npt.NDArray[np.float32]", skeleton: Skeleton,
                 boxes_xyxy: "Optional[npt.NDArray[np.float32]]" = None,
                 ids: "Optional[npt.NDArray[np.int64]]" = None) -> None:
        """keypoints (N, K, 2) pixels, scores (N, K), person_scores (N,), boxes_xyxy (N, 4), ids (N,)."""
        people, points = len(keypoints), len(skeleton.keypoints)
        self.skeleton = skeleton
        self.keypoints = _checked("keypoints", keypoints, (people, points, 2))
        self.scores = _checked("scores", scores, (people, points))
        self.person_scores = _checked("person_scores", person_scores, (people,))
        self.boxes_xyxy = (boxes_around(self.keypoints, self.scores) if boxes_xyxy is None
                           else _checked("boxes_xyxy", boxes_xyxy, (people, 4)))
        if ids is not None and np.shape(ids) != (people,):
            raise ShapeError("ids: expected shape (%d,), got %s" % (people, np.shape(ids)))
        self.ids = None if ids is None else np.asarray(ids, np.int64)

    @classmethod
    def empty(cls, skeleton: Skeleton) -> "Poses":
        """Nobody."""
        points = len(skeleton.keypoints)
        return cls(np.zeros((0, points, 2), np.float32), np.zeros((0, points), np.float32),
                   np.zeros(0, np.float32), skeleton)

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        return "Poses(%d %s, %s)" % (len(self), "person" if len(self) == 1 else "people", self.skeleton.name)

    def __getitem__(self, which: "Union[int, slice, npt.NDArray[np.int64], npt.NDArray[np.bool_]]") -> "Poses":
        """The chosen people, by slice, index array or mask; one number gives one person, so a loop gives each."""
        if isinstance(which, (int, np.integer)):
            if not -len(self) <= which < len(self):
                raise IndexError("person %d of %d" % (which, len(self)))
            which = np.array([which])
        return Poses(self.keypoints[which], self.scores[which], self.person_scores[which], self.skeleton,
                     self.boxes_xyxy[which], None if self.ids is None else self.ids[which])

    def with_keypoints(self, keypoints: "npt.NDArray[np.float32]") -> "Poses":
        """The same people with keypoints in other coordinates; boxes follow."""
        return Poses(keypoints, self.scores, self.person_scores, self.skeleton, None, self.ids)

    def to_skeleton(self, target: Union[str, Skeleton]) -> "Poses":
        """The same people in another keypoint set, mapped by name; what has no counterpart gets score 0.

        A point that is the mean of two (neck, mid-hip) takes the lower score and needs both.
        """
        skeleton = get_skeleton(target) if isinstance(target, str) else target
        if skeleton == self.skeleton:
            return self
        shape = (len(self), len(skeleton.keypoints))
        keypoints, scores = np.zeros(shape + (2,), np.float32), np.zeros(shape, np.float32)
        for k, sources in enumerate(self.skeleton.sources_of(skeleton)):
            if not sources:
                continue
            picked = list(sources)
            scores[:, k] = self.scores[:, picked].min(axis=1)
            found = scores[:, k] > 0
            keypoints[found, k] = self.keypoints[:, picked][found].mean(axis=1)
        return Poses(keypoints, scores, self.person_scores, skeleton, self.boxes_xyxy, self.ids)


class Result(NamedTuple):
    """What the pipeline made of one frame."""

    index: int  # type: ignore[assignment]  # of the frame
    captured_at: float          # of the frame: latency counts from here
    poses: Poses                # pixels of the frame
    stage_ms: Dict[str, float]  # preprocess, engine, decode; of the whole batch it came in
    latency_ms: float = 0.0     # from captured_at until the poses were there


def boxes_around(keypoints: "npt.NDArray[np.float32]",
                 scores: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
    """Boxes (N, 4) x0 y0 x1 y1 around the found keypoints; zeros for somebody without any.

    >>> boxes_around(np.array([[[1, 5], [3, 2], [9, 9]]], np.float32), np.array([[1, 1, 0]], np.float32)).tolist()
    [[1.0, 2.0, 3.0, 5.0]]
    """
    found = (scores > 0)[..., None]
    low = np.where(found, keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(found, keypoints, -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.concatenate([low, high], axis=1)
    boxes[~found.any(axis=(1, 2))] = 0
    return boxes.astype(np.float32)


def _checked(name: str, array: "npt.NDArray[np.float32]", shape: Tuple[int, ...]) -> "npt.NDArray[np.float32]":
    array = np.asarray(array, np.float32)
    if array.shape != shape:
        raise ShapeError("%s: expected shape %s, got %s" % (name, shape, array.shape))
    return array
