"""MPII with several people: AP of each joint of groups of people, by the toolkit that OpenPose and others used."""
import json
import pathlib
from typing import Any

import numpy as np

from wholebody.calibration.protocols.annolist import annolist_frames
from wholebody.calibration.protocols.base import Report, Truth, Weights
from wholebody.calibration.protocols.files import read_json
from wholebody.calibration.protocols.head_sizes import (
    ap_of,
    by_group,
    frame_errors,
    joint_matches,
    nobody,
)
from wholebody.calibration.protocols.in_head_sizes import Found, InHeadSizes
from wholebody.calibration.protocols.writing import ResultsFile
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.runtime.sinks import Sink
from wholebody.skeletons import get_skeleton

_IDS = (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9)  # MPII's numbers; neither pelvis nor thorax counts
GROUPS = {"head": (12, 13), "shoulder": (8, 9), "elbow": (7, 10), "wrist": (6, 11), "hip": (2, 3), "knee": (1, 4),
          "ankle": (0, 5)}


class MpiiMulti(InHeadSizes):
    """Labels and results are MPII's annotation lists as JSON; an entry is a group, and a picture may have several.

    The toolkit forgets the labels of a group in which a model found nobody; here they count as missed.
    """

    name = "mpii-multi"
    joints = tuple(get_skeleton("MPII_16").keypoints[i] for i in _IDS)

    def load(self, path: str) -> Truth:
        frames, names = [], {}
        for name, frame in annolist_frames(_annolist(path, "annotations"), path, _IDS, 1):
            frames.append(frame)
            names[frame.image_id] = name
        return self.truth(path, frames, names)

    def read(self, path: str, truth: Truth) -> Found:
        images = truth.dataset["images"]
        named = list(annolist_frames(_annolist(path, "results"), path, _IDS, 1))
        if [name for name, _ in named] != [image["file_name"] for image in images]:
            raise EvaluationError(f"{path}: expected the {len(images)} entries of the annotations in their order, by "
                                  f"image name; got {len(named)}, other ones or in another order")
        return {image["id"]: frame.people for image, (_, frame) in zip(images, named, strict=True)}

    def evaluate(self, truth: Truth, found: Found) -> Report:
        labelled = [frame.people for frame in truth.data]
        units = tuple(frame.image_id for frame in truth.data)
        people = [found.get(number, nobody(len(_IDS))) for number in units]
        joints = joint_matches(labelled, people)

        def measure(weights: Weights) -> dict[str, float]:
            return {name: part["AP"] for name, part in by_group(GROUPS, {"AP": ap_of(joints, weights)}, 12).items()}

        return Report(self.name, len(units), sum(len(p.points) for p in labelled), sum(len(p.points) for p in people),
                      by_group(GROUPS, {"AP": ap_of(joints, np.ones(len(units), np.int64))}), ("total", "AP"),
                      frame_errors(list(units), labelled, people), units, measure, quality="distance")

    def sink(self, path: pathlib.Path, truth: Truth) -> Sink:
        def whole(entries: list[dict[str, Any]]) -> Any:
            return {"annolist": [{"image": [{"name": image["file_name"]}],
                                  "annorect": [e["rect"] for e in entries if e["image_id"] == image["id"]]}
                                 for image in truth.dataset["images"]]}
        return ResultsFile(path, self.entries, whole)

    def entries(self, image_id: int, poses: Poses) -> list[dict[str, Any]]:
        """A frame's people, with the number of their entry."""
        people = []
        for _, (points, scores) in self.found_in(poses):
            point = [{"id": [number], "x": [points[2 * j]], "y": [points[2 * j + 1]], "score": [scores[j]]}
                     for j, number in enumerate(_IDS) if scores[j]]
            people.append({"image_id": image_id, "rect": {"annopoints": [{"point": point}]}})
        return people


def _annolist(path: str, what: str) -> dict[str, Any]:
    data = read_json(path, what)
    if not isinstance(data, dict) or not isinstance(data.get("annolist"), list):
        raise EvaluationError(f"{path}: expected MPII's {what} as JSON, an object with an `annolist`, got "
                              f"{json.dumps(data)[:40]}")
    return data


PROTOCOL = MpiiMulti()
