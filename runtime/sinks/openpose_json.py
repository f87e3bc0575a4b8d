"""OpenPose's `--write_json` files, byte for byte: one a frame, version 1.3."""
from typing import TYPE_CHECKING, Dict, List, Sequence, Tuple

import numpy as np

from wholebody.errors import ShapeError
from wholebody.files import PathLike, write_text
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks.base import Details, FrameFiles
from wholebody.runtime.sinks.rotation import Rotation

if TYPE_CHECKING:
    import numpy.typing as npt

# OpenPose's release writes no white space at all: its line breaks are for the human-readable mode, which it never
# turns on (jsonOfstream.cpp, wPeopleJsonSaver.hpp). Numbers are C++'s default for a float: %g.
_PERSON = ('{"person_id":[%%d],"pose_keypoints_2d":[%s],"face_keypoints_2d":[],"hand_left_keypoints_2d":[],'
           '"hand_right_keypoints_2d":[],"pose_keypoints_3d":[],"face_keypoints_3d":[],"hand_left_keypoints_3d":[],'
           '"hand_right_keypoints_3d":[]}')


class OpenPoseJson(FrameFiles):
    """`<frame>_keypoints.json` in a folder; of more than `keep` bytes the oldest of this run go (0 keeps all)."""

    def __init__(self, folder: PathLike, overwrite: bool = False, names: Sequence[str] = (), keep: int = 0) -> None:
        super().__init__(folder, "_keypoints.json", overwrite, names)
        self._rotation = Rotation(keep)
        self._templates: Dict[int, str] = {}

    def write(self, frame: Frame, result: Result, details: Details) -> None:
        text = self.text(result.poses, details)
        path = self.path_of(frame.source)
        write_text(path, text, self.overwrite)
        self._rotation.add(path, len(text))

    def text(self, poses: Poses, details: Details) -> str:
        """The whole file."""
        parts = ['{"version":1.3,"people":[', ",".join(self._people(poses, details)), "]"]
        if details.candidates:
            parts += [',"part_candidates":[{', ",".join(_candidates(details.candidates)), "}]"]
        return "".join(parts + ["}"])

    def _people(self, poses: Poses, details: Details) -> List[str]:
        people, points = poses.scores.shape
        if np.shape(details.keypoints) != (people, points, 2):
            raise ShapeError("details.keypoints: expected shape %s, got %s"
                             % ((people, points, 2), np.shape(details.keypoints)))
        if points not in self._templates:
            self._templates[points] = _PERSON % _numbers(3 * points)
        template = self._templates[points]
        ids = [-1] * people if poses.ids is None else [int(i) for i in poses.ids]
        rows = np.concatenate([details.keypoints, poses.scores[..., None]], axis=2).astype(np.float32)
        rows[~np.isfinite(rows).all(axis=2)] = 0  # JSON has no NaN: not found
        return [template % ((number,) + _flat(row)) for number, row in zip(ids, rows)]


def _candidates(candidates: "List[npt.NDArray[np.float32]]") -> List[str]:
    lines = []
    for part, found in enumerate(candidates):
        values = _flat(np.asarray(found, np.float32))
        lines.append('"%d":[%s]' % (part, _numbers(len(values)) % values))
    return lines


def _numbers(count: int) -> str:
    return ",".join(["%g"] * count)


def _flat(array: "npt.NDArray[np.float32]") -> Tuple[float, ...]:
    return tuple(array.ravel().tolist())
