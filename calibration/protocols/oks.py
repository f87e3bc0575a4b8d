"""Average precision by object keypoint similarity, of a part of the body: pycocotools does the arithmetic."""
import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wholebody.calibration.protocols.base import ImageErrors, Weights, rounded, worst_first
from wholebody.packages import require

STATISTICS = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")
Values = list[float]
_EMPTY = {"info": {}, "categories": [{"id": 1, "name": "person"}]}


@dataclass(frozen=True)
class Part:
    """Which keypoints count: `of` takes x, y, v of each out of a label or a result."""

    name: str
    sigmas: tuple[float, ...]
    of: Callable[[dict[str, Any]], Values]
    score: str = "score"                       # the field of a result that ranks it; `score` where it is missing
    drops_unseen: bool = True                  # a result without a point of this part does not count at all
    crowds_count: bool = False                 # a crowd with a point of this part counts like anybody


def evaluate_part(images: list[dict[str, Any]], labels: list[dict[str, Any]], found: list[dict[str, Any]],
                  part: Part) -> Any:
    """pycocotools' COCOeval after its three steps; labels are not changed."""
    truth, results = _coco(images, _labels(labels, part)), _coco(images, _found(found, part))
    protocol = require("pycocotools.cocoeval", "eval").COCOeval(truth, results, "keypoints")
    protocol.params.kpt_oks_sigmas = np.array(part.sigmas)
    return run_quietly(protocol)


def run_quietly(protocol: Any) -> Any:
    """The three steps of a COCOeval, without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        protocol.evaluate()
        protocol.accumulate()
        protocol.summarize()
    return protocol


def statistics_of(protocol: Any) -> dict[str, float]:
    """The ten numbers."""
    return rounded(dict(zip(STATISTICS, protocol.stats, strict=True)))


def _coco(images: list[dict[str, Any]], entries: list[dict[str, Any]]) -> Any:
    coco = require("pycocotools.coco", "eval").COCO()
    coco.dataset = dict(_EMPTY, images=images, annotations=entries)
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _labels(labels: list[dict[str, Any]], part: Part) -> list[dict[str, Any]]:
    """Numbered from 1: pycocotools takes a match with number 0 for none."""
    entries = []
    for i, label in enumerate(labels, 1):
        values = part.of(label)
        seen = sum(v > 0 for v in values[2::3])
        crowd = 0 if part.crowds_count and seen else label.get("iscrowd", 0)
        entries.append({"id": i, "image_id": label["image_id"], "category_id": 1, "iscrowd": crowd,
                        "area": label["area"], "bbox": label["bbox"], "keypoints": values, "num_keypoints": seen})
    return entries


def _found(found: list[dict[str, Any]], part: Part) -> list[dict[str, Any]]:
    entries = []
    boxed = bool(found) and bool(found[0].get("bbox"))  # pycocotools asks the first entry for all
    for i, result in enumerate(found, 1):
        values = part.of(result)
        if any(v > 0 for v in values[2::3]) or not part.drops_unseen:
            entries.append({"id": i, "image_id": result["image_id"], "category_id": 1,
                            "score": result.get(part.score, result["score"]), "keypoints": values,
                            "area": _extent(result, boxed)})
    return entries


def _extent(result: dict[str, Any], boxed: bool) -> float:
    """What decides whether a false alarm is medium or large: of all points of `keypoints`, found or not."""
    if boxed:
        return float(result["bbox"][2] * result["bbox"][3])
    x, y = result["keypoints"][0::3], result["keypoints"][1::3]
    return float((max(x) - min(x)) * (max(y) - min(y)))


@dataclass(frozen=True)
class Matches:
    """Who was found at each OKS threshold, best score first: what AP is made of."""

    image: npt.NDArray[np.int64]      # (D,) index of the image of each result
    true: npt.NDArray[np.bool_]       # (T, D)
    false: npt.NDArray[np.bool_]      # (T, D); neither is ignored
    labelled: npt.NDArray[np.int64]   # (images,)
    recalls: npt.NDArray[np.float64]  # (R,) where precision is read

    def average_precision(self, weights: Weights) -> float:
        """AP where each image counts as often as `weights` says; NaN where nobody is labelled.

        That a person counts n times at once, and not one after the other, changes no number: between them precision
        rises or recall stays.
        """
        people = float((self.labelled * weights).sum())
        if people == 0:
            return float("nan")
        often = weights[self.image]
        true, false = np.cumsum(self.true * often, axis=1), np.cumsum(self.false * often, axis=1)
        precision = true / (true + false + np.spacing(1))
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        total = 0.0
        for hits, heights in zip(true / people, precision, strict=True):
            at = np.searchsorted(hits, self.recalls, side="left")
            total += float(heights[at[at < len(hits)]].sum())
        return total / (len(self.true) * len(self.recalls))


def matches_of(protocol: Any) -> Matches:
    """Of a COCOeval that ran, in its first range of areas, which is `all`."""
    params = protocol.params
    per_image = protocol.evalImgs[:len(params.imgIds)]
    kept = [(i, image) for i, image in enumerate(per_image) if image is not None]
    labelled = np.zeros(len(per_image), np.int64)
    for i, image in kept:
        labelled[i] = np.count_nonzero(np.asarray(image["gtIgnore"]) == 0)
    thresholds = len(params.iouThrs)
    none: list[Any] = [np.zeros((thresholds, 0))]
    hits = np.concatenate(none + [np.asarray(image["dtMatches"]) for _, image in kept], axis=1) > 0
    ignored = np.concatenate(none + [np.asarray(image["dtIgnore"]) for _, image in kept], axis=1) > 0
    scores = np.array([score for _, image in kept for score in image["dtScores"]])
    owner = np.array([i for i, image in kept for _ in image["dtScores"]], np.int64)
    order = np.argsort(-scores, kind="mergesort")
    hits, ignored = hits[:, order], ignored[:, order]
    return Matches(owner[order], hits & ~ignored, ~hits & ~ignored, labelled, np.asarray(params.recThrs))


def errors_of(protocol: Any) -> tuple[ImageErrors, ...]:
    """Errors of each image at OKS 0.5, in the `all` range of areas."""
    errors = []
    for image in protocol.evalImgs[:len(protocol.params.imgIds)]:
        if image is None:
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
    return worst_first(errors)
