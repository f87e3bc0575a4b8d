"""Fakes for tests of the pipeline: an estimator whose stages only take time, and sources and sinks that watch."""
import threading
import time

import numpy as np

from wholebody.card import InputSpec
from wholebody.poses import Frame, Poses
from wholebody.runtime.geometry import plan
from wholebody.runtime.lane import Lane, Seen, Stage, StagedEstimator
from wholebody.runtime.sinks import Sink
from wholebody.runtime.sources.base import Source
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_17")
IMAGE = np.zeros((8, 8, 3), np.uint8)
FRAME_SECONDS = 1 / 30.0


class FakeLane(Lane):
    """A fake lane that knows which stages it went through, and refuses to be in two places."""

    def __init__(self, owner):
        super().__init__()
        self.owner, self.steps, self.at_work, self.closed = owner, [], threading.Lock(), False

    def take(self, frames):
        assert not self.closed
        super().take(frames)
        self.steps = []

    def seen(self, index, candidates=False):
        assert self.steps == list(self.owner.names), "looked at before all stages were done"
        return Seen(plan(InputSpec("image", size=(8, 8)), 8, 8), candidates=[] if candidates else None)

    def close(self):
        assert self.at_work.acquire(False), "closed while a stage was at work"
        self.closed = True


class FakeStages(StagedEstimator):
    """A fake estimator: preprocess, engine and decode wait for `delays` seconds; `on_stage(name, lane)` may fail."""

    names = ("preprocess", "engine", "decode")

    def __init__(self, delays=(0.0, 0.0, 0.0), on_stage=lambda name, lane: None, limit=None):
        self.skeleton, self.delays, self.on_stage, self.limit = SKELETON, delays, on_stage, limit
        self.lanes, self.closed = [], False
        self.stages = tuple(Stage(name, self._stage(number)) for number, name in enumerate(self.names))

    @property
    def max_batch(self):
        return self.limit

    def new_lane(self):
        self.lanes.append(FakeLane(self))
        return self.lanes[-1]

    def _stage(self, number):
        name = self.names[number]

        def run(lane):
            assert lane.at_work.acquire(False), "two stages have the same lane"
            try:
                assert not self.closed
                assert lane.steps == list(self.names[:number])
                self.on_stage(name, lane)
                if self.delays[number]:
                    time.sleep(self.delays[number])
                lane.steps.append(name)
                if number == 2:
                    lane.poses = [Poses.empty(SKELETON) for _ in lane.frames]
            finally:
                lane.at_work.release()
        return run

    def close(self):
        super().close()
        assert all(lane.closed for lane in self.lanes), "lanes are closed before the estimator"
        self.closed = True


class FakeFrames(Source):
    """A fake file of `count` frames that fails at one of them when asked to."""

    def __init__(self, count, fail_at=None, error=None, delay=0.0, name="frames"):
        super().__init__(name)
        self.count, self.fail_at, self.error, self.delay = count, fail_at, error, delay
        self.given = 0

    def __iter__(self):
        for index in range(self.count):
            if self.delay:
                time.sleep(self.delay)
            if index == self.fail_at:
                raise self.error
            self.given = index + 1
            yield Frame(IMAGE, index, time.monotonic(), "%s_%d" % (self.name, index))


class FakeCamera(Source):
    """A fake camera of 30 frames/s that delivers on time whether or not anybody is ready."""

    live = True

    def __init__(self, count, fail_at=None, error=None, seconds=FRAME_SECONDS, name="camera"):
        super().__init__(name)
        self.count, self.fail_at, self.error, self.seconds = count, fail_at, error, seconds
        self.given = 0
        self._stop = threading.Event()

    def __iter__(self):
        started = time.monotonic()
        for index in range(self.count):
            if self._stop.wait(max(0.0, started + index * self.seconds - time.monotonic())):
                return
            if index == self.fail_at:
                raise self.error
            self.given = index + 1
            yield Frame(IMAGE, index, time.monotonic(), "%s_%d" % (self.name, index))

    def stop(self):
        self._stop.set()


class FakeWatcher(Sink):
    """A fake sink that notes the indices it is given and how it ends, and fails at one when asked to."""

    def __init__(self, fail_at=None, error=None, delay=0.0):
        self.fail_at, self.error, self.delay = fail_at, error, delay
        self.indices, self.results, self.ends = [], [], []

    def write(self, frame, result, details):
        assert not self.ends, "written to after its end"
        assert frame.index == result.index
        if len(self.indices) == self.fail_at:
            raise self.error
        if self.delay:
            time.sleep(self.delay)
        self.indices.append(frame.index)
        self.results.append(result)

    def close(self):
        self.ends.append("close")

    def abort(self):
        self.ends.append("abort")


def threads_left():
    """Names of the pipeline's threads that still run."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("wholebody-")]
