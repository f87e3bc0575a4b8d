"""Holding a frame rate on purpose: smaller input, then fewer frames, when the board cannot; back when it can.

`HoldFps` decides. It has no clock and reads no sensor: it is told the time and what a frame costs.
"""
import collections
import statistics
from typing import Deque, Dict, List, NamedTuple, Optional, Sequence

_ENOUGH = 8             # frames at a level before anything is decided
_REMEMBERED = 24
_FIRST = 2              # frames after a change that only warm up
_SETTLE_SECONDS = 1.0
_BELOW = 0.97           # of the rate: less is too slow
_ABOVE = 1.15           # of the rate, as expected one level up: enough to try
_PATIENCE_SECONDS = 5.0     # that it must look like it
_MOST_PATIENCE_SECONDS = 120.0
_RELAPSE_SECONDS = 15.0     # a way up that ends sooner was a mistake: the next one waits twice as long
_SKIPS = (2, 3)


class Level(NamedTuple):
    """How much is asked of the board."""

    share: float        # of each side of the network's input
    every: int          # the network looks at every this many-th frame

    def __str__(self) -> str:
        size = "full size" if self.share == 1.0 else "%.0f %% of the size" % (100 * self.share)
        return size if self.every == 1 else "%s, every %s frame" % (size, {2: "2nd", 3: "3rd"}[self.every])


class Change(NamedTuple):
    """A step that was decided."""

    at: float           # seconds, of whoever tells the time
    before: Level
    after: Level
    possible_fps: float  # at the level before
    down: bool


def levels_of(shares: Sequence[float]) -> List[Level]:
    """From all that is wanted down to the least: sizes first, frames last.

    >>> [str(level) for level in levels_of((1.0, 0.5))]
    ['full size', '50 % of the size', '50 % of the size, every 2nd frame', '50 % of the size, every 3rd frame']
    """
    return [Level(share, 1) for share in shares] + [Level(shares[-1], every) for every in _SKIPS]


class HoldFps:
    """Steps down as soon as frames cost too much, and up when that has looked possible for long enough."""

    def __init__(self, fps: float, levels: Sequence[Level]) -> None:
        self.fps, self.levels = fps, list(levels)
        self.place = 0
        self._costs: Deque[float] = collections.deque(maxlen=_REMEMBERED)
        self._seen = 0                          # frames at this level
        self._since: Optional[float] = None     # when this level began
        self._hopeful: Optional[float] = None   # since when one level up has looked possible
        self._ratio: Dict[int, float] = {}      # what a frame cost at a level, as a multiple of one level further down
        self._left: Dict[int, float] = {}       # what it cost there when it was left downward
        self._patience = _PATIENCE_SECONDS
        self._rose_at: Optional[float] = None

    @property
    def level(self) -> Level:
        """What is asked of the board now."""
        return self.levels[self.place]

    @property
    def possible_fps(self) -> float:
        """Frames a second at this level, skipped ones included; 0 before anything is known."""
        return self.level.every / statistics.median(self._costs) if self._costs else 0.0

    def observe(self, now: float, seconds: float) -> Optional[Change]:
        """A frame of this level is done, and others could follow it every `seconds`; what follows from that."""
        if self._since is None:
            self._since = now
        self._seen += 1
        if self._seen <= _FIRST and self._seen < _ENOUGH:
            return None
        self._costs.append(max(seconds, 1e-9))
        if len(self._costs) < _ENOUGH or now - self._since < _SETTLE_SECONDS:
            return None
        self._learn()
        self._forgive(now)
        if self.possible_fps < _BELOW * self.fps:
            self._hopeful = None
            return self._down(now) if self.place + 1 < len(self.levels) else None
        return self._maybe_up(now)

    def _learn(self) -> None:
        """How much dearer the level above was: both costs are of about the same moment only just after a step."""
        above = self.place - 1
        if above in self._left:
            self._ratio[above] = max(1.0, self._left.pop(above) / statistics.median(self._costs))

    def _forgive(self, now: float) -> None:
        """A way up that has lasted is no mistake any more."""
        if self._rose_at is not None and now - self._rose_at > 4 * _RELAPSE_SECONDS:
            self._patience, self._rose_at = _PATIENCE_SECONDS, None

    def _maybe_up(self, now: float) -> Optional[Change]:
        if self.place == 0 or self._expected_above() < _ABOVE * self.fps:
            self._hopeful = None
            return None
        if self._hopeful is None:
            self._hopeful = now
        return self._up(now) if now - self._hopeful >= self._patience else None

    def _expected_above(self) -> float:
        """The rate one level up, from what it cost there before, else from its pixels."""
        above = self.levels[self.place - 1]
        pixels = (above.share / self.level.share) ** 2
        return above.every / (statistics.median(self._costs) * self._ratio.get(self.place - 1, pixels))

    def _down(self, now: float) -> Change:
        if self._rose_at is not None and now - self._rose_at < _RELAPSE_SECONDS:
            self._patience = min(2 * self._patience, _MOST_PATIENCE_SECONDS)
        self._rose_at = None
        self._left[self.place] = statistics.median(self._costs)
        return self._step(now, 1)

    def _up(self, now: float) -> Change:
        self._rose_at = now
        return self._step(now, -1)

    def _step(self, now: float, by: int) -> Change:
        change = Change(now, self.level, self.levels[self.place + by], self.possible_fps, by > 0)
        self.place += by
        self._costs.clear()
        self._seen, self._since, self._hopeful = 0, now, None
        return change
