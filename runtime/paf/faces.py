"""Faces assembled apart from their body (BODY_135): each goes to the face it overlaps most."""
from typing import TYPE_CHECKING, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.runtime.paf.assembly import ABSENT, People

if TYPE_CHECKING:
    import numpy.typing as npt

MARGIN_LONELY, MARGIN_FACE = 0.2, 0.1
MIN_OVERLAP, MIN_OVERLAP_FEW, FEW_FACES = 0.3, 0.01, 3


class Box(NamedTuple):
    """Map pixels."""

    x0: float
    y0: float
    x1: float
    y1: float


def merge_faces(people: People, peaks: "Sequence[npt.NDArray[np.float32]]", face: Sequence[int],
                owners: Sequence[int], lonely: Sequence[int]) -> People:
    """`people` after each of the `lonely` faces went to one of the `owners`, or to nobody."""
    if not len(owners):
        return people
    members, scores = people.members.copy(), people.scores.copy()
    boxes = [face_box(members[i], peaks, face, MARGIN_FACE) for i in owners]
    enough = MIN_OVERLAP if len(owners) >= FEW_FACES else MIN_OVERLAP_FEW
    for index in lonely:
        box = face_box(members[index], peaks, face, MARGIN_LONELY)
        overlaps = [overlap(box, other) for other in boxes]
        best = int(np.argmax(overlaps))
        if overlaps[best] > enough:
            owner = owners[best]
            scores[owner] = _take_over(members[owner], members[index], scores[owner], peaks, face)
            boxes[best] = face_box(members[owner], peaks, face, MARGIN_FACE)
    return People(members, people.counts, scores)


def face_box(members: "npt.NDArray[np.int64]", peaks: "Sequence[npt.NDArray[np.float32]]", face: Sequence[int],
             margin: float) -> Box:
    """OpenPose's box around a face. Its margin is a share of the coordinate, not of the size: a slip kept for parity.

    Computed in float64, like its native twin.
    """
    points = [peaks[k][members[k]] for k in face if members[k] != ABSENT]
    (x0, x1), (y0, y1) = (_interval([float(p[axis]) for p in points], margin) for axis in (0, 1))
    return Box(x0, y0, x1, y1)


def _interval(values: Sequence[float], margin: float) -> Tuple[float, float]:
    low, high = min(values), max(values)
    return low - margin * high, high * (1 + 2 * margin) + 1


def overlap(a: Box, b: Box) -> float:
    """Intersection over union.

    >>> overlap(Box(0, 0, 2, 1), Box(1, 0, 3, 1)) == 1 / 3
    True
    """
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - shared)


def _take_over(owner: "npt.NDArray[np.int64]", lonely: "npt.NDArray[np.int64]", score: np.float32,
               peaks: "Sequence[npt.NDArray[np.float32]]", face: Sequence[int]) -> np.float32:
    """Give `owner` (changed in place) the points it lacks or has with a lower score; returns its new score."""
    for k in face:
        if lonely[k] == ABSENT:
            continue
        new = peaks[k][lonely[k], 2]
        old = peaks[k][owner[k], 2] if owner[k] != ABSENT else np.float32(0)
        if owner[k] == ABSENT or old < new:
            score = score + (new - old)
            owner[k] = lonely[k]
    return score
