"""HoldFps in a run: told what frames cost, it tells lanes their size and the reader what to leave out."""
import logging
import time
from typing import Any, Callable, Dict, List, Sequence

from wholebody.jetson.telemetry import read_sample, read_throttling
from wholebody.runtime.pipeline.holding import Change, HoldFps, Level, levels_of

log = logging.getLogger("wholebody")
_HOT_C = 70.0
_SHOWN = 3   # things that are throttled
_KEPT = 100  # changes, of a run that may last for months


class Holder:
    """One thread calls `frame_done`, another reads `level`."""

    def __init__(self, fps: float, shares: Sequence[float], why: Callable[[], str] = lambda: board_says()) -> None:
        self.policy = HoldFps(fps, levels_of(shares))
        self.skipped = 0                # frames left out so far; the reader counts them
        self.frames: Dict[str, int] = {}
        self._changes: List[Dict[str, Any]] = []
        self._why = why
        self._started = time.monotonic()

    @property
    def level(self) -> Level:
        """What the next frame is done with."""
        return self.policy.level

    def frame_done(self, level: Level, seconds: float) -> None:
        """After a frame that others could follow every `seconds`."""
        self.frames[str(level)] = self.frames.get(str(level), 0) + 1
        if level != self.level:  # it set out before the last change
            return
        change = self.policy.observe(time.monotonic() - self._started, seconds)
        if change is not None:
            self._tell(change)

    def to_dict(self) -> Dict[str, Any]:
        """For the summary."""
        return {"fps": self.policy.fps, "level": str(self.level), "skipped": self.skipped, "frames": dict(self.frames),
                "changes": list(self._changes)}

    def _tell(self, change: Change) -> None:
        why = self._why() if change.down else ""
        log.warning("hold %g fps: %.1f possible at %s; %s to %s%s", self.policy.fps, change.possible_fps, change.before,
                    "down" if change.down else "up", change.after, " (%s)" % why if why else "")
        if len(self._changes) < _KEPT:
            self._changes.append({"at_seconds": round(change.at, 2), "from": str(change.before),
                                  "to": str(change.after), "possible_fps": round(change.possible_fps, 2), "why": why})


def board_says(root: str = "/") -> str:
    """Heat and throttling of this moment, where the board says so; a laptop's idle states are none."""
    hottest, state = read_sample(root).hottest_c, read_throttling(root)
    said = ["%.0f degrees" % hottest] if hottest is not None and hottest >= _HOT_C else []
    throttled = sorted(name for name, level in state.cooling.items() if level > 0 and not name.startswith("Processor"))
    return ", ".join(said + ["%s is throttled" % name for name in throttled[:_SHOWN]])
