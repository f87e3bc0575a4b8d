"""Boxes that are known without a network: from a COCO file, or the whole frame."""
import json
import pathlib
import re
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from wholebody.errors import SourceError
from wholebody.poses import Detections, Frame
from wholebody.runtime.detection.decoding import select
from wholebody.runtime.detection.finder import BoxFinder, Search
from wholebody.runtime.topdown.backend import Backend

_PERSON = 1  # COCO's category


class BoxesOfFile(BoxFinder):
    """Boxes of a COCO results file (a list with bbox and score) or of annotations (bbox of those with keypoints).

    A frame's are found by its file's name, where the annotations list it, or by the last number in its name.
    """

    def __init__(self, path: str, backend: Backend, least_score: float = 0.0, overlap: float = 1.0,
                 most: int = -1) -> None:
        """Boxes overlap as they will unless `overlap` is below 1."""
        self.path, self.backend, self.overlap, self.most = path, backend, overlap, most
        self._numbers, self._boxes = _read(path, least_score)

    def new_search(self) -> "_Lookup":
        """For one lane."""
        return _Lookup(self)

    def of(self, frame: Frame) -> Detections:
        """The boxes of one frame; none where the file has none."""
        name = pathlib.PurePath(frame.source).stem
        digits = re.findall(r"[0-9]+", name)
        if name not in self._numbers and not digits:
            raise SourceError("%s: boxes are found by the number in a frame's name, as in 000000001000.jpg; got %r"
                              % (self.path, frame.source))
        number = self._numbers[name] if name in self._numbers else int(digits[-1])
        found = self._boxes.get(number)
        if found is None:
            return Detections.empty()
        height, width = frame.image.shape[:2]
        return select(found, (width, height), self.overlap, self.backend, self.most)


class WholeFrame(BoxFinder):
    """One person, who fills the frame."""

    def new_search(self) -> "_Whole":
        """For one lane."""
        return _Whole()


class _Lookup(Search):
    def __init__(self, boxes: BoxesOfFile) -> None:
        self._boxes = boxes

    def boxes(self, frames: Sequence[Frame]) -> List[Detections]:
        return [self._boxes.of(frame) for frame in frames]


class _Whole(Search):
    def boxes(self, frames: Sequence[Frame]) -> List[Detections]:
        return [Detections(np.array([[0, 0, frame.image.shape[1], frame.image.shape[0]]], np.float32),
                           np.ones(1, np.float32)) for frame in frames]


def _read(path: str, least: float) -> "Tuple[Dict[str, int], Dict[int, Detections]]":
    """Image numbers by file name, and boxes by image number."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except OSError as error:
        raise SourceError("cannot read boxes %s: %s" % (path, error.strerror or error))
    except (ValueError, RecursionError) as error:
        raise SourceError("boxes %s: not valid JSON: %s" % (path, error))
    entries = data.get("annotations") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise SourceError("boxes %s: expected a COCO results list, or annotations, got %s"
                          % (path, type(data).__name__))
    rows: Dict[int, List[List[float]]] = {}
    for i, entry in enumerate(entries):
        number, row = _row(entry, "boxes %s: entry %d" % (path, i))
        if row and row[4] >= least:
            rows.setdefault(number, []).append(row)
    images = data.get("images", []) if isinstance(data, dict) else []
    names = {pathlib.PurePath(str(image["file_name"])).stem: int(image["id"]) for image in images
             if isinstance(image, dict) and "file_name" in image and "id" in image}
    return names, {number: _detections(found) for number, found in rows.items()}


def _row(entry: Any, where: str) -> Tuple[int, List[float]]:
    """Image number, and x0 y0 x1 y1 score; nothing for a crowd, something else than a person, or nobody labelled."""
    try:
        x, y, width, height = (float(value) for value in entry["bbox"])
        number, score = int(entry["image_id"]), float(entry.get("score", 1.0))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SourceError("%s: expected image_id, bbox [x, y, width, height] and, if it has one, a score" % where)
    wanted = (entry.get("category_id", _PERSON) == _PERSON and not entry.get("iscrowd", 0)
              and ("num_keypoints" not in entry or entry["num_keypoints"] > 0))
    return number, [x, y, x + width, y + height, score] if wanted else []


def _detections(rows: "List[List[float]]") -> Detections:
    array = np.array(rows, np.float32)
    return Detections(array[:, :4], array[:, 4])
