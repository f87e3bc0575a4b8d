"""What a model finds, as a results file in a protocol's standard format."""
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from wholebody.errors import EvaluationError
from wholebody.files import write_text
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks.base import Details, Sink
from wholebody.skeletons import Skeleton

Entries = Callable[[int, Poses], list[dict[str, Any]]]


class ResultsFile(Sink):
    """Collects the entries of every frame; `close` writes them as one JSON array, or what `whole` makes of it."""

    def __init__(self, path: pathlib.Path, entries: Entries,
                 whole: Callable[[list[dict[str, Any]]], Any] = lambda entries: entries) -> None:
        self._path, self._entries, self._whole = path, entries, whole
        self._all: list[dict[str, Any]] = []

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - the same for all
        self._all += self._entries(int(frame.source), result.poses)

    def close(self) -> None:
        write_text(self._path, json.dumps(self._whole(self._all)) + "\n", overwrite=True)


def map_to(poses: Poses, skeleton: Skeleton) -> Poses:
    """The same people in a protocol's points; EvaluationError when the model has none of them."""
    if not any(poses.skeleton.sources_of(skeleton)):
        raise EvaluationError(f"the model finds {poses.skeleton.name}, none of the points of {skeleton.name} that this "
                              "protocol measures; choose another --protocol")
    return poses.to_skeleton(skeleton)


def rows_of(poses: Poses) -> npt.NDArray[np.float64]:
    """(N, K, 3) x, y and score; all zero where a point was not found."""
    found = (poses.scores > 0) & np.isfinite(poses.keypoints).all(axis=2)
    rows = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2).astype(np.float64)
    return np.where(found[..., None], rows, 0.0)


def person_score(poses: Poses, i: int) -> float:
    """Of one person; 0 where the model gave no number."""
    return float(np.nan_to_num(poses.person_scores[i]))
