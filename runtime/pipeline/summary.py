"""What a run did, counted frame by frame in memory that does not grow."""
import random
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from wholebody.poses import Result
from wholebody.runtime.sources import Source

_KEPT = 8192  # values: percentiles are exact for as many frames, and of a fair sample for more


class Summary(NamedTuple):
    """What a run did. Times in milliseconds: p50, p95, p99 and mean over its frames."""

    frames: int
    people: int
    frames_with_people: int
    problems: List[str]
    seconds: float
    stage_ms: Dict[str, Dict[str, float]]
    dropped: int = 0                        # frames of live sources that newer ones replaced
    latency_ms: Dict[str, float] = {}       # from capture to poses
    in_flight: int = 1                      # lanes
    busy_seconds: Dict[str, float] = {}     # that each stage, reading and writing were at work
    by_source: List[Dict[str, Any]] = []    # of several sources: source, frames, people, dropped
    stopped: bool = False                   # by a signal
    hold: Optional[Dict[str, Any]] = None   # of a run that held a rate: its level, frames by level, changes

    def to_dict(self) -> Dict[str, Any]:
        """For --json."""
        return {"frames": self.frames, "people": self.people, "frames_with_people": self.frames_with_people,
                "problems": self.problems, "seconds": round(self.seconds, 3),
                "frames_per_second": round(self.frames / self.seconds, 2) if self.seconds else 0.0,
                "stage_ms": self.stage_ms, "dropped": self.dropped, "latency_ms": self.latency_ms,
                "in_flight": self.in_flight,
                "busy_seconds": {name: round(seconds, 3) for name, seconds in self.busy_seconds.items()},
                "by_source": self.by_source, "stopped": self.stopped,
                **({"hold": self.hold} if self.hold is not None else {})}


class Spread:
    """The distribution of a value."""

    def __init__(self) -> None:
        self._values = np.full(_KEPT, 0.0)  # written to at once: memory that is only touched later looks like a leak
        self._count, self._sum = 0, 0.0
        self._random = random.Random(0)

    def add(self, value: float) -> None:
        """One more; every value so far is as likely as any other to be among those kept (reservoir sampling)."""
        place = self._count if self._count < _KEPT else self._random.randrange(self._count + 1)
        if place < _KEPT:
            self._values[place] = value
        self._count += 1
        self._sum += value

    def to_dict(self) -> Dict[str, float]:
        """p50, p95, p99 and mean; nothing of no values."""
        if not self._count:
            return {}
        p50, p95, p99 = np.percentile(self._values[:self._count], [50, 95, 99])
        return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "p99": round(float(p99), 3),
                "mean": round(self._sum / self._count, 3)}


class Tally:
    """Counts the results of a run."""

    def __init__(self, sources: int) -> None:
        self.frames, self.people, self.frames_with_people = 0, 0, 0
        self.of_source = [[0, 0] for _ in range(sources)]  # frames, people
        self._stages: Dict[str, Spread] = {}
        self._latency = Spread()

    def add(self, origin: int, result: Result) -> None:
        """One frame is written."""
        found = len(result.poses)
        self.frames, self.people = self.frames + 1, self.people + found
        self.frames_with_people += int(found > 0)
        self.of_source[origin][0] += 1
        self.of_source[origin][1] += found
        for stage, ms in result.stage_ms.items():
            if stage not in self._stages:
                self._stages[stage] = Spread()
            self._stages[stage].add(ms)
        self._latency.add(result.latency_ms)

    def stage_ms(self) -> Dict[str, Dict[str, float]]:
        """Of every stage, in the order of their work."""
        return {stage: spread.to_dict() for stage, spread in self._stages.items()}

    def latency_ms(self) -> Dict[str, float]:
        """From capture to poses."""
        return self._latency.to_dict()

    def by_source(self, sources: Sequence[Source]) -> List[Dict[str, Any]]:
        """Of each of several sources; one source is the run itself."""
        if len(sources) < 2:
            return []
        return [{"source": source.name, "frames": frames, "people": people, "dropped": source.dropped}
                for source, (frames, people) in zip(sources, self.of_source)]
