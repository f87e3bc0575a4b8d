"""How alike two networks' people are in the same pictures: object keypoint similarity (OKS), without labels.

Everybody counts by his score, so that people whom the network hardly believes in hardly matter.
"""
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.poses import Poses

_SIGMA = 0.089     # of keypoints for which the set has none
_LEAST_AREA = 1.0  # square pixels


class Agreement(NamedTuple):
    """1 where both found the same people at the same places, 0 where nobody is alike."""

    overall: float
    parts: Tuple[Tuple[str, float], ...]  # of the keypoint set, those that anybody has


def agreement(reference: Sequence[Poses], found: Sequence[Poses]) -> Agreement:
    """Of two runs over the same pictures, in the same order; 1 where both found nobody."""
    if len(reference) != len(found):
        raise ValueError("expected as many pictures as the reference has, %d, got %d" % (len(reference), len(found)))
    alike, weight = 0.0, 0.0
    parts: Dict[str, List[float]] = {}
    for a, b in zip(reference, found):
        own, other = _weights(a), _weights(b)
        weight += float(own.sum() + other.sum())
        for i, j, similarity in _matched(a, b):
            alike += float(own[i] + other[j]) * similarity
        _count_parts(a, b, own, other, parts)
    return Agreement(alike / weight if weight else 1.0,
                     tuple((name, sums[0] / sums[1]) for name, sums in parts.items() if sums[1]))


def similarities(reference: Poses, found: Poses, points: Sequence[int]) -> Any:
    """(N, M) OKS of these keypoints; one that only one of the two has counts as wrong, one that neither has not."""
    sigmas = np.asarray(reference.skeleton.oks_sigmas or (_SIGMA,) * len(reference.skeleton.keypoints))[list(points)]
    a, b = reference.keypoints[:, points].astype(np.float64), found.keypoints[:, points].astype(np.float64)
    has_a, has_b = reference.scores[:, points] > 0, found.scores[:, points] > 0
    boxes = reference.boxes_xyxy.astype(np.float64)
    area = np.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), _LEAST_AREA)
    squared = ((a[:, None] - b[None]) ** 2).sum(axis=3)
    alike = np.exp(-squared / (2 * sigmas) ** 2 / area[:, None, None] / 2)
    both, either = has_a[:, None] & has_b[None], has_a[:, None] | has_b[None]
    return (alike * both).sum(axis=2) / np.maximum(either.sum(axis=2), 1)


def _matched(reference: Poses, found: Poses) -> List[Tuple[int, int, float]]:
    """Pairs of people, the most alike first; nobody twice."""
    if not len(reference) or not len(found):
        return []
    table = similarities(reference, found, range(len(reference.skeleton.keypoints)))
    pairs: List[Tuple[int, int, float]] = []
    for place in np.argsort(-table, axis=None, kind="stable"):
        i, j = divmod(int(place), len(found))
        if table[i, j] <= 0:
            break
        if all(i != a and j != b for a, b, _ in pairs):
            pairs.append((i, j, float(table[i, j])))
    return pairs


def _count_parts(a: Poses, b: Poses, own: Any, other: Any, parts: Dict[str, List[float]]) -> None:
    """Adds to the sums of each part: of everybody who has it."""
    pairs = _matched(a, b)
    for name, points in a.skeleton.parts:
        sums = parts.setdefault(name, [0.0, 0.0])
        table = similarities(a, b, points) if len(a) and len(b) else None
        has_a, has_b = (poses.scores[:, list(points)].max(axis=1, initial=0) > 0 for poses in (a, b))
        sums[1] += float((own * has_a).sum() + (other * has_b).sum())
        for i, j, _ in pairs:
            assert table is not None
            sums[0] += float(own[i] * has_a[i] + other[j] * has_b[j]) * float(table[i, j])


def _weights(poses: Poses) -> Any:
    return np.maximum(np.nan_to_num(poses.person_scores.astype(np.float64)), 0.0)
