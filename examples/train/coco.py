"""Labelled photographs from an annotation file in COCO's format, as arrays of the skeleton to be learnt."""

import json
import pathlib
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wholebody.skeletons import Skeleton

LABELLED = 1               # COCO's v: 0 unlabelled, 1 hidden, 2 visible


@dataclass(frozen=True)
class Photograph:
    """One photograph with its people."""

    image_id: int
    path: pathlib.Path
    size: Tuple[int, int]
    """Width and height, pixels."""
    keypoints: np.ndarray
    """(N, K, 2) float32, continuous pixels, as wb-eval compares them: pixel i covers i to i + 1."""
    known: np.ndarray
    """(N, K) bool: labelled, hidden or not."""
    unlabelled_xyxy: np.ndarray
    """(M, 4) float32: boxes of people and crowds nobody labelled; no label counts inside."""


def load_photographs(annotations: pathlib.Path, images: pathlib.Path, skeleton: Skeleton, labels: Skeleton,
                     names: Optional[Sequence[str]] = None) -> List[Photograph]:
    """All photographs of the file, or those named (with or without suffix), in the order of the file.

    `labels` is the skeleton of the file; what `skeleton` has more is the mean of its sources, a neck for one.
    """
    data = json.loads(annotations.read_text(encoding="utf-8"))
    entries: Dict[int, List[Dict[str, Any]]] = {}
    for entry in data["annotations"]:
        entries.setdefault(entry["image_id"], []).append(entry)
    wanted = None if names is None else {pathlib.PurePath(name).stem for name in names}
    photographs = []
    for image in data["images"]:
        if wanted is None or pathlib.PurePath(image["file_name"]).stem in wanted:
            photographs.append(_photograph(image, entries.get(image["id"], []), images, skeleton, labels))
    if not photographs:
        raise ValueError("%s: no photograph is left; expected %s" % (annotations, "the names of the split among its "
                         "images" if wanted else "images"))
    if wanted is not None and len(photographs) != len(wanted):
        raise ValueError("%s: %d names of the split are not among its images"
                         % (annotations, len(wanted) - len(photographs)))
    return photographs


def _photograph(image: Dict[str, Any], entries: Sequence[Dict[str, Any]], images: pathlib.Path, skeleton: Skeleton,
                labels: Skeleton) -> Photograph:
    keypoints, known, boxes = [], [], []
    for entry in entries:
        if entry.get("ignore") or entry.get("iscrowd") or not entry.get("num_keypoints"):
            x, y, width, height = entry["bbox"]
            boxes.append((x, y, x + width, y + height))
            continue
        triples = np.array(entry["keypoints"], np.float32).reshape(-1, 3)
        if len(triples) != len(labels.keypoints):
            raise ValueError("image %d: expected %d keypoints (%s), got %d"
                             % (image["id"], len(labels.keypoints), labels.name, len(triples)))
        points, seen = _converted(triples, skeleton, labels)
        keypoints.append(points)
        known.append(seen)
    count = len(skeleton.keypoints)
    return Photograph(image["id"], images / image["file_name"], (image["width"], image["height"]),
                      np.array(keypoints, np.float32).reshape(-1, count, 2),
                      np.array(known, bool).reshape(-1, count), np.array(boxes, np.float32).reshape(-1, 4))


def _converted(triples: np.ndarray, skeleton: Skeleton, labels: Skeleton) -> Tuple[np.ndarray, np.ndarray]:
    points, known = np.zeros((len(skeleton.keypoints), 2), np.float32), np.zeros(len(skeleton.keypoints), bool)
    for k, sources in enumerate(labels.sources_of(skeleton)):
        chosen = triples[list(sources)]
        if sources and (chosen[:, 2] >= LABELLED).all():
            points[k], known[k] = chosen[:, :2].mean(axis=0), True
    return points, known
