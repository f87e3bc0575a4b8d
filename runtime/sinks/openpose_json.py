"""OpenPose's `--write_json` files, byte for byte: one a frame, version 1.3."""
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.errors import ShapeError
from wholebody.files import PathLike, write_text
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks.base import Details, FrameFiles
from wholebody.runtime.sinks.rotation import Rotation
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

# OpenPose's release writes no white space at all: its line breaks are for the human-readable mode, which it never
# turns on (jsonOfstream.cpp, wPeopleJsonSaver.hpp). Numbers are C++'s default for a float: %g.
_PERSON = ('{"person_id":[%%d],"pose_keypoints_2d":[%s],"face_keypoints_2d":[%s],"hand_left_keypoints_2d":[%s],'
           '"hand_right_keypoints_2d":[%s],"pose_keypoints_3d":[],"face_keypoints_3d":[],"hand_left_keypoints_3d":[],'
           '"hand_right_keypoints_3d":[]}')
_PARTS = ("face", "left_hand", "right_hand")  # lists of their own, in this order
_IN_ONE_LIST = ("BODY_135",)                  # OpenPose writes all of it as the body


class Layout(NamedTuple):
    """How people of one set are written."""

    template: str
    order: List[int]  # of the keypoints in it


class OpenPoseJson(FrameFiles):
    """`<frame>_keypoints.json` in a folder; of more than `keep` bytes the oldest of this run go (0 keeps all)."""

    def __init__(self, folder: PathLike, overwrite: bool = False, names: Sequence[str] = (), keep: int = 0) -> None:
        super().__init__(folder, "_keypoints.json", overwrite, names)
        self._rotation = Rotation(keep)
        self._layouts: Dict[Skeleton, Layout] = {}

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
        if poses.skeleton not in self._layouts:
            self._layouts[poses.skeleton] = layout_of(poses.skeleton)
        template, order = self._layouts[poses.skeleton]
        ids = [-1] * people if poses.ids is None else [int(i) for i in poses.ids]
        rows = np.concatenate([details.keypoints, poses.scores[..., None]], axis=2).astype(np.float32)
        rows[~np.isfinite(rows).all(axis=2)] = 0  # JSON has no NaN: not found
        return [template % ((number,) + _flat(row)) for number, row in zip(ids, rows[:, order])]


def layout_of(skeleton: Skeleton) -> Layout:
    """Points of a face and of hands go into their own lists, all others into the body's."""
    own = [() if skeleton.name in _IN_ONE_LIST else skeleton.part(part) for part in _PARTS]
    apart = {index for indices in own for index in indices}
    lists = [[i for i in range(len(skeleton.keypoints)) if i not in apart]] + [list(indices) for indices in own]
    return Layout(_PERSON % tuple(_numbers(3 * len(indices)) for indices in lists), [i for some in lists for i in some])


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
