"""People in three dimensions as files: a line of JSON a moment, or OpenPose's JSON, one file a moment."""
import pathlib
import sys
import time
from typing import IO, Any, Dict, List, Optional, Sequence

import numpy as np

from wholebody.files import PartialFile, PathLike, claim_folder, output_error, write_text
from wholebody.runtime.multiview.moments import Moment, MomentSink
from wholebody.runtime.sinks.messages import line_of

_PARTS = ("pose", "face", "hand_left", "hand_right")


def message_of(moment: Moment) -> Dict[str, Any]:
    """Metres, scores, and the pixels by which cameras disagree; a score of 0 is a keypoint that was not found."""
    poses = moment.poses
    rows = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2).astype(np.float64)
    people: List[Dict[str, Any]] = []
    for person, errors, members in zip(np.round(rows, 4).tolist(), poses.errors, poses.people_in_views.tolist()):
        found = errors[np.array([point[3] for point in person]) > 0]
        people.append({"keypoints": person, "error_px": round(float(found.mean()), 3) if found.size else 0.0,
                       "people_in_views": members})
    age = time.monotonic() - moment.captured_at
    return {"index": moment.index, "source": moment.name, "captured_at": round(time.time() - age, 4),
            "skeleton": poses.skeleton.name, "people": people}


class Lines3D(MomentSink):
    """A line a moment: on stdout at once, or into a file that is complete at the end."""

    def __init__(self, path: Optional[PathLike] = None, overwrite: bool = False) -> None:
        self._partial = None if path is None else PartialFile(path, overwrite)
        self._name = "stdout" if path is None else str(path)
        self._file: IO[str] = sys.stdout
        if self._partial is not None:
            self._file = self._partial.path.open("w", encoding="utf-8")

    def write(self, moment: Moment) -> None:
        """One line."""
        try:
            self._file.write(line_of(message_of(moment)) + "\n")
            if self._partial is None:
                self._file.flush()
        except OSError as error:
            raise output_error(self._name, error) from error

    def close(self) -> None:
        """The file gets its name."""
        partial, self._partial = self._partial, None
        if partial is not None:
            try:
                self._file.close()
            except OSError as error:
                raise output_error(self._name, error) from error
            partial.commit()

    def abort(self) -> None:
        """No half file."""
        partial, self._partial = self._partial, None
        if partial is not None:
            self._file.close()
            partial.discard()


class OpenPose3D(MomentSink):
    """`<frame>_keypoints.json` as OpenPose writes them, with *_keypoints_3d filled: x, y, z and 1 where found."""

    def __init__(self, folder: PathLike, overwrite: bool = False) -> None:
        self.folder: pathlib.Path = claim_folder(folder)
        self._overwrite = overwrite

    def write(self, moment: Moment) -> None:
        """One file."""
        people = ",".join(self._person(moment, number) for number in range(len(moment.poses)))
        write_text(self.folder / (moment.name + "_keypoints.json"), '{"version":1.3,"people":[%s]}' % people,
                   self._overwrite)

    def _person(self, moment: Moment, number: int) -> str:
        poses = moment.poses
        found = poses.scores[number] > 0
        rows = np.concatenate([poses.keypoints[number], found[:, None]], axis=1)
        lists = ['"%s_keypoints_2d":[]' % part for part in _PARTS]
        lists += ['"%s_keypoints_3d":[%s]' % (part, _numbers(rows) if part == "pose" else "") for part in _PARTS]
        return '{"person_id":[-1],%s}' % ",".join(lists)


def _numbers(rows: "np.ndarray[Any, Any]") -> str:
    return ",".join("%g" % value for value in rows.ravel().tolist())


def make_sinks(where: Sequence[str], overwrite: bool) -> List[MomentSink]:
    """Of each place: - is stdout, a name that ends with .jsonl a file of lines, any other a folder of OpenPose JSON."""
    sinks: List[MomentSink] = []
    for place in where:
        if place == "-":
            sinks.append(Lines3D())
        elif place.endswith(".jsonl"):
            sinks.append(Lines3D(place, overwrite))
        else:
            sinks.append(OpenPose3D(place, overwrite))
    return sinks
