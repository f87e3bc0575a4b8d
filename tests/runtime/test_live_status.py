"""What a live run says of itself."""
import numpy as np
import pytest
from fake_stages import IMAGE, FakeFrames

from wholebody.poses import Frame, Poses, Result
from wholebody.runtime import live_status
from wholebody.runtime.live_status import LiveStatus, line_of
from wholebody.runtime.sinks import Details
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_17")


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    fake = Clock()
    monkeypatch.setattr(live_status, "time", fake)
    return fake


def tell(status, people=1, latency=40.0, level="", **stage_ms):
    found = Poses(np.zeros((people, 17, 2)), np.zeros((people, 17)), np.ones(people), SKELETON)
    status.write(Frame(IMAGE, 0, 0.0, "x"), Result(0, 0.0, found, stage_ms, latency),
                 Details(found.keypoints, (1, 1), level=level))


def test_rates_and_times_are_those_of_the_last_seconds(clock):
    status = LiveStatus([FakeFrames(0)])
    for number in range(100):  # ten a second, twice as slow in the end
        clock.now += 0.1
        tell(status, people=2, latency=20.0 if number < 50 else 60.0, preprocess=1.0, engine=10.0, decode=2.0)
    now = status.snapshot()
    assert now["fps"] == pytest.approx(10, rel=0.03)
    assert (now["frames"], now["people_total"], now["people"]) == (100, 200, 2)
    assert (now["engine_ms"], now["pipeline_ms"]) == (10.0, 13.0)
    assert now["latency_ms"]["p50"] == 60.0
    assert now["seconds"] == pytest.approx(10)


def test_a_run_that_has_stopped_getting_frames_says_zero(clock):
    status = LiveStatus([FakeFrames(0)])
    tell(status)
    clock.now += 6
    now = status.snapshot()
    assert (now["fps"], now["people"], now["latency_ms"]["p50"]) == (0.0, 0, None)
    assert line_of(now) == "0.0 frames/s; 0 people; 0 dropped"


def test_a_rate_that_is_held_says_at_what(clock):
    status = LiveStatus([FakeFrames(0)])
    tell(status, level="75 % of the size")
    assert line_of(status.snapshot()).endswith("0 dropped; held at 75 % of the size")
    tell(status)
    assert "held" not in line_of(status.snapshot())


def test_a_fresh_run_counts_the_time_that_it_has(clock):
    status = LiveStatus([FakeFrames(0)])
    for _ in range(10):
        clock.now += 0.05
        tell(status)
    assert status.snapshot()["fps"] == pytest.approx(20)


def test_what_sources_count_is_summed_and_said():
    left, right = FakeFrames(0, name="left"), FakeFrames(0, name="right")
    left.dropped, right.dropped, right.reconnects, right.still = 3, 4, 2, True
    line = line_of(LiveStatus([left, right]).snapshot())
    assert line.endswith("7 dropped; lost and back 2 times; right stands still")
