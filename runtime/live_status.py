"""How a live run is doing now: rates and times of the last seconds, for a status line, a page or Prometheus."""
import collections
import threading
import time
from typing import Any, Deque, Dict, List, NamedTuple, Sequence

import numpy as np

from wholebody.poses import Frame, Result
from wholebody.runtime.sinks.base import Details, Sink
from wholebody.runtime.sources import Source

WINDOW = 5.0        # seconds that are "now"
_MOST = 2000        # results kept of them
NETWORKS = ("engine", "detect", "pose")  # stages that are a network's


class _Done(NamedTuple):
    at: float
    stage_ms: Dict[str, float]
    latency_ms: float
    people: int


class LiveStatus(Sink):
    """A sink of every source of a run; any thread may ask for a `snapshot`."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.started = time.monotonic()
        self.frames, self.people = 0, 0
        self.level = ""  # below full size, of --hold-fps
        self._recent: Deque[_Done] = collections.deque(maxlen=_MOST)
        self._lock = threading.Lock()

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002
        """Count a result."""
        with self._lock:
            self.level = details.level
            self.frames += 1
            self.people += len(result.poses)
            self._recent.append(_Done(time.monotonic(), dict(result.stage_ms), result.latency_ms, len(result.poses)))

    def snapshot(self) -> Dict[str, Any]:
        """Of the last seconds: frames a second, milliseconds by stage and from capture to result, people; totals."""
        now = time.monotonic()
        with self._lock:
            while self._recent and self._recent[0].at < now - WINDOW:
                self._recent.popleft()
            recent, frames, people = list(self._recent), self.frames, self.people
        stages: Dict[str, List[float]] = {}
        for done in recent:
            for name, ms in done.stage_ms.items():
                stages.setdefault(name, []).append(ms)
        stage_ms = {name: round(float(np.median(values)), 3) for name, values in stages.items()}
        latencies = [done.latency_ms for done in recent]
        p50, p95 = np.percentile(latencies, [50, 95]).tolist() if latencies else (None, None)
        span = max(min(WINDOW, now - self.started), 1e-9)
        return {
            "seconds": round(now - self.started, 3), "level": self.level, "frames": frames, "people_total": people,
            "fps": round(len(recent) / span, 2), "people": recent[-1].people if recent else 0, "stage_ms": stage_ms,
            "engine_ms": _sum(stage_ms, NETWORKS), "pipeline_ms": _sum(stage_ms, tuple(stage_ms)),
            "latency_ms": {"p50": _rounded(p50), "p95": _rounded(p95)},
            "dropped": sum(source.dropped for source in self.sources),
            "reconnects": sum(source.reconnects for source in self.sources),
            "sources": [{"name": source.name, "dropped": source.dropped, "reconnects": source.reconnects,
                         "still": source.still} for source in self.sources]}


def line_of(status: Dict[str, Any]) -> str:
    """A snapshot in one line.

    >>> line_of({"fps": 29.9, "engine_ms": 20, "pipeline_ms": 25, "latency_ms": {"p50": 40, "p95": 52}, "people": 1,
    ...          "dropped": 3, "reconnects": 0, "sources": []})
    '29.9 frames/s; ms: engine 20.0, pipeline 25.0, camera to result 40.0 (p95 52.0); 1 person; 3 dropped'
    """
    latency = status["latency_ms"]
    parts = ["%.1f frames/s" % status["fps"]]
    if latency["p50"] is not None:
        parts.append("ms: engine %.1f, pipeline %.1f, camera to result %.1f (p95 %.1f)"
                     % (status["engine_ms"], status["pipeline_ms"], latency["p50"], latency["p95"]))
    parts.append("1 person" if status["people"] == 1 else "%d people" % status["people"])
    parts.append("%d dropped" % status["dropped"])
    if status.get("level"):
        parts.append("held at " + status["level"])
    if status["reconnects"]:
        parts.append("lost and back %d times" % status["reconnects"])
    parts += ["%s stands still" % source["name"] for source in status["sources"] if source["still"]]
    return "; ".join(parts)


def _sum(stage_ms: Dict[str, float], names: Sequence[str]) -> float:
    return round(sum(stage_ms[name] for name in names if name in stage_ms), 3)


def _rounded(value: Any) -> Any:
    return None if value is None else round(value, 2)
