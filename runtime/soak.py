"""A long run watched: memory, rate and latency once a second into a file, and whether memory grew."""
import json
import math
import os
import pathlib
import time
from typing import IO, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from wholebody.errors import OutputError
from wholebody.files import PathLike, check_free, output_error
from wholebody.poses import Frame, Result
from wholebody.runtime.live_status import LiveStatus
from wholebody.runtime.sinks.base import Details, Sink

EVERY = 1.0          # seconds between samples
WARM_UP = 0.25       # of the run: caches and pools fill
BLOCKS = 12          # pieces of the rest; their medians hardly depend on each other, single samples do
SURE = 0.01          # chance of taking no trend for one
WORTH_MB = 1.0       # growth over the rest of the run below which nobody cares
THIRDS = 3           # pieces in each of which a leak grows; an allocator's one step up, at whatever time, is in one


class Trend(NamedTuple):
    """How memory went after the warm-up."""

    mb: float               # at the end
    slope_mb_per_minute: float
    chance: float           # that there is as much of a trend where there is none (Mann-Kendall)
    minutes: float          # that were looked at
    grows: bool

    def line(self) -> str:
        """For the user."""
        told = "slope not different from 0" if self.chance >= SURE else "no steady growth"
        what = "GROWS" if self.grows else told
        return "memory %.1f MB, %+.3f MB a minute over %.1f min: %s (p = %.2f)" % (
            self.mb, self.slope_mb_per_minute, self.minutes, what, self.chance)


class SoakLog(Sink):
    """A line of JSON a second; memory of its own does not grow."""

    def __init__(self, file: PathLike, status: LiveStatus, overwrite: bool = False) -> None:
        self.path, self._status = pathlib.Path(file), status
        check_free(self.path, overwrite)
        resident_bytes()  # refuses where it cannot be told
        try:
            self._file: Optional[IO[str]] = self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise output_error(self.path, error) from error
        self._next = self._started = time.monotonic()

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - the status counts
        """A sample, when it is time."""
        now = time.monotonic()
        if now < self._next or self._file is None:
            return
        self._next = now + EVERY
        status = self._status.snapshot()
        sample = {"seconds": round(now - self._started, 3), "bytes": resident_bytes(),
                  **{name: status[name] for name in ("frames", "fps", "latency_ms", "dropped", "reconnects")}}
        try:
            self._file.write(json.dumps(sample) + "\n")
            self._file.flush()
        except OSError as error:
            raise output_error(self.path, error) from error

    def close(self) -> None:
        """What was seen stays."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def abort(self) -> None:
        """As close: a log of what went wrong is worth keeping."""
        self.close()

    def trend(self) -> Optional[Trend]:
        """Of the whole run; None of one that was too short to tell."""
        with self.path.open(encoding="utf-8") as file:
            samples: List[Dict[str, Any]] = [json.loads(line) for line in file]
        return trend_of([(sample["seconds"], sample["bytes"]) for sample in samples])


def trend_of(samples: Sequence[Tuple[float, int]]) -> Optional[Trend]:
    """Of (seconds, bytes): Mann-Kendall over medians of blocks, and the median of their slopes (Theil-Sen)."""
    if not samples:
        return None
    first = samples[0][0] + WARM_UP * (samples[-1][0] - samples[0][0])
    kept = np.array([sample for sample in samples if sample[0] >= first], np.float64)
    if len(kept) < 2 * BLOCKS:
        return None
    blocks = np.array([np.median(block, axis=0) for block in np.array_split(kept, BLOCKS)])
    one, other = np.triu_indices(BLOCKS, 1)
    grown, times = blocks[other, 1] - blocks[one, 1], blocks[other, 0] - blocks[one, 0]
    slope = float(np.median(grown / times)) * 60 / 1e6
    minutes = float(kept[-1, 0] - kept[0, 0]) / 60
    chance = _chance(blocks[:, 1], float(np.sign(grown).sum()))
    rises = np.array([piece[-1, 1] - piece[0, 1] for piece in np.array_split(blocks, THIRDS)]) / 1e6
    steady = bool((rises > WORTH_MB / 4 / THIRDS).all())
    grows = steady and chance < SURE and slope * minutes > WORTH_MB
    return Trend(float(kept[-1, 1]) / 1e6, slope, chance, minutes, grows)


def _chance(values: "np.ndarray[Any, np.dtype[np.float64]]", score: float) -> float:
    """Two-sided, by the normal approximation with its correction for ties."""
    count = len(values)
    ties = np.unique(values, return_counts=True)[1]
    variance = (count * (count - 1) * (2 * count + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    if variance <= 0 or score == 0:
        return 1.0
    return math.erfc((abs(score) - 1) / math.sqrt(variance) / math.sqrt(2))


def resident_bytes() -> int:
    """Of this process."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError as error:
        raise OutputError("--soak needs Linux: %s" % error) from error
