"""Reading labels and results of PoseTrack and MPII: the `annolist` layout of 2017, and PoseTrack's of 2018."""
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from wholebody.calibration.protocols.files import layout, read_json
from wholebody.calibration.protocols.head_sizes import Floats, LabelledFrame, People, head_size, nobody
from wholebody.errors import EvaluationError

_LARGEST = 1e6


def files_of(path: str, what: str) -> list[tuple[str, Any]]:
    """A JSON file, or every one of a folder in the order of their names."""
    place = pathlib.Path(path)
    if not place.is_dir():
        return [(path, read_json(path, what))]
    files = sorted(place.glob("*.json"))
    if not files:
        raise EvaluationError(f"{path}: no .json file in this folder; expected {what}, one file a sequence")
    return [(str(file), read_json(str(file), what)) for file in files]


def annolist_frames(data: dict[str, Any], where: str, ids: Sequence[int], first: int) -> Iterator[tuple[str,
                                                                                                       LabelledFrame]]:
    """Picture names and frames, numbered from `first`; `ids` are the file's numbers of the joints, in our order."""
    for i, image in enumerate(data["annolist"]):
        with layout(f"{where}: annolist {i}", "an entry of MPII's and PoseTrack's annotation lists"):
            name = str(_only(image.get("image", {})).get("name", ""))
            people = [person for person in _list(image.get("annorect", [])) if person]
            regions = tuple(np.array([[_only(p["x"]), _only(p["y"])] for p in _list(region.get("point", []))], float)
                            for region in _list(image.get("ignore_regions", [])))
            sequence = str(pathlib.PurePosixPath(name).parent) + "|" + where
            frame = LabelledFrame(first + i, sequence, _people(people, f"{where}: {name}", ids),
                                  tuple(map(checked, regions)), bool(people))
        yield name, frame


def _people(rects: list[dict[str, Any]], where: str, ids: Sequence[int]) -> People:
    rows = [rect for rect in rects if _points(rect) is not None]
    if not rows:
        return nobody(len(ids))
    points = np.zeros((len(rows), len(ids), 2))
    there, scores = np.zeros(points.shape[:2], bool), np.zeros(points.shape[:2])
    for i, rect in enumerate(rows):
        for point in _points(rect) or []:
            number = _only(point.get("id", -1))
            if number in ids:
                j = ids.index(number)
                points[i, j], there[i, j] = (_only(point["x"]), _only(point["y"])), True
                scores[i, j] = _only(point.get("score", 0.0))
    return People(checked(points), there, checked(np.array([_head(rect, where) for rect in rows])), checked(scores),
                  [_track(_only(rect.get("track_id"))) for rect in rows])


def checked(values: Floats) -> Floats:
    """ValueError unless all are numbers of a picture."""
    if not (np.abs(values) < _LARGEST).all():
        raise ValueError("a number that no picture has")
    return values


def _track(number: Any) -> int | None:
    if number is not None and type(number) is not int:
        raise ValueError(f"track_id {str(number)[:40]}")
    return number


def _head(rect: dict[str, Any], where: str) -> float:
    """0 where there is no box, as in results."""
    if not {"x1", "y1", "x2", "y2"} <= set(rect):
        return 0.0
    size = head_size(*(float(_only(rect[name])) for name in ("x1", "y1", "x2", "y2")))
    if size == 0:
        raise EvaluationError(f"{where}: a head's box without a size; expected x1, y1, x2, y2 of it")
    return size


def _points(rect: dict[str, Any]) -> list[dict[str, Any]] | None:
    """None where somebody has no `point` at all."""
    inner = _only(rect.get("annopoints"))
    return _list(inner["point"]) if isinstance(inner, dict) and "point" in inner else None


def _only(value: Any) -> Any:
    """Many values are lists of one in this layout."""
    return (value[0] if value else {}) if isinstance(value, list) else value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def posetrack_people(entries: list[dict[str, Any]], joints: Sequence[int | None]) -> People:
    """Of PoseTrack 2018: `joints` are the places of ours among the file's keypoints; 0, 0, 0 is none."""
    rows, scores, heads = np.zeros((len(entries), len(joints), 3)), np.zeros((len(entries), len(joints))), []
    for i, entry in enumerate(entries):
        values = np.array(entry["keypoints"], float).reshape(-1, 3)
        given = entry.get("scores") or [float(entry.get("score", 0.0))] * len(values)
        for j, k in enumerate(joints):
            if k is not None and k < len(values):
                rows[i, j], scores[i, j] = values[k], given[k]
        x, y, width, height = entry.get("bbox_head", (0, 0, 0, 0))
        heads.append(head_size(x, y, x + width, y + height))
    if not entries:
        return nobody(len(joints))
    return People(checked(rows[..., :2]), np.asarray(rows.any(axis=2)), checked(np.array(heads)), checked(scores),
                  [_track(entry.get("track_id")) for entry in entries])
