"""AlphaPose's parametric pose NMS, exactly as its code has it (which is not as its paper does)."""
from typing import TYPE_CHECKING, List, NamedTuple, Tuple, Union

import numpy as np

from wholebody.poses import Poses

if TYPE_CHECKING:
    import numpy.typing as npt

    Points = npt.NDArray[np.float64]

FULL_BODY = (133, 136)  # keypoints of the sets with face and hands at their end
_FACE, _HANDS = -110, -42            # where face and hands begin, of the similarity
_MATCH_FACE, _MATCH_HANDS = 26, 94   # the same for counting: Halpe's, and taken for 133 points as well
_LEAST = 1e-5                        # what a score of 0 becomes


class PoseNmsOptions(NamedTuple):
    """AlphaPose's constants; distances in pixels of the frame."""

    delta1: float = 1.0
    mu: float = 1.7
    delta2: float = 2.65
    gamma: float = 22.48      # more alike than this is the same person
    least_score: float = 0.3  # of somebody's best keypoint
    matches: float = 5.0      # as many keypoints in the same place are the same person
    alpha: float = 0.1        # of the box's longer side: how near is the same place
    match_cap: float = 7.0    # but no farther than this
    merge_cap: float = 15.0   # nor than this for points that are merged
    least_area: float = 0.0   # of a box
    full_body: bool = False   # with face and hands apart
    face_reach: float = 1.9
    hand_reach: float = 0.55
    hand_weight_score: float = 0.1
    hand_weight_distance: float = 1.5


BODY = PoseNmsOptions()
WHOLE_BODY = PoseNmsOptions(mu=1.65, delta2=8.0, gamma=3.6, least_score=0.01, matches=3.0, alpha=0.15, full_body=True)


def options_for(keypoints: int, integrated: bool) -> PoseNmsOptions:
    """The constants that AlphaPose takes: its second set for 133 and 136 points that are not all peaks of heat maps."""
    return WHOLE_BODY if keypoints in FULL_BODY and integrated else BODY


def pose_nms(poses: Poses, options: PoseNmsOptions = BODY) -> Poses:
    """Everybody once: keypoints are merged from those suppressed; `poses.person_scores` are the boxes' scores.

    The person scores that come out are AlphaPose's: mean of the keypoints' + the box's + 1.25 times the best of them.
    """
    scores = np.where(np.isfinite(poses.scores), poses.scores, 0).astype(np.float64)
    scores[scores == 0] = _LEAST
    points = poses.keypoints.astype(np.float64)
    sides = poses.boxes_xyxy[:, 2:] - poses.boxes_xyxy[:, :2]
    reach = options.alpha * sides.max(axis=1, initial=0).astype(np.float64)
    kept: List[int] = []
    merged: List[Tuple[Points, Points]] = []
    for pick, cluster in _clusters(points, scores, reach, options):
        if scores[pick].max() < options.least_score or 2.25 * sides[pick].prod() < options.least_area:
            continue
        place, score = _merge(points[pick], points[cluster], scores[cluster], min(reach[pick], options.merge_cap))
        if score.max() >= options.least_score:
            kept.append(pick)
            merged.append((place, score))
    return _told(poses, kept, merged)


def _clusters(points: "Points", scores: "Points", reach: "Points",
              options: PoseNmsOptions) -> "List[Tuple[int, npt.NDArray[np.int64]]]":
    """Who is picked, best mean score first, and who is suppressed with them."""
    left, found = np.arange(len(points)), []
    mean = scores.mean(axis=1)
    while len(left):
        place = int(np.argmax(mean[left]))
        pick = int(left[place])
        distance = np.sqrt(((points[left] - points[pick]) ** 2).sum(axis=2))
        near = min(reach[pick], options.match_cap)
        measure = _whole_body if options.full_body else _body
        alike, matches = measure(distance, scores[left], scores[pick], near, options)
        same = (alike > options.gamma) | (matches >= options.matches)
        found.append((pick, left[same] if same.any() else left[[place]]))
        same[place] = True  # whoever is picked is done
        left = left[~same]
    return found


def _body(distance: "Points", scores: "Points", picked: "Points", near: float,
          options: PoseNmsOptions) -> "Tuple[Points, Points]":
    close = distance <= 1
    sure = np.tanh(scores / options.delta1) * np.tanh(picked / options.delta1) * close
    alike = sure.sum(axis=1) + options.mu * np.exp(-distance / options.delta2).sum(axis=1)
    return alike, _within(distance, near, 1.0).sum(axis=1).astype(np.float64)


def _whole_body(distance: "Points", scores: "Points", picked: "Points", near: float,
                options: PoseNmsOptions) -> "Tuple[Points, Points]":
    """The mask of the first term looks inverted, but it is what runs: only points that are close and doubtful count."""
    low = scores < options.least_score
    sure = np.tanh(scores / options.delta1) * np.tanh(picked / options.delta1) * ((distance <= 1) & low)
    width = np.full(distance.shape[1], options.delta2)
    width[_FACE:_HANDS] *= options.face_reach
    width[_HANDS:] *= options.hand_reach
    close = np.exp(-distance / width) * ~low
    alike = (sure[:, :_FACE].mean(axis=1) + sure[:, _FACE:_HANDS].mean(axis=1)
             + options.hand_weight_score * sure[:, _HANDS:].mean(axis=1)
             + options.mu * (close[:, :_FACE].mean(axis=1) + close[:, _FACE:_HANDS].mean(axis=1)
                             + options.hand_weight_distance * close[:, _HANDS:].mean(axis=1)))
    people, points = distance.shape
    certain = int((picked > options.least_score / 2).sum())
    if 2 * people * certain < 2:
        return alike, np.zeros(people)
    limits = np.ones(points)
    limits[_MATCH_FACE:_MATCH_HANDS] = options.face_reach
    limits[_MATCH_HANDS:] = options.hand_reach
    count = _within(distance, near, limits).sum(axis=1)
    return alike, count * points / (4.0 * people * certain)


def _within(distance: "Points", near: float, limit: "Union[Points, float]") -> "npt.NDArray[np.bool_]":
    if near <= 0:  # a box without extent: the same place is the same
        return np.asarray(distance <= 0)
    return np.asarray(distance / near <= limit)


def _merge(place: "Points", points: "Points", scores: "Points", near: float) -> "Tuple[Points, Points]":
    """The mean of a cluster's points that are near the picked one's, by score, and of their scores likewise."""
    distance = np.sqrt(((points - place) ** 2).sum(axis=2))
    masked = scores * (distance <= max(near, 0))
    total = masked.sum(axis=0)
    weights = masked / np.where(total > 0, total, 1)
    return (points * weights[..., None]).sum(axis=0), (masked * weights).sum(axis=0)


def _told(poses: Poses, kept: List[int], merged: "List[Tuple[Points, Points]]") -> Poses:
    if not kept:
        return Poses.empty(poses.skeleton)
    points, scores = (np.stack([pair[i] for pair in merged]) for i in range(2))
    box_scores = poses.person_scores[kept]
    proposal = scores.mean(axis=1) + box_scores + 1.25 * scores.max(axis=1)
    found = scores > 2 * _LEAST
    return Poses(np.where(found[..., None], points, 0), np.where(found, scores, 0), proposal, poses.skeleton,
                 poses.boxes_xyxy[kept], None if poses.ids is None else poses.ids[kept])
