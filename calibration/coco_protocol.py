"""The COCO keypoint protocol: pycocotools does the arithmetic, we say which images were worst."""
import contextlib
import io
import json
import pathlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from wholebody.errors import EvaluationError
from wholebody.packages import require

STATISTICS = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")


@dataclass(frozen=True)
class ImageErrors:
    """What went wrong in one image, at OKS 0.5."""

    image_id: int
    missed: int   # labelled people that nobody found
    false: int    # people found where none is labelled
    oks: float    # mean of those found; 0 where none was


@dataclass(frozen=True)
class Evaluation:
    """The ten numbers of the protocol, and the images from worst to best."""

    images: int
    labelled: int
    found: int
    statistics: dict[str, float]
    worst: tuple[ImageErrors, ...]

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        return {"protocol": "coco", "images": self.images, "labelled": self.labelled, "found": self.found,
                "statistics": self.statistics,
                "worst": [{"image_id": e.image_id, "missed": e.missed, "false": e.false, "oks": round(e.oks, 4)}
                          for e in self.worst]}


def load_annotations(path: str) -> Any:
    """pycocotools' view of an annotation file with person keypoints."""
    coco = require("pycocotools.coco", "eval")
    data = _read_json(path, "annotations")
    if not isinstance(data, dict) or not {"images", "annotations", "categories"} <= set(data):
        raise EvaluationError(f"{path}: expected COCO annotations with images, annotations and categories")
    if not any("keypoints" in entry for entry in data["annotations"]):
        raise EvaluationError(f"{path}: no annotation has keypoints; expected a person_keypoints file")
    truth = coco.COCO()
    truth.dataset = data
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth


def evaluate(truth: Any, results: str) -> Evaluation:
    """Results file against annotations, over all images of the annotation file."""
    cocoeval = require("pycocotools.cocoeval", "eval")
    entries = _read_json(results, "results")
    _check_results(entries, results, {image["id"] for image in truth.dataset["images"]})
    if not entries:
        labelled = _labelled(truth)
        return Evaluation(len(truth.imgs), sum(labelled.values()), 0, dict.fromkeys(STATISTICS, 0.0), tuple(
            sorted((ImageErrors(i, count, 0, 0.0) for i, count in labelled.items()), key=_badness)))
    with contextlib.redirect_stdout(io.StringIO()):
        protocol = cocoeval.COCOeval(truth, truth.loadRes(entries), "keypoints")
        protocol.evaluate()
        protocol.accumulate()
        protocol.summarize()
    statistics = {name: round(float(value), 4) for name, value in zip(STATISTICS, protocol.stats)}
    return Evaluation(len(truth.imgs), sum(_labelled(truth).values()), len(entries), statistics, _worst(protocol))


def _worst(protocol: Any) -> tuple[ImageErrors, ...]:
    """Errors of each image at OKS 0.5, in the `all` range of areas."""
    everything = protocol.params.areaRng[0]
    errors = []
    for image in protocol.evalImgs:
        if image is None or image["aRng"] != everything:
            continue
        labelled = np.asarray(image["gtIgnore"]) == 0
        matched = np.asarray(image["gtMatches"])[0] > 0
        kept = np.asarray(image["dtIgnore"])[0] == 0
        hit = np.asarray(image["dtMatches"])[0] > 0
        # Without the OKS matrix in the same order the best label of each found person is what there is.
        oks = np.asarray(protocol.ious[image["image_id"], image["category_id"]])
        best = oks.max(axis=1)[:len(hit)][hit & kept] if oks.size and (hit & kept).any() else np.zeros(1)
        errors.append(ImageErrors(int(image["image_id"]), int((labelled & ~matched).sum()), int((kept & ~hit).sum()),
                                  float(best.mean())))
    return tuple(sorted(errors, key=_badness))


def _badness(errors: ImageErrors) -> tuple[int, float, int]:
    return -(errors.missed + errors.false), errors.oks, errors.image_id


def _labelled(truth: Any) -> dict[int, int]:
    counts = {image["id"]: 0 for image in truth.dataset["images"]}
    for entry in truth.dataset["annotations"]:
        if entry.get("num_keypoints", 0) > 0 and not entry.get("iscrowd", 0):
            counts[entry["image_id"]] = counts.get(entry["image_id"], 0) + 1
    return counts


def _check_results(entries: Any, where: str, images: set[int]) -> None:
    if not isinstance(entries, list):
        raise EvaluationError(f"{where}: expected a JSON array of COCO results, got {type(entries).__name__}")
    for i, entry in enumerate(entries):
        keypoints = entry.get("keypoints") if isinstance(entry, dict) else None
        if not isinstance(keypoints, list) or len(keypoints) != 51 or "score" not in entry:
            raise EvaluationError(f"{where}: entry {i}: expected image_id, score and 51 numbers of keypoints")
    foreign = sorted({entry.get("image_id") for entry in entries} - images, key=str)
    if foreign:
        raise EvaluationError(f"{where}: image_id {foreign[0]} is not in the annotations ({len(foreign)} such); "
                              "was it made from other images?")


def _read_json(path: str, what: str) -> Any:
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise EvaluationError(f"cannot read {what} {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{what} {path} are not valid JSON: {error}") from error
