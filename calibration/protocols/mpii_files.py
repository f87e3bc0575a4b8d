"""The files of MPII with one person at a time: labels as JSON with MATLAB's heads beside them, and predictions."""
import pathlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wholebody.calibration.protocols.annolist import checked
from wholebody.calibration.protocols.files import layout, read_json
from wholebody.calibration.protocols.head_sizes import LabelledFrame, People, head_size
from wholebody.errors import EvaluationError
from wholebody.packages import require

_FIELDS = ("image", "joints", "joints_vis", "center", "scale")
_JOINTS = 16
_SIDE, _DOWN = 200.0, 15.0  # pixels of a person of scale 1, and how far below its centre the box's is


class Labels(NamedTuple):
    """As the files list them: one person an entry, several a picture; image_ids say which."""

    image_ids: npt.NDArray[np.int64]   # (N,)
    people: People
    frames: list[LabelledFrame]
    boxes: list[list[float]]           # x, y, width, height


def read_labels(path: str) -> tuple[list[str], Labels]:
    """Names of the images, whose numbers count from 1, and who is in them."""
    entries = read_json(path, "annotations")
    if not isinstance(entries, list) or not entries or not all(
            isinstance(entry, dict) and set(_FIELDS) <= set(entry) for entry in entries):
        raise EvaluationError(f"{path}: expected MPII's list of people with {', '.join(_FIELDS)}, as mpii_val.json has "
                              "them")
    from_mat = _from_mat(path, len(entries))
    with layout(path, "MPII's list of people"):
        return _read_labels(entries, from_mat or _from_entries(entries, path))


def _read_labels(entries: list[dict[str, Any]], of: tuple[Any, Any, Any]) -> tuple[list[str], Labels]:
    points, there, heads = checked(of[0]), of[1], checked(of[2])
    names = list(dict.fromkeys(entry["image"] for entry in entries))
    if not all(isinstance(name, str) for name in names):
        raise ValueError("an image whose name is no text")
    numbers = {name: i for i, name in enumerate(names, 1)}
    ids = np.array([numbers[entry["image"]] for entry in entries])
    people = People(points, there, heads, np.zeros(there.shape), [None] * len(entries))
    frames = [LabelledFrame(i, "", _some(people, np.flatnonzero(ids == i))) for i in range(1, len(names) + 1)]
    return names, Labels(ids, people, frames, [_box(entry) for entry in entries])


def _mat_name(place: pathlib.Path) -> str:
    """Of the file with the heads: mpii_gt_val.mat for mpii_val.json, gt_valid.mat for valid.json."""
    return place.stem.replace("val", "gt_val", 1) + ".mat"


def _from_mat(path: str, count: int) -> tuple[Any, Any, Any] | None:
    """Joints, which are there, and head sizes of the file beside mpii_val.json or valid.json; None without one."""
    place = pathlib.Path(path)
    mat = place.with_name(_mat_name(place))
    if not mat.is_file():
        return None
    data = require("scipy.io", "eval").loadmat(str(mat))
    points = np.moveaxis(np.asarray(data["pos_gt_src"], float), 2, 0) - 1  # MATLAB counts from 1
    if len(points) != count:
        raise EvaluationError(f"{mat}: {len(points)} people, {path} has {count}; expected those of the same images")
    boxes = np.asarray(data["headboxes_src"], float)
    heads = np.array([head_size(*boxes[0, :, i], *boxes[1, :, i]) for i in range(count)])
    return points, np.asarray(data["jnt_missing"]).T == 0, heads


def _from_entries(entries: list[dict[str, Any]], path: str) -> tuple[Any, Any, Any]:
    missing = [i for i, entry in enumerate(entries) if "head_box" not in entry]
    if missing:
        raise EvaluationError(f"{path}: entry {missing[0]} has no head_box [x1, y1, x2, y2], by which distances count; "
                              f"put {_mat_name(pathlib.Path(path))} beside the file")
    points = np.array([entry["joints"] for entry in entries], float) - 1
    there = np.array([entry["joints_vis"] for entry in entries], float) > 0
    if points.shape != (len(entries), _JOINTS, 2) or there.shape != points.shape[:2]:
        raise ValueError(f"joints of shape {points.shape}, joints_vis of {there.shape}")
    return points, there, np.array([head_size(*entry["head_box"]) for entry in entries])


def read_predictions(path: str, labels: Labels) -> dict[int, People]:
    """`pred.mat`: one person for every label, in their order."""
    points = np.asarray(require("scipy.io", "eval").loadmat(path)["preds"], float)[..., :2] - 1
    if points.shape != labels.people.points.shape:
        raise EvaluationError(f"{path}: expected preds of shape {labels.people.points.shape}, got {points.shape}")
    found = People(points, np.ones(points.shape[:2], bool), np.zeros(len(points)), np.ones(points.shape[:2]),
                   list(range(len(points))))
    return {frame.image_id: _some(found, np.flatnonzero(labels.image_ids == frame.image_id))
            for frame in labels.frames}


def _some(people: People, rows: npt.NDArray[np.int64]) -> People:
    return People(people.points[rows], people.there[rows], people.heads[rows], people.scores[rows],
                  [people.tracks[i] for i in rows])


def _box(entry: dict[str, Any]) -> list[float]:
    x, y = entry["center"]
    scale = entry["scale"]
    side = _SIDE * scale
    return [float(v) for v in (x - side / 2, y + _DOWN * scale - side / 2, side, side)]
