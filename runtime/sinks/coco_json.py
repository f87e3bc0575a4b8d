"""COCO result files, byte for byte as OpenPose's `--write_coco_json` lays them out: one JSON array a variant."""
import contextlib
import pathlib
import re
from typing import IO, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wholebody.errors import OutputError
from wholebody.files import PartialFile, PathLike, check_target, output_error
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks.base import Details, Sink
from wholebody.skeletons import Skeleton, get_skeleton, skeleton_from_dict

_FEET = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")


def _set(name: str, keypoints: Sequence[str]) -> Skeleton:
    return skeleton_from_dict({"name": name, "keypoints": list(keypoints)})


def _hands(*parts: str) -> List[str]:
    sides = get_skeleton("WHOLEBODY_133")
    return [sides.keypoints[i] for part in parts for i in sides.part(part)]


# Which keypoints each variant lists, in order. hand21 is the right hand: OpenPose's choice.
_KEYPOINTS: Dict[str, Callable[[], Skeleton]] = {
    "body": lambda: get_skeleton("COCO_17"),
    "foot": lambda: _set("foot", _FEET),
    "face": lambda: _set("face", ["face_%d" % i for i in range(68)]),
    "hand21": lambda: _set("hand21", _hands("right_hand")),
    "hand42": lambda: _set("hand42", _hands("left_hand", "right_hand")),
}
VARIANTS = tuple(_KEYPOINTS)
# OpenPose takes the number in the picture's name for these two and the frame's number for the others.
_NAMED = ("body", "foot")


# OpenPose writes this file, unlike its other JSON, in its human-readable mode: line breaks and tabs, and %g numbers.
_ENTRY = '{\n\t\t"image_id":%%d,\n\t\t"category_id":1,\n\t\t"keypoints":[\n\t\t\t%s\n\t\t],\n\t\t"score":%%g\n\t}'
_OPEN, _BETWEEN, _CLOSE = "[\n\t", ",\n\t", "\n]\n"


class CocoJson(Sink):
    """FILE for the body; FILE_foot, FILE_face, FILE_hand21, FILE_hand42 for the other variants."""

    def __init__(self, file: PathLike, overwrite: bool = False, names: Sequence[str] = (),
                 variants: Sequence[str] = ("body",)) -> None:
        unknown = [name for name in variants if name not in VARIANTS]
        if unknown or not variants:
            raise OutputError("unknown COCO variant %r; known: %s" % ("".join(unknown[:1]), ", ".join(VARIANTS)))
        self._named = any(name in _NAMED for name in variants)
        if self._named:
            for name in names:
                image_id(name)
        self._variants = [_Variant(name, pathlib.Path(file), overwrite) for name in dict.fromkeys(variants)]

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - the same for all
        named = image_id(frame.source) if self._named else frame.index
        for variant in self._variants:
            variant.write(named if variant.name in _NAMED else frame.index, result.poses)

    def close(self) -> None:
        try:
            for variant in self._variants:
                variant.close()
        finally:
            self.abort()

    def abort(self) -> None:
        while self._variants:
            self._variants.pop().abort()


class _Variant:
    """One of the files: entries go into a temporary file as they come, `close` completes it."""

    def __init__(self, name: str, file: pathlib.Path, overwrite: bool) -> None:
        self.name = name
        self.target = file if name == "body" else file.with_name("%s_%s%s" % (file.stem, name, file.suffix))
        self._overwrite = overwrite
        self._skeleton = _KEYPOINTS[name]()
        self._entry = _ENTRY % ",".join(["%g,%g,%d"] * len(self._skeleton.keypoints))
        self._checked = ""  # the keypoint set that is known to fit
        self._partial: Optional[PartialFile] = None
        self._file: Optional[IO[str]] = None
        self._started = False  # an entry is in the file
        check_target(self.target, overwrite)

    def write(self, number: int, poses: Poses) -> None:
        self._check_set(poses.skeleton)
        mapped = poses.to_skeleton(self._skeleton)
        found = (mapped.scores > 0) & np.isfinite(mapped.keypoints).all(axis=2)
        values = np.concatenate([np.where(found[..., None], mapped.keypoints, -1), found[..., None]], axis=2)
        scores = np.nan_to_num(poses.person_scores)
        for i in np.flatnonzero(found.any(axis=1)):
            entry = self._entry % ((number,) + tuple(values[i].ravel().tolist()) + (float(scores[i]),))
            self._append((_BETWEEN if self._started else "") + entry)
            self._started = True

    def close(self) -> None:
        self._append(_CLOSE)
        if self._file is not None and self._partial is not None:
            try:
                self._file.close()
            except OSError as error:
                raise output_error(self.target, error) from error
            self._partial.commit()

    def abort(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # the disk is full: it is removed anyway
                self._file.close()
        if self._partial is not None:
            self._partial.discard()

    def _append(self, text: str) -> None:
        try:
            if self._file is None:
                self._partial = PartialFile(self.target, self._overwrite)
                self._file = self._partial.path.open("w", encoding="ascii", newline="")
                self._file.write(_OPEN)
            self._file.write(text)
        except OSError as error:
            raise output_error(self.target, error) from error

    def _check_set(self, skeleton: Skeleton) -> None:
        if skeleton.name == self._checked:
            return
        known = [bool(sources) for sources in skeleton.sources_of(self._skeleton)]
        # Sets differ in the body points they lack; a foot, face or hand is there or not.
        if not any(known) or (self.name != "body" and not all(known)):
            raise OutputError("cannot write %s: %s has not the keypoints of the COCO variant %r; leave it out, or use "
                              "a model with them" % (self.target, skeleton.name, self.name))
        self._checked = skeleton.name


def image_id(name: str) -> int:
    """COCO's number of a picture: the last one in its name.

    >>> image_id("COCO_val2014_000000001000"), image_id("clip_000000000012")
    (1000, 12)
    """
    numbers: Tuple[str, ...] = tuple(re.findall(r"[0-9]+", name))
    if not numbers:
        raise OutputError("COCO results need a number in the name of each picture, as in 000000001000.jpg; got %r: "
                          "rename it, or write OpenPose's JSON instead" % name)
    return int(numbers[-1])
