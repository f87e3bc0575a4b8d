"""People from sorted connections: OpenPose's "GPU sorted-all-connections" assembly."""
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.runtime.paf.scoring import Connections

if TYPE_CHECKING:
    import numpy.typing as npt

ABSENT = -1


class People(NamedTuple):
    """Who was assembled, in the order in which they were begun."""

    members: "npt.NDArray[np.int64]"   # (N, K) candidate index of each keypoint, -1 where it is missing
    counts: "npt.NDArray[np.int64]"    # (N,) keypoints
    scores: "npt.NDArray[np.float32]"  # (N,) sum of keypoint and PAF scores


class _Person:
    __slots__ = ("members", "score")

    def __init__(self, members: Dict[int, int], score: np.float32) -> None:
        self.members = members  # keypoint -> candidate
        self.score = score


def assemble(connections: Connections, peaks: "Sequence[npt.NDArray[np.float32]]",
             pairs: Sequence[Tuple[int, int]]) -> People:
    """Walk the connections from the best down; people merge only where they share no keypoint."""
    people: List[_Person] = []
    assigned: Dict[Tuple[int, int], int] = {}
    heat = [candidates[:, 2] for candidates in peaks]
    rows = zip(connections.paf, connections.limb.tolist(), connections.a.tolist(), connections.b.tolist())
    for paf, limb, a, b in rows:
        start, end = pairs[limb]
        first, second = assigned.get((start, a)), assigned.get((end, b))
        if first is None and second is None:
            assigned[start, a] = assigned[end, b] = len(people)
            people.append(_Person({start: a, end: b}, heat[start][a] + heat[end][b] + paf))
        elif first is None or second is None:
            index, part, candidate = (first, end, b) if second is None else (second, start, a)
            assert index is not None
            if part not in people[index].members:
                people[index].members[part] = candidate
                people[index].score += heat[part][candidate] + paf
                assigned[part, candidate] = index
        elif first == second:
            people[first].score += paf
        else:
            _merge(people, assigned, min(first, second), max(first, second), paf)
    return _as_arrays([person for person in people if person.members], len(peaks))


def _merge(people: List[_Person], assigned: Dict[Tuple[int, int], int], keep: int, gone: int,
           paf: np.float32) -> None:
    kept, other = people[keep], people[gone]
    if kept.members.keys() & other.members.keys():
        return
    kept.members.update(other.members)
    kept.score += other.score + paf
    for part, candidate in other.members.items():
        assigned[part, candidate] = keep
    other.members = {}


def _as_arrays(people: List[_Person], keypoints: int) -> People:
    members = np.full((len(people), keypoints), ABSENT, np.int64)
    for row, person in zip(members, people):
        row[list(person.members)] = list(person.members.values())
    return People(members, (members != ABSENT).sum(axis=1), np.array([p.score for p in people], np.float32))
