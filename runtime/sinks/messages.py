"""Poses as messages: one line of JSON a frame, for a pipe, a broker or a browser."""
import json
import sys
import time
from typing import IO, Any, Dict, List, Optional

import numpy as np

from wholebody.files import output_error
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks.base import Details, Sink


def message_of(frame: Frame, result: Result) -> Dict[str, Any]:
    """What is told about a frame: coordinates in its pixels, a score of 0 is a keypoint that was not found.

    `captured_at` is the time of day in seconds (time.time()), also where the clock was set in between.
    """
    age = time.monotonic() - frame.captured_at
    height, width = frame.image.shape[:2]
    return {"source": frame.source, "index": frame.index, "captured_at": round(time.time() - age, 4),
            "latency_ms": round(result.latency_ms, 2), "width": width, "height": height,
            "skeleton": result.poses.skeleton.name, "people": people_of(result.poses)}


def people_of(poses: Poses) -> List[Dict[str, Any]]:
    """Each person: id where somebody tracks, score, box and keypoints (x, y, score) in the skeleton's order."""
    rows = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2)
    rows = np.where(np.isfinite(rows).all(axis=2, keepdims=True), rows, np.float32(0))  # JSON has no NaN
    points = _rounded(rows, 3)
    boxes, scores = _rounded(poses.boxes_xyxy, 2), _rounded(poses.person_scores, 4)
    people: List[Dict[str, Any]] = [{"score": score, "box": box, "keypoints": person}
                                    for score, box, person in zip(scores, boxes, points)]
    if poses.ids is not None:
        for person, number in zip(people, poses.ids.tolist()):
            person["id"] = number
    return people


def line_of(message: Dict[str, Any]) -> str:
    """As short as JSON can be."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


class JsonLines(Sink):
    """A line a frame, on stdout or into a file that grows as the run goes on."""

    def __init__(self, file: Optional[IO[str]] = None, name: str = "stdout") -> None:
        self._file, self._name = file or sys.stdout, name

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - pixels of the frame
        """One line, out at once: whoever reads it waits for it."""
        try:
            self._file.write(line_of(message_of(frame, result)) + "\n")
            self._file.flush()
        except OSError as error:
            raise output_error(self._name, error) from error


def _rounded(values: Any, digits: int) -> Any:
    finite = np.where(np.isfinite(values), values, 0)
    return np.round(finite.astype(np.float64), digits).tolist()
