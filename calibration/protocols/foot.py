"""OpenPose's foot set: AP over six points, three a foot."""
from typing import Any

from wholebody.calibration.protocols.base import Truth
from wholebody.calibration.protocols.by_part import ByPart
from wholebody.calibration.protocols.files import read_entries
from wholebody.calibration.protocols.oks import Part
from wholebody.skeletons import get_skeleton, skeleton_from_dict

_COUNT = 6
_WHOLEBODY = get_skeleton("WHOLEBODY_133")
_FEET = _WHOLEBODY.part("foot")  # in the order of the foot set
_NAMES = [_WHOLEBODY.keypoints[i] for i in _FEET]


def _feet(entry: dict[str, Any]) -> list[float]:
    values: list[float] = entry["keypoints"]
    return values


class Foot(ByPart):
    """Labels have the body's 17 points and then the feet's; results have the feet's, as `wb-run --coco` writes them.

    OpenPose published no sigmas for them: COCO-WholeBody's are taken, as everybody does.
    """

    name = "foot"
    skeleton = skeleton_from_dict({"name": "FOOT_6", "keypoints": _NAMES, "draw": {"limbs": [[0, 1], [0, 2], [3, 4],
                                                                                           [3, 5]]}})
    parts = [Part("foot", tuple((_WHOLEBODY.oks_sigmas or ())[i] for i in _FEET), _feet)]

    def load(self, path: str) -> Truth:
        truth = super().load(path)
        return Truth(truth.dataset, truth.where, [_only_feet(label) for label in truth.data])

    def read(self, path: str, truth: Truth) -> list[dict[str, Any]]:
        return [_only_feet(entry) for entry in read_entries(path, truth, {"keypoints": self.counts()})]

    def counts(self) -> tuple[int, ...]:
        return 18, 69


def _only_feet(entry: dict[str, Any]) -> dict[str, Any]:
    return dict(entry, keypoints=entry["keypoints"][-3 * _COUNT:])


PROTOCOL = Foot()
