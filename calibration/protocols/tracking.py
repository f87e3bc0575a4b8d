"""Tracking by the CLEAR MOT measures, joint by joint as PoseTrack does it: motmetrics does the arithmetic."""
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wholebody.calibration.protocols.head_sizes import People, match
from wholebody.errors import EvaluationError
from wholebody.packages import require

COUNTS = ("num_misses", "num_switches", "num_false_positives", "num_objects", "num_detections")
_ABSENT: tuple[list[Any], list[Any], npt.NDArray[np.float64]] = ([0], [0], np.full((1, 1), np.nan))
Counts = npt.NDArray[np.float64]   # (J, 6): COUNTS, and the sum of distances


def has_tracks(found: Sequence[People]) -> bool:
    """Whether results say who is who; EvaluationError when only some do."""
    tracks = [track for people in found for track in people.tracks]
    if any(track is None for track in tracks) and any(track is not None for track in tracks):
        raise EvaluationError("some results have a track_id and some have none; expected all or none")
    return bool(tracks) and tracks[0] is not None


def count_sequence(frames: Sequence[tuple[int, People, People]], joints: int) -> Counts:
    """(image_id, labelled, found) frame by frame; the last one does not count, as in the official evaluation."""
    motmetrics = require("motmetrics", "eval")
    tallies = [motmetrics.MOTAccumulator(auto_id=True) for _ in range(joints)]
    for image_id, labelled, found in frames[:-1]:
        if len(set(found.tracks)) != len(found.tracks):
            raise EvaluationError(f"image {image_id}: two people have one track_id; expected each once in a frame")
        distances = match(labelled, found)
        for j, tally in enumerate(tallies):
            tally.update(*_joint(labelled, found, np.where(distances.within, distances.distances, np.nan), j))
    host = motmetrics.metrics.create()
    counts = np.zeros((joints, len(COUNTS) + 1))
    for j, tally in enumerate(tallies):
        if not len(frames[:-1]):
            continue
        numbers = host.compute(tally, metrics=list(COUNTS), return_dataframe=False)
        counts[j, :-1] = [numbers[name] for name in COUNTS]
        counts[j, -1] = np.nansum(tally.events["D"].to_numpy(dtype=float))
    return counts


def _joint(labelled: People, found: People, distances: npt.NDArray[np.float64],
           j: int) -> tuple[list[Any], list[Any], npt.NDArray[np.float64]]:
    """Who has this joint, and how far they are apart; officially an empty frame is one miss and one false alarm."""
    if not len(labelled.points) or not len(found.points):
        return _ABSENT
    labels, people = np.flatnonzero(labelled.there[:, j]), np.flatnonzero(found.there[:, j])
    return ([labelled.tracks[i] for i in labels], [found.tracks[i] for i in people],
            distances[..., j][np.ix_(people, labels)].T)


def measures(counts: Counts) -> dict[str, list[float]]:
    """Of every joint; NaN where it is never labelled."""
    misses, switches, false, objects, detections, distances = counts.T
    objects = np.where(objects > 0, objects, np.nan)
    claimed = np.where(false + detections > 0, false + detections, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"MOTA": list(1 - (misses + switches + false) / objects),
                "MOTP": list(np.where(detections > 0, 1 - distances / np.maximum(detections, 1), 0.0)),
                "precision": list(detections / claimed), "recall": list(detections / objects)}
