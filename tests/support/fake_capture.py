"""Fakes for tests of live sources: a camera that is lost on schedule."""
import time

import numpy as np

from wholebody.errors import SourceError
from wholebody.runtime.sources.capture import Capture, CaptureEnded, Shot


class FakeCapture(Capture):
    """A fake capture: gives its pictures, then ends with `reason`, or falls silent where that is None."""

    how = "a fake"

    def __init__(self, pictures, reason=""):
        self.pictures, self.reason, self.closed, self.stopped = list(pictures), reason, 0, False

    def read(self, seconds):
        assert not self.closed, "read after it was closed"
        if self.pictures:
            return Shot(self.pictures.pop(0), time.monotonic())
        if self.reason is None:
            return None
        raise CaptureEnded(self.reason)

    def stop(self):
        self.stopped = True

    def close(self):
        self.closed += 1


class FakeOpener:
    """Fake openings, one after the other: a capture, or a text that is the reason why there is none."""

    def __init__(self, *captures):
        self.left, self.given = list(captures), []

    def __call__(self, address):
        found = self.left.pop(0) if self.left else "unplugged"
        if isinstance(found, str):
            raise SourceError(found)
        assert all(capture.closed for capture in self.given), "opened again before it was closed"
        self.given.append(found)
        return found


def noise(count, seed=0):
    drawn = np.random.RandomState(seed)
    return [drawn.randint(0, 256, (48, 64, 3)).astype(np.uint8) for _ in range(count)]
