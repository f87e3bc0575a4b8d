"""MPII with one person at a time: PCKh, the part of joints within half a head's size of where they are."""
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from wholebody.calibration.protocols.base import Report, Truth, Weights, rounded
from wholebody.calibration.protocols.files import read_entries
from wholebody.calibration.protocols.head_sizes import People, frame_errors, match, nobody
from wholebody.calibration.protocols.in_head_sizes import Found, InHeadSizes
from wholebody.calibration.protocols.mpii_files import Labels, read_labels, read_predictions
from wholebody.calibration.protocols.writing import ResultsFile
from wholebody.poses import Poses
from wholebody.runtime.sinks import Sink
from wholebody.skeletons import get_skeleton

_SKELETON = get_skeleton("MPII_16")
_JOINTS = len(_SKELETON.keypoints)
GROUPS = {"head": (9,), "shoulder": (12, 13), "elbow": (11, 14), "wrist": (10, 15), "hip": (2, 3), "knee": (1, 4),
          "ankle": (0, 5)}
_COUNTED = tuple(i for i in range(_JOINTS) if i not in (6, 7))  # neither pelvis nor thorax
_THRESHOLDS = {"PCKh": 0.5, "PCKh_0.1": 0.1}


class Mpii(InHeadSizes):
    """Labels are the usual list of image, joints, joints_vis, center, scale; heads are in the .mat file beside it.

    Results are `pred.mat` in the order of the labels, or a JSON list with 48 numbers of keypoints a person: of several
    in a picture each label takes the one with most joints in place.
    """

    name = "mpii"
    joints = _SKELETON.keypoints

    def load(self, path: str) -> Truth:
        names, labels = read_labels(path)
        return self.truth(path, labels.frames, dict(enumerate(names, 1)), {"frames": labels.frames, "labels": labels})

    def read(self, path: str, truth: Truth) -> Found:
        labels: Labels = truth.data["labels"]
        if path.endswith(".mat"):
            return read_predictions(path, labels)
        rows: dict[int, list[Any]] = {}
        for entry in read_entries(path, truth, {"keypoints": (3 * _JOINTS,)}):
            rows.setdefault(entry["image_id"], []).append(entry["keypoints"])
        return {number: _people(np.array(values, float).reshape(-1, _JOINTS, 3)) for number, values in rows.items()}

    def evaluate(self, truth: Truth, found: Found) -> Report:
        labels: Labels = truth.data["labels"]
        distances = _distances(labels, found)
        units = tuple(frame.image_id for frame in labels.frames)
        place = labels.image_ids - 1

        def measure(weights: Weights) -> dict[str, float]:
            parts = _pckh(labels.people.there, distances, weights[place])
            return {name: part["PCKh"] for name, part in parts.items()}

        parts = _pckh(labels.people.there, distances, np.ones(len(distances), np.int64))
        people = [found.get(number, nobody(_JOINTS)) for number in units]
        return Report(self.name, len(units), len(distances), sum(len(p.points) for p in people),
                      {name: rounded(part) for name, part in parts.items()}, ("total", "PCKh"),
                      frame_errors(list(units), [frame.people for frame in labels.frames], people), units, measure,
                      quality="distance")

    def sink(self, path: pathlib.Path, truth: Truth) -> Sink:  # noqa: ARG002 - the same for all labels
        return ResultsFile(path, self.entries)

    def entries(self, image_id: int, poses: Poses) -> list[dict[str, Any]]:
        """A frame's people as a JSON list."""
        return [{"image_id": image_id, "score": float(poses.person_scores[i]),
                 "keypoints": [v for j in range(_JOINTS) for v in (points[2 * j], points[2 * j + 1], scores[j])]}
                for i, (points, scores) in self.found_in(poses)]

    def boxes(self, truth: Truth) -> list[dict[str, Any]]:
        labels: Labels = truth.data["labels"]
        return [{"image_id": int(number), "bbox": box, "score": 1.0}
                for number, box in zip(labels.image_ids, labels.boxes, strict=True)]


def _distances(labels: Labels, found: Found) -> npt.NDArray[np.float64]:
    """(N, J) head sizes from each label to who was found there; inf where nobody was."""
    distances = np.full(labels.people.there.shape, np.inf)
    for frame in labels.frames:
        people = found.get(frame.image_id, nobody(_JOINTS))
        rows = np.flatnonzero(labels.image_ids == frame.image_id)
        if len(people.points) and people.tracks[0] is not None:  # results that say whose they are
            for i, label in enumerate(people.tracks):
                distances[label] = _apart(people, i, labels.people, label)
            continue
        for i, owner in enumerate(match(frame.people, people).owner):
            if owner >= 0:
                distances[rows[owner]] = _apart(people, i, labels.people, int(rows[owner]))
    return distances


def _apart(found: People, i: int, labelled: People, label: int) -> npt.NDArray[np.float64]:
    apart = np.linalg.norm(found.points[i] - labelled.points[label], axis=1) / labelled.heads[label]
    return np.where(found.there[i], apart, np.inf)


def _pckh(there: npt.NDArray[np.bool_], distances: npt.NDArray[np.float64],
          weights: Weights) -> dict[str, dict[str, float]]:
    """Of pairs of joints the mean of both, of all the part of labelled joints, as in the usual evaluation."""
    labelled = (there * weights[:, None]).sum(axis=0)
    parts: dict[str, dict[str, float]] = {name: {} for name in (*GROUPS, "total")}
    for key, threshold in _THRESHOLDS.items():
        right = ((distances <= threshold) & there) * weights[:, None]
        share = right.sum(axis=0) / np.maximum(labelled, 1)
        for name, joints in GROUPS.items():
            parts[name][key] = float(share[list(joints)].mean())
        counted = list(_COUNTED)
        parts["total"][key] = float(right.sum(axis=0)[counted].sum() / max(labelled[counted].sum(), 1))
    return parts


def _people(rows: npt.NDArray[np.float64]) -> People:
    return People(rows[..., :2], rows[..., 2] > 0, np.zeros(len(rows)), rows[..., 2], [None] * len(rows))


PROTOCOL = Mpii()
