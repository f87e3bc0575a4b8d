"""COCO-WholeBody: AP of body, feet, face, left and right hand, and of all 133 points."""
from collections.abc import Callable
from typing import Any

from wholebody.calibration.protocols.base import Truth
from wholebody.calibration.protocols.by_part import ByPart
from wholebody.calibration.protocols.files import check_numbers, read_entries
from wholebody.calibration.protocols.oks import Part
from wholebody.skeletons import get_skeleton

# Field of the file -> part of the skeleton, in the order of the 133 points.
_FIELDS = {"keypoints": "body", "foot_kpts": "foot", "face_kpts": "face", "lefthand_kpts": "left_hand",
           "righthand_kpts": "right_hand"}
_POINTS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
_SCORES = {"keypoints": "score", "foot_kpts": "foot_score", "face_kpts": "face_score",
           "lefthand_kpts": "lefthand_score", "righthand_kpts": "righthand_score"}
_ALL_SCORES = (*_SCORES.values(), "wholebody_score")


def _all_points(entry: dict[str, Any]) -> list[float]:
    return [value for field in _FIELDS for value in entry[field]]


def _field(name: str) -> Callable[[dict[str, Any]], list[float]]:
    def of(entry: dict[str, Any]) -> list[float]:
        values: list[float] = entry[name]
        return values
    return of


def _parts() -> list[Part]:
    skeleton = get_skeleton("WHOLEBODY_133")
    sigmas = skeleton.oks_sigmas or ()
    parts = [Part(part, tuple(sigmas[i] for i in skeleton.part(part)), _field(field), _SCORES[field])
             for field, part in _FIELDS.items()]
    return [*parts, Part("whole", sigmas, _all_points, "wholebody_score")]


class CocoWholeBody(ByPart):
    """As its official evaluation does it; a result without a part's score is ranked by `score` there."""

    name = "coco-wholebody"
    skeleton = get_skeleton("WHOLEBODY_133")
    parts = _parts()

    def whole(self, entry: dict[str, Any]) -> list[float]:
        return _all_points(entry)

    def check_label(self, label: dict[str, Any], where: str) -> None:
        super().check_label(label, where)
        for field, count in _POINTS.items():
            check_numbers(label.get(field), (3 * count,), f"{where}: annotation {label.get('id')}: {field}")

    def counts(self) -> tuple[int, ...]:
        return (3 * _POINTS["keypoints"],)

    def read(self, path: str, truth: Truth) -> list[dict[str, Any]]:
        entries = read_entries(path, truth, {field: (3 * count,) for field, count in _POINTS.items()})
        for i, entry in enumerate(entries):
            for name in _ALL_SCORES:
                check_numbers([entry.get(name, 0)], (1,), f"{path}: entry {i}: {name}")
        return entries

    def entry(self, image_id: int, values: list[float], score: float) -> dict[str, Any]:
        entry: dict[str, Any] = {"image_id": image_id, "category_id": 1, "score": score}
        start = 0
        for field, count in _POINTS.items():
            entry[field] = values[start:start + 3 * count]
            start += 3 * count
        return entry


PROTOCOL = CocoWholeBody()
