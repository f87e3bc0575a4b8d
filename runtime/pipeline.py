"""A whole run: every frame of a source through an estimator into the sinks, one after the other."""
import contextlib
import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np

from wholebody.errors import SourceError
from wholebody.runtime.estimator import Estimator
from wholebody.runtime.keypoint_scale import scale_keypoints
from wholebody.runtime.sinks import Details, Sink
from wholebody.runtime.sources import Source


class PipelineOptions(NamedTuple):
    """What is handed to the sinks beside the poses."""

    keypoint_scale: str = "input"   # one of keypoint_scale.SCALES
    part_candidates: bool = False   # every peak before assembly


class Summary(NamedTuple):
    """What a run did. Times in milliseconds: p50, p95, p99 and mean over its frames."""

    frames: int
    people: int
    frames_with_people: int
    problems: List[str]
    seconds: float
    stage_ms: Dict[str, Dict[str, float]]

    def to_dict(self) -> Dict[str, Any]:
        """For --json."""
        return {"frames": self.frames, "people": self.people, "frames_with_people": self.frames_with_people,
                "problems": self.problems, "seconds": round(self.seconds, 3),
                "frames_per_second": round(self.frames / self.seconds, 2) if self.seconds else 0.0,
                "stage_ms": self.stage_ms}


def run_pipeline(source: Source, estimate: Estimator, sinks: Sequence[Sink],
                 options: PipelineOptions = PipelineOptions(),
                 on_frame: Callable[[int, int], None] = lambda *_: None) -> Summary:
    """Every frame of `source` in order, none dropped; `on_frame(frames so far, people so far)` after each."""
    times: Dict[str, List[float]] = {}
    frames, people, with_people = 0, 0, 0
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        for sink in sinks:
            stack.enter_context(sink)
        for frame in source:
            result = estimate.process(frame)
            processed = time.perf_counter()
            details = _details(estimate, frame.image.shape[1], frame.image.shape[0], result.poses.keypoints, options)
            for sink in sinks:
                sink.write(frame, result, details)
            result.stage_ms["write"] = 1e3 * (time.perf_counter() - processed)
            for stage, ms in result.stage_ms.items():
                times.setdefault(stage, []).append(ms)
            frames, people = frames + 1, people + len(result.poses)
            with_people += int(len(result.poses) > 0)
            on_frame(frames, people)
        if not frames and source.problems:
            raise SourceError("%s: nothing could be read: %s" % (source.name, source.problems[0]))
    return Summary(frames, people, with_people, list(source.problems), time.perf_counter() - started,
                   {stage: _spread(values) for stage, values in times.items()})


def _details(estimate: Estimator, width: int, height: int, keypoints: Any, options: PipelineOptions) -> Details:
    geometry = estimate.geometry

    def scaled(points: Any) -> Any:
        return scale_keypoints(points, options.keypoint_scale, width, height, geometry)

    candidates = None
    if options.part_candidates:
        candidates = [np.concatenate([scaled(c[:, :2]), c[:, 2:]], axis=1) for c in estimate.candidates()]
    return Details(heatmaps=estimate.maps.heatmaps, pafs=estimate.maps.pafs, candidates=candidates,
                   net_size=(geometry.net_width, geometry.net_height), keypoints=scaled(keypoints))


def _spread(values: List[float]) -> Dict[str, float]:
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "p99": round(float(p99), 3),
            "mean": round(float(np.mean(values)), 3)}
