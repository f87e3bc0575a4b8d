"""Live sources: the newest frame or none, counted, and never old."""
import time

import numpy as np
import pytest
from fake_stages import FRAME_SECONDS, FakeCamera, FakeFrames, FakeStages, FakeWatcher, threads_left

from wholebody.errors import SourceError
from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds, run_pipeline

DECODE = 0.002
ENGINES = [("5 ms", 0.005, 25, 3), ("50 ms", 0.050, 40, 3), ("50 ms, in turn", 0.050, 40, 1), ("300 ms", 0.300, 65, 3)]


class Run:
    """One run with a fake camera, and what was seen of it."""

    def __init__(self, engine, count, in_flight=3, writing=0.0):
        self.ages, self.behind = [], []
        self.camera, self.sink = FakeCamera(count), FakeWatcher(delay=writing)
        with FakeStages((0.001, engine, DECODE), self._look) as estimate:
            self.summary = run_pipeline(self.camera, estimate, [self.sink], PipelineOptions(in_flight=in_flight))

    def _look(self, name, lane):
        if name == "preprocess":
            self.behind.append(self.camera.given - 1 - lane.frames[0].index)
        if name == "engine" and self.camera.given < self.camera.count:  # after its end nothing is new
            self.ages.append(time.monotonic() - lane.frames[0].captured_at)

    def age(self):
        """Of a frame as the network starts with it, as a part of a frame's time; all but the oldest tenth."""
        return np.percentile(self.ages, 90) / FRAME_SECONDS

    def latency(self, engine):
        """From the camera to the result, as a part of what is allowed: engine + decode + two frames' time."""
        allowed = engine + DECODE + 2 * FRAME_SECONDS
        return np.percentile([result.latency_ms for result in self.sink.results], 90) / (1e3 * allowed)


@pytest.mark.parametrize("engine, count, in_flight", [case[1:] for case in ENGINES], ids=[case[0] for case in ENGINES])
def test_the_network_gets_the_newest_frame_and_results_are_young(engine, count, in_flight):
    period = max(engine, FRAME_SECONDS) if in_flight > 1 else max(engine + 0.003, FRAME_SECONDS)
    possible = count * FRAME_SECONDS / period - 1

    def keeps_up(run, share, margin):
        return (run.age() < margin and run.latency(engine) < margin and np.percentile(run.behind, 75) == 0
                and run.summary.frames > share * possible)

    run = Run(engine, count, in_flight)
    if not keeps_up(run, 0.9, 1.05):
        # Other jobs take the cores for tens of milliseconds at a time: one run of three without that is enough.
        tries = [Run(engine, count, in_flight) for _ in range(3)]
        run = min(tries, key=lambda each: each.age() + each.latency(engine))
        assert any(keeps_up(each, 0.75, 1.25) for each in tries), [
            (each.age(), each.latency(engine), each.behind, each.summary.frames, possible) for each in tries]
    assert run.sink.indices == sorted(set(run.sink.indices))
    assert run.summary.frames + run.summary.dropped == run.camera.given == count
    assert run.sink.ends == ["close"]


def test_a_slow_sink_makes_frames_drop_and_not_grow_old():
    run = Run(0.005, 30, writing=0.060)
    if run.age() > 1:
        run = Run(0.005, 30, writing=0.060)
    assert run.age() < 1.1
    assert run.summary.dropped > 10


def test_several_cameras_go_through_together_each_with_its_newest_frame():
    sinks = [FakeWatcher(), FakeWatcher()]
    cameras = [FakeCamera(20, name="left"), FakeCamera(30, name="right", seconds=0.01)]
    with FakeStages((0.0, 0.030, 0.0)) as estimate:
        summary = run_feeds([Feed(camera, [sink]) for camera, sink in zip(cameras, sinks)], estimate)
    for one, camera, sink in zip(summary.by_source, cameras, sinks):
        assert one["frames"] + one["dropped"] == camera.given
        assert sink.indices == sorted(set(sink.indices))
        assert sink.indices[-1] == camera.given - 1  # the last one is the newest that there will be
    assert threads_left() == []


def test_a_camera_and_a_file_are_not_run_together():
    sink = FakeWatcher()
    with FakeStages() as estimate, pytest.raises(SourceError, match="hall is live and clip is not"):
        run_feeds([Feed(FakeFrames(3, name="clip"), [sink]), Feed(FakeCamera(3, name="hall"))], estimate)
    assert sink.ends == []


@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_camera_that_fails_ends_the_run_after_its_last_frame(in_flight):
    sink, error = FakeWatcher(), SourceError("camera: unplugged")
    with FakeStages() as estimate, pytest.raises(SourceError) as caught:
        run_pipeline(FakeCamera(9, 5, error, seconds=0.005), estimate, [sink], PipelineOptions(in_flight=in_flight))
    assert caught.value is error
    assert sink.indices[-1] == 4
    assert sink.ends == ["abort"]
    assert threads_left() == []
