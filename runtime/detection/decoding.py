"""A detector's raw outputs to boxes in pixels of its input: YOLOX and RTMDet, for people alone."""
from typing import TYPE_CHECKING, Callable, Dict, Sequence, Tuple

import numpy as np

from wholebody.errors import CardError
from wholebody.poses import Detections
from wholebody.runtime.topdown.backend import Backend

if TYPE_CHECKING:
    import numpy.typing as npt

_PERSON = 0             # of COCO's classes
_STRIDES = (8, 16, 32)  # of YOLOX's three levels
_LARGEST = 60.0         # of a logarithm: a side beyond any picture's


def yolox_boxes(outputs: "Sequence[npt.NDArray[np.float32]]", size: Tuple[int, int], least: float) -> Detections:
    """One output (M, 5 + classes), x y w h object classes in cells of three levels; size (width, height)."""
    rows, = outputs
    strides, corners = _cells(size)
    if rows.ndim != 2 or len(rows) != len(strides) or rows.shape[1] < 6:
        raise CardError("a yolox head: expected (%d, 6 or more) for an input of %dx%d, got %s"
                        % (len(strides), size[0], size[1], rows.shape))
    scores = rows[:, 4] * rows[:, 5 + _PERSON]
    good = np.flatnonzero(scores >= least)
    some, stride = rows[good], strides[good, None]
    centre = (some[:, :2] + corners[good]) * stride
    half = np.exp(np.clip(some[:, 2:4], -_LARGEST, _LARGEST)) * stride / 2
    return Detections(np.concatenate([centre - half, centre + half], axis=1).astype(np.float32), scores[good])


def rtmdet_boxes(outputs: "Sequence[npt.NDArray[np.float32]]", size: Tuple[int, int], least: float) -> Detections:
    """Levels of (h, w, 5): a logit and the distances to left, top, right and bottom in pixels; size (width, height)."""
    boxes, scores = [], []
    for level in outputs:
        if level.ndim != 3 or level.shape[2] != 5 or size[0] % level.shape[1] or size[1] % level.shape[0]:
            raise CardError("an rtmdet head: expected levels of (h, w, 5) that divide an input of %dx%d, got %s"
                            % (size[0], size[1], level.shape))
        probability = 1 / (1 + np.exp(-np.clip(level[..., 0], -_LARGEST, _LARGEST)))
        y, x = np.nonzero(probability >= least)
        point = np.stack([x * (size[0] // level.shape[1]), y * (size[1] // level.shape[0])], axis=1)
        reach = level[y, x, 1:]
        boxes.append(np.concatenate([point - reach[:, :2], point + reach[:, 2:]], axis=1))
        scores.append(probability[y, x])
    return Detections(np.concatenate(boxes).astype(np.float32), np.concatenate(scores).astype(np.float32))


# How the numbers of a boxes head are coded: the card's `format`.
FORMATS: "Dict[str, Callable[[Sequence[npt.NDArray[np.float32]], Tuple[int, int], float], Detections]]" = {
    "yolox": yolox_boxes, "rtmdet": rtmdet_boxes}


def select(found: Detections, frame_size: Tuple[int, int], overlap: float, backend: Backend,
           most: int = -1) -> Detections:
    """Boxes that lie in the frame (width, height), cut at its edges, best first, without those that better ones cover.

    What is not finite is nobody. `most` keeps that many; -1 keeps all.
    """
    boxes = np.asarray(found.boxes_xyxy, np.float32).reshape(-1, 4)
    scores = np.asarray(found.scores, np.float32)
    known = np.isfinite(scores) & np.isfinite(boxes).all(axis=1)
    boxes, scores = np.where(known[:, None], boxes, 0), scores[known]
    boxes = np.clip(boxes[known], 0, np.asarray(frame_size * 2, np.float32))
    some = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    boxes, scores = boxes[some], scores[some]
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    if overlap < 1:
        keep = backend.nms(boxes, overlap)
        boxes, scores = boxes[keep], scores[keep]
    end = None if most < 0 else most
    return Detections(boxes[:end], scores[:end])


def _cells(size: Tuple[int, int]) -> "Tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]":
    """Of every row of YOLOX's output: pixels a cell, and the cell's column and row."""
    strides, corners = [], []
    for stride in _STRIDES:
        y, x = np.mgrid[:size[1] // stride, :size[0] // stride]
        corners.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full(x.size, stride))
    return np.concatenate(strides).astype(np.float32), np.concatenate(corners).astype(np.float32)
