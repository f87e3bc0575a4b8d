"""AlphaPose's result files: one JSON for all frames, and for its two other formats one a frame beside it."""
import contextlib
import json
import pathlib
from typing import IO, Any, Callable, Dict, List, Optional

import numpy as np

from wholebody.errors import OutputError
from wholebody.files import PartialFile, PathLike, check_target, claim_folder, output_error, write_text
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks.base import Details, Sink

_VERSION = "AlphaPose v0.3"
_SEPARATE = "sep-json"
# COCO_18 as these two formats have it, from COCO_17 and the neck (17) behind it.
_EIGHTEEN = (0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_SHOULDERS = [5, 6]


class AlphaPoseJson(Sink):
    """FILE, and for cmu and open the folder sep-json beside it. Frames without people are not in it, as in AlphaPose's.

    An image is called what its frame is: the file's name without its ending.
    """

    def __init__(self, file: PathLike, fmt: str = "default", overwrite: bool = False) -> None:
        if fmt not in FORMATS:
            raise OutputError("unknown AlphaPose format %r; known: %s" % (fmt, ", ".join(FORMATS)))
        self.target, self._overwrite, self._format = pathlib.Path(file), overwrite, fmt
        self._brackets = "[]" if fmt == "default" else "{}"
        check_target(self.target, overwrite)
        self._folder = None if fmt == "default" else claim_folder(self.target.parent / _SEPARATE)
        self._partial: Optional[PartialFile] = None
        self._file: Optional[IO[str]] = None
        self._entries, self._done = 0, False

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - the same for all
        if not len(result.poses):
            return
        told = FORMATS[self._format](frame.source, result.poses)
        if self._folder is None:
            for entry in told:
                self._add(json.dumps(entry))
            return
        text = json.dumps(told)
        self._add("%s: %s" % (json.dumps(frame.source), text))
        write_text(self._folder / (pathlib.PurePath(frame.source).name + ".json"), text, self._overwrite)

    def close(self) -> None:
        if self._done:
            return
        self._append(self._brackets[1])
        if self._file is not None and self._partial is not None:
            try:
                self._file.close()
            except OSError as error:
                raise output_error(self.target, error) from error
            self._partial.commit()
        self._file, self._partial, self._done = None, None, True

    def abort(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # the disk is full: it is removed anyway
                self._file.close()
        if self._partial is not None:
            self._partial.discard()
        self._file, self._partial, self._done = None, None, True

    def _add(self, entry: str) -> None:
        self._append((", " if self._entries else "") + entry)
        self._entries += 1

    def _append(self, text: str) -> None:
        try:
            if self._file is None:
                self._partial = PartialFile(self.target, self._overwrite)
                self._file = self._partial.path.open("w", encoding="utf-8", newline="")
                self._file.write(self._brackets[0])
            self._file.write(text)
        except OSError as error:
            raise output_error(self.target, error) from error


def _default(name: str, poses: Poses) -> List[Dict[str, Any]]:
    """One entry a person: keypoints x, y, score; the box it was found in as x, y, width, height."""
    rows = _rows(poses)
    boxes = np.nan_to_num(poses.boxes_xyxy).astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    ids = list(range(len(poses))) if poses.ids is None else [int(i) for i in poses.ids]
    return [{"image_id": name, "category_id": 1, "keypoints": row.ravel().tolist(), "score": float(score),
             "box": box.tolist(), "idx": number}
            for row, score, box, number in zip(rows, np.nan_to_num(poses.person_scores), boxes, ids)]


def _cmu(name: str, poses: Poses) -> Dict[str, Any]:  # noqa: ARG001 - as the other formats
    return {"version": _VERSION, "bodies": [{"joints": row} for row in _eighteen(poses)]}


def _open(name: str, poses: Poses) -> Dict[str, Any]:  # noqa: ARG001
    return {"version": _VERSION, "people": [{"pose_keypoints_2d": row} for row in _eighteen(poses)]}


def _eighteen(poses: Poses) -> List[List[float]]:
    """COCO's 17 points by name and the mean of both shoulders, scores as well: right for every set that has them.

    AlphaPose itself is right for 17 points only; of more it takes number 17 for the neck.
    """
    rows = _rows(poses.to_skeleton("COCO_17"))
    neck = rows[:, _SHOULDERS].mean(axis=1, keepdims=True)
    picked = np.concatenate([rows, neck], axis=1)[:, list(_EIGHTEEN)]
    return [row.ravel().tolist() for row in picked]


def _rows(poses: Poses) -> Any:
    rows = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2).astype(np.float64)
    rows[~np.isfinite(rows).all(axis=2)] = 0  # JSON has no NaN: not found
    return rows


FORMATS: Dict[str, Callable[[str, Poses], Any]] = {"default": _default, "cmu": _cmu, "open": _open}
