"""The COCO keypoint protocol: pycocotools does the arithmetic, we say which images were worst."""
import contextlib
import io
from typing import Any

import numpy as np

from wholebody.calibration.protocols.base import ImageErrors, Report, Truth, Weights, worst_first
from wholebody.calibration.protocols.files import check_label, layout, read_coco, read_entries
from wholebody.calibration.protocols.oks import STATISTICS, errors_of, matches_of, run_quietly, statistics_of
from wholebody.errors import EvaluationError
from wholebody.packages import require

_PART, _HEADLINE = "body", "AP"


def load_annotations(path: str) -> Any:
    """pycocotools' view of an annotation file with person keypoints."""
    coco = require("pycocotools.coco", "eval")
    data = read_coco(path)
    if not any("keypoints" in entry for entry in data["annotations"]):
        raise EvaluationError(f"{path}: no annotation has keypoints; expected a person_keypoints file")
    for entry in data["annotations"]:
        check_label(entry, (51,), path)
        entry.setdefault("iscrowd", 0)
        if type(entry.get("id")) is not int or type(entry.get("num_keypoints")) is not int:
            raise EvaluationError(f"{path}: annotation {str(entry.get('id'))[:40]}: id and num_keypoints: expected "
                                  f"whole numbers, got {str(entry.get('num_keypoints'))[:40]}")
    truth = coco.COCO()
    truth.dataset = data
    with contextlib.redirect_stdout(io.StringIO()), layout(path, "COCO annotations"):
        truth.createIndex()
    return truth


def read_results(truth: Any, path: str) -> list[dict[str, Any]]:
    """A COCO results file of these images."""
    entries = read_entries(path, Truth(truth.dataset, path), {"keypoints": (51,)})
    for i, entry in enumerate(entries):
        if type(entry.get("category_id")) is not int:
            raise EvaluationError(f"{path}: entry {i}: expected a category_id, 1 for a person, got "
                                  f"{str(entry.get('category_id'))[:40]}")
    return entries


def evaluate(truth: Any, results: str) -> Report:
    """Results file against annotations, over all images of the annotation file."""
    return evaluate_entries(truth, read_results(truth, results))


def evaluate_entries(truth: Any, entries: list[dict[str, Any]]) -> Report:
    """The same of results that were read."""
    cocoeval = require("pycocotools.cocoeval", "eval")
    people = _labelled(truth)
    images = tuple(sorted(truth.imgs))
    if not entries:
        errors = worst_first(ImageErrors(i, count, 0, 0.0) for i, count in people.items())
        return _report(len(images), sum(people.values()), 0, dict.fromkeys(STATISTICS, 0.0), errors, images,
                       lambda _: {_PART: 0.0})
    # loadRes writes into what it is given.
    protocol = run_quietly(cocoeval.COCOeval(truth, _load_results(truth, [dict(entry) for entry in entries]),
                                             "keypoints"))
    matches = matches_of(protocol)

    def measure(weights: Weights) -> dict[str, float]:
        return {_PART: matches.average_precision(np.asarray(weights))}

    return _report(len(images), sum(people.values()), len(entries), statistics_of(protocol), errors_of(protocol),
                   images, measure)


def _report(images: int, labelled: int, found: int, statistics: dict[str, float], worst: tuple[ImageErrors, ...],
            units: tuple[Any, ...], measure: Any) -> Report:
    return Report("coco", images, labelled, found, {_PART: statistics}, (_PART, _HEADLINE), worst, units, measure)


def _load_results(truth: Any, entries: list[dict[str, Any]]) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return truth.loadRes(entries)


def _labelled(truth: Any) -> dict[int, int]:
    counts = {image["id"]: 0 for image in truth.dataset["images"]}
    for entry in truth.dataset["annotations"]:
        if entry.get("num_keypoints", 0) > 0 and not entry.get("iscrowd", 0):
            counts[entry["image_id"]] = counts.get(entry["image_id"], 0) + 1
    return counts
