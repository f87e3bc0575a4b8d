"""Protocols that measure AP by OKS part by part over one annotation file."""
import pathlib
from collections.abc import Sequence
from typing import Any

from wholebody.calibration.protocols.base import ImageErrors, Protocol, Report, Truth, Weights, worst_first
from wholebody.calibration.protocols.drawn import poses_of
from wholebody.calibration.protocols.files import check_label, read_coco
from wholebody.calibration.protocols.oks import STATISTICS, Part, errors_of, evaluate_part, matches_of, statistics_of
from wholebody.calibration.protocols.writing import ResultsFile, map_to, person_score, rows_of
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.runtime.sinks import Sink
from wholebody.skeletons import Skeleton


class ByPart(Protocol):
    """The last of `parts` is the headline; `skeleton` names all points, in the order in which `whole` lists them."""

    parts: Sequence[Part]
    skeleton: Skeleton

    def whole(self, entry: dict[str, Any]) -> list[float]:
        """x, y, v of every point of a label or a result."""
        values: list[float] = entry["keypoints"]
        return values

    def counts(self) -> tuple[int, ...]:
        """How many numbers `keypoints` of a label may have."""
        return (3 * len(self.skeleton.keypoints),)

    def check_label(self, label: dict[str, Any], where: str) -> None:
        """EvaluationError unless the label has the points of this protocol."""
        check_label(label, self.counts(), where)

    def load(self, path: str) -> Truth:
        data = read_coco(path)
        labels = [label for label in data["annotations"] if "keypoints" in label]
        if not labels:
            raise EvaluationError(f"{path}: no annotation has keypoints; expected those of {self.name}")
        for label in labels:
            self.check_label(label, path)
        return Truth(data, path, labels)

    def evaluate(self, truth: Truth, found: list[dict[str, Any]]) -> Report:
        images = truth.dataset["images"]
        units = tuple(sorted(image["id"] for image in images))
        parts, matches, worst = {}, {}, _all_missed(truth.data, self)
        for part in self.parts:
            if not found:
                parts[part.name] = dict.fromkeys(STATISTICS, 0.0)
                continue
            protocol = evaluate_part(images, truth.data, found, part)
            parts[part.name], matches[part.name], worst = (statistics_of(protocol), matches_of(protocol),
                                                           errors_of(protocol))

        def measure(weights: Weights) -> dict[str, float]:
            return {name: matches[name].average_precision(weights) if name in matches else 0.0 for name in parts}

        return Report(self.name, len(images), sum(_counts(label, self) for label in truth.data), len(found), parts,
                      (self.parts[-1].name, "AP"), worst, units, measure)

    def sink(self, path: pathlib.Path, truth: Truth) -> Sink:  # noqa: ARG002 - the same for all labels
        return ResultsFile(path, self.entries)

    def entries(self, image_id: int, poses: Poses) -> list[dict[str, Any]]:
        """A frame's people in the standard format."""
        rows = rows_of(map_to(poses, self.skeleton)).reshape(len(poses), -1)
        return [self.entry(image_id, row.tolist(), person_score(poses, i)) for i, row in enumerate(rows) if row.any()]

    def entry(self, image_id: int, values: list[float], score: float) -> dict[str, Any]:
        """One person in the standard format."""
        return {"image_id": image_id, "category_id": 1, "keypoints": values, "score": score}

    def poses(self, truth: Truth, found: list[dict[str, Any]], image_id: int) -> tuple[Poses, Poses]:
        labels, results = ([self.whole(entry) for entry in entries if entry["image_id"] == image_id]
                           for entries in (truth.data, found))
        return poses_of(labels, self.skeleton), poses_of(results, self.skeleton)


def _counts(label: dict[str, Any], protocol: ByPart) -> bool:
    crowd = label.get("iscrowd", 0) and not protocol.parts[-1].crowds_count
    return not crowd and any(v > 0 for v in protocol.whole(label)[2::3])


def _all_missed(labels: list[dict[str, Any]], protocol: ByPart) -> tuple[ImageErrors, ...]:
    missed: dict[int, int] = {}
    for label in labels:
        missed[label["image_id"]] = missed.get(label["image_id"], 0) + _counts(label, protocol)
    return worst_first(ImageErrors(image, count, 0, 0.0) for image, count in missed.items())
