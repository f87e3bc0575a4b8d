"""When the next frame of a live source sets out: so that it does not wait, and grow old, on its way."""
import collections
import threading
import time
from typing import Deque, List, Optional

_REMEMBERED = 8  # runs of a stage; the longest of them is what it is expected to take


class Gate:
    """Opens when the slowest stage will be free as the next frame reaches it.

    Frames that are let in earlier would wait in front of that stage, and there are newer ones by then. Whatever the
    slowest stage is (a network, or writing a video), no other needs a gate: all others are free sooner.
    """

    def __init__(self, stages: int) -> None:
        self._changed = threading.Condition()
        self._entered = 0
        self._started = [0] * stages
        self._finished = [0] * stages
        self._started_at = [0.0] * stages
        self._took: List[Deque[float]] = [collections.deque(maxlen=_REMEMBERED) for _ in range(stages)]
        self._closed = False

    def started(self, stage: int) -> None:
        """A stage begins with the next lane."""
        with self._changed:
            self._started[stage] += 1
            self._started_at[stage] = time.monotonic()
            self._changed.notify_all()

    def finished(self, stage: int) -> None:
        """It is done with it."""
        with self._changed:
            self._finished[stage] += 1
            self._took[stage].append(time.monotonic() - self._started_at[stage])
            self._changed.notify_all()

    def enter(self) -> bool:
        """Wait for the moment to take a frame; False when there will be none."""
        with self._changed:
            while not self._closed:
                wait = self._seconds_left()
                if wait is not None and wait <= 0:
                    self._entered += 1
                    return True
                self._changed.wait(wait)
            return False

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _seconds_left(self) -> Optional[float]:
        """Until the gate opens; None as long as only another stage's progress can tell."""
        if self._finished[-1] == self._entered:
            return 0.0
        if not all(self._took):  # nothing is known yet: one frame at a time
            return None
        expected = [max(took) for took in self._took]
        slowest = expected.index(max(expected))
        if self._finished[slowest] == self._entered:
            return 0.0
        if self._started[slowest] < self._entered:
            return None
        free_at = self._started_at[slowest] + expected[slowest]
        return max(0.0, free_at - sum(expected[:slowest]) - time.monotonic())


class OpenGate(Gate):
    """For files: nothing grows old, every lane sets out as soon as it is free."""

    def __init__(self) -> None:
        super().__init__(0)

    def started(self, stage: int) -> None:
        """Does not matter."""

    def finished(self, stage: int) -> None:
        """Does not matter."""

    def enter(self) -> bool:
        """At once."""
        return not self._closed
