"""One keypoint set for a body, a face and two hands, and the mapping of what their networks found into it."""
from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from wholebody.errors import SkeletonError
from wholebody.poses import Poses
from wholebody.runtime.parts.squares import SIDES
from wholebody.skeletons import Skeleton, get_skeleton, skeleton_from_dict, skeleton_to_dict

if TYPE_CHECKING:
    import numpy.typing as npt

WHOLE_BODIES = ("WHOLEBODY_133", "HALPE_136")


class Place(NamedTuple):
    """Where one slot of a part goes: keypoint `own[i]` of its network is keypoint `here[i]` of the whole."""

    own: List[int]
    here: List[int]


class Whole:
    """Puts bodies and their parts together."""

    def __init__(self, body: Skeleton, parts: Sequence[Tuple[str, Skeleton]], target: str = "") -> None:
        """`parts` are (kind, skeleton); without a target the set has the points of all the networks, body first."""
        self.skeleton = get_skeleton(target) if target else whole_skeleton(body, parts)
        self._places = [[_place(self.skeleton, skeleton, side) for side in SIDES[kind]] for kind, skeleton in parts]
        if not any(body.sources_of(self.skeleton)):
            raise SkeletonError("%s has no point of %s" % (self.skeleton.name, body.name))

    def __call__(self, bodies: Poses, found: "Sequence[npt.NDArray[np.float32]]") -> Poses:
        """Bodies, and of each part (N, slots, K, 3): a part's points are its network's, the body's are lost there."""
        whole = bodies.to_skeleton(self.skeleton)
        keypoints, scores = whole.keypoints.copy(), whole.scores.copy()
        for places, points in zip(self._places, found):
            for slot, place in enumerate(places):
                keypoints[:, place.here] = points[:, slot, place.own, :2]
                scores[:, place.here] = points[:, slot, place.own, 2]
        return Poses(keypoints, scores, bodies.person_scores, self.skeleton, bodies.boxes_xyxy, bodies.ids)


def _place(whole: Skeleton, part: Skeleton, side: str) -> Place:
    here = {name: i for i, name in enumerate(whole.keypoints)}
    own = [i for i, name in enumerate(part.keypoints) if side + name in here]
    return Place(own, [here[side + part.keypoints[i]] for i in own])


def whole_skeleton(body: Skeleton, parts: Sequence[Tuple[str, Skeleton]]) -> Skeleton:
    """The body's points, then those of each part that it has not: COCO_18+FACE_70+HAND_21.

    >>> body, face, hand = (get_skeleton(name) for name in ("BODY_25", "FACE_70", "HAND_21"))
    >>> len(whole_skeleton(body, [("face", face), ("hand", hand)]).keypoints)
    137
    """
    data = skeleton_to_dict(body)
    draw = data["draw"]
    sigmas: List[Optional[float]] = list(body.oks_sigmas or [None])
    for kind, skeleton in parts:
        data["name"] += "+" + skeleton.name
        for side in SIDES[kind]:
            place = []
            for i, name in enumerate(skeleton.keypoints):
                if side + name not in data["keypoints"]:
                    data["keypoints"].append(side + name)
                    data["parts"].setdefault(side + kind, []).append(len(data["keypoints"]) - 1)
                    draw["colors_rgb"].append(list(skeleton.colors_rgb[i]))
                    draw["scales"].append(skeleton.draw_scales[i])
                    sigmas.append(skeleton.oks_sigmas[i] if skeleton.oks_sigmas else None)
                place.append(data["keypoints"].index(side + name))
            limbs = [[place[a], place[b]] for a, b in skeleton.limbs]
            draw["limbs"] += [limb for limb in limbs if limb not in draw["limbs"]]
            data["flip_pairs"] += [[place[a], place[b]] for a, b in skeleton.flip_pairs]
    data["flip_pairs"] = _flip_pairs(data["keypoints"], data["flip_pairs"])
    if None not in sigmas:
        data["oks_sigmas"] = sigmas
    else:
        data.pop("oks_sigmas", None)
    return skeleton_from_dict(data, data["name"])


def _flip_pairs(names: List[str], known: List[List[int]]) -> List[List[int]]:
    """The pairs of all networks, and left and right hand, each once."""
    pairs: List[List[int]] = []
    for pair in known + [[i, names.index("right_" + name[5:])] for i, name in enumerate(names)
                         if name.startswith("left_") and "right_" + name[5:] in names]:
        if sorted(pair) not in [sorted(other) for other in pairs]:
            pairs.append(pair)
    return pairs
