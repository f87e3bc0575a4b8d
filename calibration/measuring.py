"""A network over pictures: who it finds, how well by labels if there are any, how fast and how large."""
import os
import pathlib
import tempfile
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from wholebody.calibration.agreement import Agreement, agreement
from wholebody.errors import EvaluationError
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.pipeline import PipelineOptions, run_pipeline
from wholebody.runtime.sinks import CocoJson, Details, Sink
from wholebody.runtime.sources import Source
from wholebody.runtime.sources.pictures import Folder

OnPicture = Callable[[int, int, str], None]
_NETWORK_STAGES = ("engine", "pose")


class Judged(NamedTuple):
    """The pictures on which networks are compared."""

    images: str
    annotations: str = ""                        # COCO keypoints; "" compares with the reference's people
    estimator: Tuple[Tuple[str, Any], ...] = ()  # options of the estimator


class Measured(NamedTuple):
    """What one network did."""

    name: str
    megabytes: float
    network_ms: float                        # median of a picture, on this machine
    people: int
    poses: Tuple[Poses, ...]                 # of every picture
    statistics: Optional[Dict[str, float]]   # by the COCO protocol, where there are labels
    agreement: Optional[Agreement] = None    # with the reference

    def against(self, reference: "Measured") -> "Measured":
        """The same with its agreement with another's people."""
        return self._replace(agreement=agreement(reference.poses, self.poses))


class _Collected(Sink):
    """Keeps the people and the network's time of every picture."""

    def __init__(self) -> None:
        self.poses: List[Poses] = []
        self.network_ms: List[float] = []

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - as all sinks
        self.poses.append(result.poses)
        self.network_ms.append(sum(result.stage_ms.get(stage, 0.0) for stage in _NETWORK_STAGES))


def measure(name: str, model: str, judged: Judged, progress: Optional[OnPicture] = None) -> Measured:
    """Runs a model file over all of the pictures."""
    collected = _Collected()
    with tempfile.TemporaryDirectory(prefix="wholebody-measure-") as scratch:
        results = str(pathlib.Path(scratch) / "results.json")
        truth, source = _source(judged)
        sinks: List[Sink] = [collected]
        if truth is not None:
            sinks.append(CocoJson(results))
        with open_estimator(model, **dict(judged.estimator)) as estimate:
            run_pipeline(source, estimate, sinks, PipelineOptions(), _each(progress, source.length))
        if not collected.poses:
            raise EvaluationError("none of the pictures in %s can be read" % judged.images)
        statistics = None
        if truth is not None:
            from wholebody.calibration.coco_protocol import evaluate
            statistics = evaluate(truth, results).statistics
    return Measured(name, os.path.getsize(model) / 1e6, float(np.median(collected.network_ms)),
                    sum(len(poses) for poses in collected.poses), tuple(collected.poses), statistics)


def _source(judged: Judged) -> Tuple[Any, Source]:
    """The labels, if any, and the pictures."""
    if judged.annotations:
        from wholebody.calibration.coco_protocol import load_annotations
        from wholebody.calibration.running import AnnotatedImages
        truth = load_annotations(judged.annotations)
        return truth, AnnotatedImages(truth, judged.images)
    return None, Folder(pathlib.Path(judged.images))


def _each(progress: Optional[OnPicture], total: Optional[int]) -> Callable[[int, int], None]:
    def told(done: int, people: int) -> None:  # noqa: ARG001 - what the pipeline says
        if progress is not None:
            progress(done, total or 0, "")
    return told


def table_of(rows: Sequence[Measured]) -> List[str]:
    """Lines for people: size, time, AP or agreement of each."""
    parts = [name for name, _ in (rows[-1].agreement.parts if rows[-1].agreement else ())]
    head = "%-26s %8s %9s %7s %9s" % ("network", "MB", "ms (CPU)", "people", "agreement")
    head += "".join(" %10s" % part for part in parts)
    with_labels = rows[0].statistics is not None
    lines = [head + (" %7s %7s %9s %8s" % ("AP", "AP50", "AP_medium", "AP_large") if with_labels else "")]
    for row in rows:
        alike = dict(row.agreement.parts) if row.agreement else {}
        line = "%-26s %8.2f %9.1f %7d %9s" % (row.name, row.megabytes, row.network_ms, row.people,
                                              "%.4f" % row.agreement.overall if row.agreement else "-")
        line += "".join(" %10s" % ("%.4f" % alike[part] if part in alike else "-") for part in parts)
        if row.statistics is not None:
            line += " %7.4f %7.4f %9.4f %8.4f" % tuple(row.statistics[n] for n in ("AP", "AP50", "AP_medium",
                                                                                  "AP_large"))
        lines.append(line)
    return lines
