"""Hands: end-point error (EPE) in pixels, and the part of points within a fifth of the hand (PCK)."""
from typing import Any

import numpy as np

from wholebody.calibration.protocols.base import Weights
from wholebody.calibration.protocols.landmarks import Floats, Landmarks, Offsets, Thing
from wholebody.calibration.protocols.writing import map_to, person_score, rows_of
from wholebody.poses import Poses
from wholebody.skeletons import Skeleton, get_skeleton, skeleton_from_dict

_SIDES = {"lefthand_kpts": "left", "righthand_kpts": "right"}
_PCK, _FAR, _STEPS = 0.2, 30.0, 20  # of the box's longer side; pixels of the curve's end, and its steps


class Hand(Landmarks):
    """Hands of FreiHAND, OneHand10K, Panoptic and the like as COCO annotations, or those of COCO-WholeBody."""

    name = part = "hand"
    fields = _SIDES
    counts = (21,)
    headline, quality = "EPE", "EPE"

    def statistics(self, offsets: Offsets, weights: Weights) -> dict[str, float]:
        """A hand that was not found has no error, but none of its points is right."""
        often = weights[:, None] * ~np.isnan(offsets.pixels)
        right = np.where(np.isnan(offsets.pixels), np.inf, offsets.pixels)
        found = often * offsets.found[:, None]
        near = np.where(found > 0, right, 0.0)
        points = max(int(found.sum()), 1)
        lengths = offsets.lengths[:, None]
        curve = [_share(right < _FAR * i / _STEPS, often) for i in range(_STEPS)]
        return {"EPE": offsets.mean_error(weights), "NME_box": float((near / lengths * found).sum()) / points,
                "PCK_0.2": _share(right / lengths < _PCK, often), "AUC_30px": float(np.mean(curve)),
                "found": float((weights * offsets.found).sum()) / max(int(weights.sum()), 1)}

    def error(self, label: Thing, apart: Floats) -> tuple[float, float]:  # noqa: ARG002 - in pixels, however large
        return float(np.nansum(apart)), float((~np.isnan(apart)).sum())

    def skeleton(self, count: int) -> Skeleton:  # noqa: ARG002 - there is one
        return get_skeleton("HAND_21")

    def entries(self, image_id: int, poses: Poses, sided: bool, count: int) -> list[dict[str, Any]]:  # noqa: ARG002
        fields = {field: _one_side(side) for field, side in _SIDES.items()} if sided else {
            "keypoints": self.skeleton(count)}
        rows = {field: rows_of(map_to(poses, skeleton)) for field, skeleton in fields.items()}
        return [{"image_id": image_id, "category_id": 1, "score": person_score(poses, i),
                 **{field: of[i].ravel().tolist() for field, of in rows.items()}}
                for i in range(len(poses)) if any(of[i].any() for of in rows.values())]


def _one_side(side: str) -> Skeleton:
    both = get_skeleton("WHOLEBODY_133")
    return skeleton_from_dict({"name": f"{side.upper()}_HAND",
                               "keypoints": [both.keypoints[i] for i in both.part(f"{side}_hand")]})


def _share(right: Any, often: Any) -> float:
    """The mean over the points of the part of labels that have each of them right."""
    labelled = often.sum(axis=0)
    kept = labelled > 0
    return float(((right * often).sum(axis=0)[kept] / labelled[kept]).mean()) if kept.any() else 0.0


PROTOCOL = Hand()
