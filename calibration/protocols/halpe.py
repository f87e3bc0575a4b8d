"""Halpe: AP of body, feet, face, hands and all of its 136 points, or of its 26 points of body and feet."""
from collections.abc import Callable
from typing import Any

from wholebody.calibration.protocols.base import Truth
from wholebody.calibration.protocols.by_part import ByPart
from wholebody.calibration.protocols.files import read_entries
from wholebody.calibration.protocols.oks import Part
from wholebody.skeletons import Skeleton, get_skeleton

_PARTS = {"body": ("body",), "foot": ("foot",), "face": ("face",), "hand": ("left_hand", "right_hand")}


def _points(indices: tuple[int, ...]) -> Callable[[dict[str, Any]], list[float]]:
    def of(entry: dict[str, Any]) -> list[float]:
        values = entry["keypoints"]
        return [values[3 * i + k] for i in indices for k in range(3)]
    return of


def _parts(skeleton: Skeleton) -> list[Part]:
    """A result counts in every part when any of its points was found, as in the official evaluation."""
    sigmas = skeleton.oks_sigmas or ()
    parts = []
    for name, of in [*_PARTS.items(), ("full", tuple(part for part, _ in skeleton.parts))]:
        indices = tuple(sorted(i for part in of for i in skeleton.part(part)))
        if indices:
            parts.append(Part(name, tuple(sigmas[i] for i in indices), _points(indices), drops_unseen=False,
                              crowds_count=True))
    return parts


class Halpe(ByPart):
    """As halpecocotools does it; a crowd counts like anybody there."""

    def __init__(self, name: str, skeleton: str) -> None:
        self.name, self.skeleton = name, get_skeleton(skeleton)
        self.parts = _parts(self.skeleton)
        self._numbers = 3 * len(self.skeleton.keypoints)

    def load(self, path: str) -> Truth:
        truth = super().load(path)
        return Truth(truth.dataset, truth.where, [dict(label, keypoints=label["keypoints"][:self._numbers])
                                                  for label in truth.data])

    def read(self, path: str, truth: Truth) -> list[dict[str, Any]]:
        entries = read_entries(path, truth, {"keypoints": self.counts()})
        cut = [dict(entry, keypoints=entry["keypoints"][:self._numbers]) for entry in entries]
        return [entry for entry in cut if any(v > 0 for v in entry["keypoints"][2::3])]

    def counts(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((self._numbers, 3 * 136)))  # Halpe-26 are the first points of Halpe-136


PROTOCOL = Halpe("halpe", "HALPE_136")
