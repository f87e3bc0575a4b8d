"""PoseTrack: AP of each joint of several people, and tracking accuracy (MOTA) where results say who is who."""
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from wholebody.calibration.protocols.annolist import annolist_frames, checked, files_of, posetrack_people
from wholebody.calibration.protocols.base import Report, Truth, Weights
from wholebody.calibration.protocols.files import check_images, check_pictures, layout
from wholebody.calibration.protocols.head_sizes import (
    LabelledFrame,
    People,
    ap_of,
    by_group,
    drop_ignored,
    frame_errors,
    joint_matches,
    nobody,
)
from wholebody.calibration.protocols.in_head_sizes import Found, InHeadSizes
from wholebody.calibration.protocols.tracking import Counts, count_sequence, has_tracks, measures
from wholebody.calibration.protocols.writing import ResultsFile
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.runtime.sinks import Sink

# In the numbering of PoseTrack 2017; 2018 names them, with two words of its own.
_JOINTS = ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
           "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "upper_neck", "nose",
           "head_top")
_FILE_NAMES = {"head_bottom": "upper_neck"}
_FILE_ORDER = ("nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
               "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
               "right_knee", "left_ankle", "right_ankle")
GROUPS = {"head": (14, 12, 13), "shoulder": (8, 9), "elbow": (7, 10), "wrist": (6, 11), "hip": (2, 3), "knee": (1, 4),
          "ankle": (0, 5)}


class PoseTrack(InHeadSizes):
    """As poseval does it; files of 2018 or 2017, one a sequence in a folder, or one file."""

    name = "posetrack"
    joints = _JOINTS
    drawn_as = "POSETRACK_17"

    def load(self, path: str) -> Truth:
        frames: list[LabelledFrame] = []
        names: dict[int, str] = {}
        for where, data in files_of(path, "annotations"):
            if isinstance(data, dict) and isinstance(data.get("annolist"), list):
                for name, frame in annolist_frames(data, where, range(len(_JOINTS)), len(frames)):
                    frames.append(frame)
                    names[frame.image_id] = name
            elif isinstance(data, dict) and {"images", "annotations"} <= set(data):
                with layout(where, "PoseTrack's images and annotations"):
                    read = _frames_2018(data, where)
                for image, frame in read:
                    frames.append(frame)
                    names[frame.image_id] = image["file_name"]
            else:
                raise EvaluationError(f"{where}: expected PoseTrack's `annolist`, or its images and annotations")
        return self.truth(path, frames, names)

    def read(self, path: str, truth: Truth) -> Found:
        found: Found = {}
        numbers = {image["file_name"]: image["id"] for image in truth.dataset["images"]}
        for where, data in files_of(path, "results"):
            if isinstance(data, dict) and isinstance(data.get("annolist"), list):
                for name, frame in annolist_frames(data, where, range(len(_JOINTS)), 0):
                    if name not in numbers:
                        raise EvaluationError(f"{where}: {name} is not in the annotations; was it made from others?")
                    found[numbers[name]] = frame.people
                continue
            entries = data.get("annotations") if isinstance(data, dict) else data
            if not isinstance(entries, list) or not all(isinstance(e, dict) and "keypoints" in e for e in entries):
                raise EvaluationError(f"{where}: expected results in PoseTrack's layout: annotations with image_id, "
                                      "keypoints, scores and, to measure tracking, track_id")
            check_images(entries, truth, where)
            with layout(where, "PoseTrack's results"):
                joints = _places(data) if isinstance(data, dict) else _places({})
                for number, rows in _by_image(entries).items():
                    found[number] = posetrack_people(rows, joints)
        return found

    def evaluate(self, truth: Truth, found: Found) -> Report:
        frames = [frame for frame in truth.data if frame.looked_at]  # officially the others do not exist
        labelled = [drop_ignored(frame.people, frame.ignored) for frame in frames]
        people = [drop_ignored(found.get(frame.image_id, nobody(len(_JOINTS))), frame.ignored) for frame in frames]
        sequences = tuple(dict.fromkeys(frame.sequence for frame in frames))
        place = np.array([sequences.index(frame.sequence) for frame in frames])
        joints = joint_matches(labelled, people)
        values = {"AP": ap_of(joints, np.ones(len(frames), np.int64))}
        counts = _tracked(frames, labelled, people, sequences) if has_tracks(people) else None
        if counts is not None:
            values.update(measures(counts.sum(axis=0)))

        def measure(weights: Weights) -> dict[str, float]:
            parts = by_group(GROUPS, {"AP": ap_of(joints, weights[place])}, digits=12)
            numbers = {name: part["AP"] for name, part in parts.items()}
            if counts is not None:
                tracked = measures((counts * weights[:, None, None]).sum(axis=0))
                numbers["MOTA"] = float(np.nanmean(tracked["MOTA"]))
            return numbers

        return Report(self.name, len(frames), sum(len(p.points) for p in labelled), sum(len(p.points) for p in people),
                      by_group(GROUPS, values), ("total", "AP"),
                      frame_errors([frame.image_id for frame in frames], labelled, people), sequences, measure,
                      quality="distance")

    def sink(self, path: pathlib.Path, truth: Truth) -> Sink:
        def whole(entries: list[dict[str, Any]]) -> Any:
            return {"images": truth.dataset["images"], "annotations": entries,
                    "categories": [{"id": 1, "name": "person", "keypoints": list(_FILE_ORDER)}]}
        return ResultsFile(path, self.entries, whole)

    def entries(self, image_id: int, poses: Poses) -> list[dict[str, Any]]:
        """A frame's people in the layout of 2018."""
        entries = []
        order = [_JOINTS.index(_FILE_NAMES.get(name, name)) if _FILE_NAMES.get(name, name) in _JOINTS else None
                 for name in _FILE_ORDER]
        for i, (points, scores) in self.found_in(poses):
            keypoints: list[float] = []
            for j in order:
                keypoints += [0, 0, 0] if j is None or not scores[j] else [points[2 * j], points[2 * j + 1], 1]
            entry = {"image_id": image_id, "category_id": 1, "keypoints": keypoints,
                     "scores": [0 if j is None else scores[j] for j in order]}
            entries.append(entry if poses.ids is None else {**entry, "track_id": int(poses.ids[i])})
        return entries


