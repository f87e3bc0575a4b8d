"""Faces: normalised mean error (NME) of 68 or 98 points, by the distance of the outer corners of the eyes."""
from typing import Any

import numpy as np

from wholebody.calibration.protocols.base import Weights
from wholebody.calibration.protocols.landmarks import Floats, Landmarks, Offsets, Thing
from wholebody.calibration.protocols.writing import map_to, person_score, rows_of
from wholebody.poses import Poses
from wholebody.skeletons import Skeleton, get_skeleton

_CORNERS = {68: (36, 45), 98: (60, 72)}  # of 300-W's points, and of WFLW's
_FAILURE = 0.1


class Face(Landmarks):
    """Faces of 300-W, WFLW and the like as COCO annotations, or the faces of COCO-WholeBody."""

    name = part = "face"
    fields = {"face_kpts": ""}
    counts = tuple(_CORNERS)
    headline, quality = "NME", "NME"

    def measurable(self, label: Thing) -> bool:
        first, last = _CORNERS[len(label.rows)]
        seen = label.rows[[first, last], 2] > 0
        return super().measurable(label) and bool(seen.all()) and _between(label) > 0

    def statistics(self, offsets: Offsets, weights: Weights) -> dict[str, float]:
        """A face that was not found is a failure, but has no error."""
        total = max(int(weights.sum()), 1)
        found = weights * offsets.found
        error = offsets.errors
        mean = error * np.array([_between(label) for label in offsets.labels])
        boxes = np.array([np.sqrt(label.box[2] * label.box[3]) for label in offsets.labels])
        within = offsets.found & (error <= _FAILURE)
        return {"NME": offsets.mean_error(weights), "NME_box": _mean(mean / boxes, found),
                "FR_0.1": float((weights * ~within).sum()) / total,
                "AUC_0.1": float((weights * within * (1 - error / _FAILURE)).sum()) / total,
                "found": float(found.sum()) / total}

    def error(self, label: Thing, apart: Floats) -> tuple[float, float]:
        return float(np.nanmean(apart)) / _between(label), 1.0

    def skeleton(self, count: int) -> Skeleton:
        return get_skeleton("FACE_68") if count == 68 else super().skeleton(count)

    def entries(self, image_id: int, poses: Poses, sided: bool, count: int) -> list[dict[str, Any]]:  # noqa: ARG002
        rows = rows_of(map_to(poses, self.skeleton(count)))
        return [{"image_id": image_id, "category_id": 1, "keypoints": row.ravel().tolist(),
                 "score": person_score(poses, i)} for i, row in enumerate(rows) if row.any()]


def _between(label: Thing) -> float:
    first, last = _CORNERS[len(label.rows)]
    return float(np.linalg.norm(label.rows[first, :2] - label.rows[last, :2]))


def _mean(values: Floats, weights: Weights) -> float:
    return float((values * weights).sum()) / max(int(weights.sum()), 1)


PROTOCOL = Face()
