"""COCO person keypoints: AP over 17 points."""
import pathlib
from typing import Any

from wholebody.calibration.coco_protocol import evaluate_entries, load_annotations, read_results
from wholebody.calibration.protocols.base import Protocol, Report, Truth
from wholebody.calibration.protocols.drawn import poses_of
from wholebody.poses import Poses
from wholebody.runtime.sinks import CocoJson, Sink


class Coco(Protocol):
    """AP of the body by OKS; results as `wb-run --coco` and every other tool writes them."""

    name = "coco"

    def load(self, path: str) -> Truth:
        coco = load_annotations(path)
        return Truth(coco.dataset, path, coco)

    def read(self, path: str, truth: Truth) -> list[dict[str, Any]]:
        return read_results(truth.data, path)

    def evaluate(self, truth: Truth, found: list[dict[str, Any]]) -> Report:
        return evaluate_entries(truth.data, found)

    def sink(self, path: pathlib.Path, truth: Truth) -> Sink:  # noqa: ARG002 - the same for all labels
        return CocoJson(path, overwrite=True)

    def poses(self, truth: Truth, found: list[dict[str, Any]], image_id: int) -> tuple[Poses, Poses]:
        labels = [entry for entry in truth.data.imgToAnns[image_id] if entry.get("num_keypoints", 0) > 0]
        return (poses_of([entry["keypoints"] for entry in labels], "COCO_17"),
                poses_of([entry["keypoints"] for entry in found if entry["image_id"] == image_id], "COCO_17"))


PROTOCOL = Coco()
