"""Which assembled people are kept, and their pose scores (OpenPose's rules for feet, hands, faces and counts)."""
import math
from typing import TYPE_CHECKING, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.runtime.paf.assembly import ABSENT, People
from wholebody.runtime.paf.faces import merge_faces
from wholebody.runtime.paf.options import PafOptions
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

FEW_BESIDES_FEET = 4   # somebody with feet and no more than this is a leg
AREA_THRESHOLD = 0.05  # keypoint score from which a point counts for the size of a person


class Selection(NamedTuple):
    """Indices of people."""

    kept: "npt.NDArray[np.int64]"
    faces: "npt.NDArray[np.int64]"        # people with a face and more
    lonely_faces: "npt.NDArray[np.int64]"  # people who are only a face


def keep_people(people: People, peaks: "Sequence[npt.NDArray[np.float32]]", skeleton: Skeleton,
                options: PafOptions) -> People:
    """The people that pass, with faces that had lost their body merged into them."""
    selection = select(people, skeleton, options, foot_rule=not options.maximize_positives)
    if not len(selection.kept) and not options.maximize_positives:
        # OpenPose tries once more as if maximize_positives were set, but keeps its counts and scores.
        selection = select(people, skeleton, options, foot_rule=False)
    if len(selection.kept) and len(selection.lonely_faces):
        people = merge_faces(people, peaks, skeleton.part("face"), selection.faces.tolist(),
                             selection.lonely_faces.tolist())
    kept = selection.kept
    return People(people.members[kept], people.counts[kept], people.scores[kept])


def select(people: People, skeleton: Skeleton, options: PafOptions, foot_rule: bool) -> Selection:
    """Count a face and a hand as one keypoint each, feet not at all, then ask for enough points and score."""
    present = people.members != ABSENT

    def number(part: str) -> "npt.NDArray[np.int64]":
        found: "npt.NDArray[np.int64]" = present[:, list(skeleton.part(part))].sum(axis=1)
        return found

    count = people.counts.copy()
    face = number("face")
    count -= np.maximum(face - 1, 0)
    only_face = (face > 1) & (count == 1)
    for part in ("right_hand", "left_hand"):
        count -= np.maximum(number(part) - 1, 0)
    passing = ~only_face
    if foot_rule:
        foot = number("foot")
        count -= foot
        passing &= ~((foot > 0) & (count <= FEW_BESIDES_FEET))
    passing &= count >= options.min_keypoints
    mean = people.scores / np.maximum(count, 1).astype(np.float32)
    passing &= mean >= np.float32(options.min_score)
    return Selection(np.nonzero(passing)[0], np.nonzero((face > 1) & ~only_face)[0], np.nonzero(only_face)[0])


def pose_scores(scores: "npt.NDArray[np.float32]", skeleton: Skeleton) -> "npt.NDArray[np.float32]":
    """OpenPose's pose scores: the sum a person collected over keypoints + limbs of the set."""
    shares: "npt.NDArray[np.float32]" = scores / np.float32(len(skeleton.keypoints) + len(skeleton.paf_pairs))
    return shares


def best_people(keypoints: "npt.NDArray[np.float32]", scores: "npt.NDArray[np.float32]",
                person_scores: "npt.NDArray[np.float32]", number_people_max: int) -> "npt.NDArray[np.int64]":
    """Indices, in their order, of the people with the largest pose score x sqrt(area); the earlier wins a tie."""
    if number_people_max < 0 or len(keypoints) <= number_people_max:
        return np.arange(len(keypoints))
    ranks = [float(person) * math.sqrt(_area(points[found]))
             for points, found, person in zip(keypoints, scores > np.float32(AREA_THRESHOLD), person_scores)]
    best = sorted(range(len(ranks)), key=lambda i: (-ranks[i], i))[:number_people_max]
    return np.array(sorted(best), np.int64)


def _area(points: "npt.NDArray[np.float32]") -> float:
    if not len(points):
        return 0.0
    width, height = (points.max(axis=0).astype(np.float64) - points.min(axis=0)).tolist()
    return float(width * height)


def gather(people: People, peaks: "Sequence[npt.NDArray[np.float32]]"
           ) -> "Tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]":
    """Keypoints (N, K, 2) and scores (N, K); zeros where a keypoint is missing."""
    found = np.zeros(people.members.shape + (3,), np.float32)
    for k, candidates in enumerate(peaks):
        has = people.members[:, k] != ABSENT
        found[has, k] = candidates[people.members[has, k]]
    return np.ascontiguousarray(found[..., :2]), np.ascontiguousarray(found[..., 2])