def _frames_2018(data: dict[str, Any], where: str) -> list[tuple[dict[str, Any], LabelledFrame]]:
    check_pictures(data["images"], where)
    joints, rows = _places(data), _by_image(data["annotations"])
    frames = []
    for image in data["images"]:
        people = rows.get(image["id"], [])
        regions = zip(image.get("ignore_regions_x", []), image.get("ignore_regions_y", []), strict=True)
        sequence = str(pathlib.PurePosixPath(image["file_name"]).parent) + "|" + where
        frames.append((image, LabelledFrame(image["id"], sequence,
                                            posetrack_people(people, joints),
                                            tuple(checked(np.stack([x, y], axis=1).astype(float)) for x, y in regions),
                                            bool(people))))
    return frames


def _places(data: dict[str, Any]) -> Sequence[int | None]:
    """Of our joints among a file's keypoints."""
    categories = data.get("categories") or [{}]
    named = [_FILE_NAMES.get(name, name) for name in categories[0].get("keypoints") or _FILE_ORDER]
    return [named.index(name) if name in named else None for name in _JOINTS]


def _by_image(entries: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    rows: dict[int, list[dict[str, Any]]] = {}
    for entry in entries:
        rows.setdefault(entry["image_id"], []).append(entry)
    return rows


def _tracked(frames: list[LabelledFrame], labelled: list[People], found: list[People],
             sequences: tuple[str, ...]) -> Counts:
    """(sequences, J, 6)"""
    triples = list(zip((frame.image_id for frame in frames), labelled, found, strict=True))
    return np.stack([count_sequence([triple for frame, triple in zip(frames, triples, strict=True)
                                     if frame.sequence == sequence], len(_JOINTS)) for sequence in sequences])


PROTOCOL = PoseTrack()
