"""People measured in head sizes (PCKh): who of the found is which of the labelled, and AP of each joint."""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wholebody.calibration.protocols.base import ImageErrors, Weights, worst_first

Floats = npt.NDArray[np.float64]
_HEAD = 0.6     # of the diagonal of a head's box
_WITHIN = 0.5   # head sizes


class People(NamedTuple):
    """Of one frame: `there` says which joints are labelled, or found."""

    points: Floats                    # (N, J, 2) pixels
    there: npt.NDArray[np.bool_]      # (N, J)
    heads: Floats                     # (N,) head sizes of labels, pixels
    scores: Floats                    # (N, J) of what is found
    tracks: list[Any]                 # one a person; None where the file has none


@dataclass(frozen=True)
class LabelledFrame:
    """A picture with its labels, and the regions of which nothing counts."""

    image_id: int
    sequence: str
    people: People
    ignored: tuple[Floats, ...] = ()   # polygons (P, 2)
    looked_at: bool = True             # somebody labelled it, if only with a head


def nobody(joints: int) -> People:
    """An empty frame."""
    return People(np.zeros((0, joints, 2)), np.zeros((0, joints), bool), np.zeros(0), np.zeros((0, joints)), [])


def head_size(x1: float, y1: float, x2: float, y2: float) -> float:
    """Of a head's box.

    >>> round(head_size(0, 0, 30, 40), 6)
    30.0
    """
    return _HEAD * float(np.hypot(x2 - x1, y2 - y1))


def drop_ignored(people: People, polygons: tuple[Floats, ...]) -> People:
    """Without the joints inside a region, and without those of whom nothing is left."""
    if not polygons:
        return people
    inside = np.zeros(people.there.shape, bool)
    for polygon in polygons:
        inside |= in_polygon(people.points, polygon)
    there = people.there & ~inside
    kept = np.flatnonzero(there.any(axis=1))
    return People(people.points[kept], there[kept], people.heads[kept] if len(people.heads) else people.heads,
                  people.scores[kept] if len(people.scores) else people.scores, [people.tracks[i] for i in kept])


def in_polygon(points: Floats, polygon: Floats) -> npt.NDArray[np.bool_]:
    """Which of points (..., 2) lie inside; on the border is anybody's guess.

    >>> in_polygon(np.array([[1.0, 1.0], [5.0, 1.0]]), np.array([[0, 0], [4, 0], [4, 4], [0, 4.0]])).tolist()
    [True, False]
    """
    x, y = points[..., 0], points[..., 1]
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


class Match(NamedTuple):
    """Of one frame, found against labelled."""

    distances: Floats                  # (found, labelled, J) head sizes; inf where one of the two is not there
    within: npt.NDArray[np.bool_]      # (found, labelled, J)
    owner: npt.NDArray[np.int64]       # (found,) the label that a person is taken for, or -1


def match(labelled: People, found: People) -> Match:
    """Everybody found goes to the label they share most joints with; of several there the first best has it."""
    both = found.there[:, None] & labelled.there[None]
    offsets = np.linalg.norm(found.points[:, None] - labelled.points[None], axis=3)
    distances = np.where(both, offsets / labelled.heads[None, :, None], np.inf)
    within = distances <= _WITHIN
    owner = np.full(len(found.points), -1)
    if within.size:
        shared = within.sum(axis=2) / np.maximum(labelled.there.sum(axis=1), 1)
        best = shared.argmax(axis=1)
        only = np.where(np.arange(shared.shape[1]) == best[:, None], shared, 0.0)
        winner = only.argmax(axis=0)
        for label in np.flatnonzero(only.max(axis=0) > 0):
            owner[winner[label]] = label
    return Match(distances, within, owner)


@dataclass(frozen=True)
class JointMatches:
    """Of one joint over all frames, best score first."""

    image: npt.NDArray[np.int64]
    correct: npt.NDArray[np.bool_]
    labelled: npt.NDArray[np.int64]    # (frames,)

    def average_precision(self, weights: Weights) -> float:
        """Area under precision over recall; NaN where the joint is never labelled."""
        total = float((self.labelled * weights).sum())
        if total == 0:
            return float("nan")
        often = weights[self.image]
        hits = np.cumsum(self.correct * often)
        precision = hits / np.maximum(np.cumsum(often), 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        return float((np.diff(hits, prepend=0) / total * precision).sum())


def joint_matches(labelled: list[People], found: list[People]) -> list[JointMatches]:
    """Of every joint."""
    joints = labelled[0].points.shape[1] if labelled else 0
    owners: list[list[int]] = [[] for _ in range(joints)]
    scores: list[list[float]] = [[] for _ in range(joints)]
    correct: list[list[bool]] = [[] for _ in range(joints)]
    counts = np.array([people.there.sum(axis=0) for people in labelled], np.int64).reshape(-1, joints)
    for i, (labels, people) in enumerate(zip(labelled, found, strict=True)):
        frame = match(labels, people)
        for person, joint in zip(*np.nonzero(people.there), strict=True):
            label = frame.owner[person]
            owners[joint].append(i)
            scores[joint].append(people.scores[person, joint])
            correct[joint].append(label >= 0 and bool(frame.within[person, label, joint]))
    orders = [np.argsort(np.array(values), kind="stable")[::-1] for values in scores]
    return [JointMatches(np.array(owners[j], np.int64)[order], np.array(correct[j], bool)[order], counts[:, j])
            for j, order in enumerate(orders)]


def frame_errors(image_ids: list[int], labelled: list[People], found: list[People]) -> tuple[ImageErrors, ...]:
    """Joints that were missed, joints that are wrong, and the mean distance of those that are right."""
    errors = []
    for image_id, labels, people in zip(image_ids, labelled, found, strict=True):
        frame = match(labels, people)
        right = [frame.distances[i, owner][frame.within[i, owner]] for i, owner in enumerate(frame.owner) if owner >= 0]
        near = np.concatenate(right) if right else np.zeros(0)
        errors.append(ImageErrors(image_id, int(labels.there.sum()) - len(near), int(people.there.sum()) - len(near),
                                  float(near.mean()) if len(near) else 0.0))
    return worst_first(errors, lower_is_better=True)


def by_group(groups: Mapping[str, tuple[int, ...]], values: dict[str, list[float]],
             digits: int = 4) -> dict[str, dict[str, float]]:
    """Means of each group of joints, and of all; joints that are never labelled are NaN and do not count."""
    indices = {**groups, "total": tuple(sorted(i for group in groups.values() for i in group))}
    return {name: {key: round(_mean([of[i] for i in joints]), digits) for key, of in values.items()}
            for name, joints in indices.items()}


def _mean(values: list[float]) -> float:
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else 0.0


def ap_of(joints: list[JointMatches], weights: Weights) -> list[float]:
    """AP of every joint."""
    return [joint.average_precision(weights) for joint in joints]
