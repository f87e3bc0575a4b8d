"""A camera that is lost and comes back, stands still, or is given up."""
import logging
import threading
import time

import numpy as np
import pytest
from fake_capture import FakeCapture, FakeOpener, noise

from wholebody.errors import SourceError
from wholebody.runtime.sources import live
from wholebody.runtime.sources.address import parse_address
from wholebody.runtime.sources.live import LiveSource

CAMERA = parse_address("0?fps=30")


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(live, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(live, "LONGEST_PAUSE", 0.02)


def test_frames_come_in_order_with_their_own_names():
    pictures = noise(3)
    source = LiveSource(CAMERA, 0.0, FakeOpener(FakeCapture(pictures)))
    frames = list(source)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.source for frame in frames] == ["camera_%012d" % i for i in range(3)]
    for frame, picture in zip(frames, pictures):
        np.testing.assert_array_equal(frame.image, picture)
    assert (source.live, source.fps, source.kind) == (True, 30.0, "camera")


def test_a_lost_camera_comes_back_and_it_is_counted_and_said(caplog):
    opener = FakeOpener(FakeCapture(noise(2), "unplugged"), "busy", "busy", FakeCapture(noise(3), None),
                        FakeCapture(noise(1), "gone"))
    source = LiveSource(CAMERA, 0.2, opener)
    assert [frame.index for frame in source] == list(range(6))
    assert source.reconnects == 2
    assert [capture.closed for capture in opener.given] == [1, 1, 1]
    assert "/dev/video0: lost: unplugged; trying to come back" in caplog.text
    assert "lost: no picture for 5 s" in caplog.text
    assert caplog.text.count("/dev/video0: back after") == 2


def test_a_camera_that_stays_away_is_a_problem_and_not_an_error():
    source = LiveSource(CAMERA, 0.1, FakeOpener(FakeCapture(noise(2), "unplugged")))
    started = time.monotonic()
    assert len(list(source)) == 2
    assert 0.1 <= time.monotonic() - started < 2
    assert len(source.problems) == 1
    assert source.problems[0].startswith("/dev/video0: lost for 0 s, given up: unplugged")


def test_a_camera_that_is_not_there_at_the_start_is_an_error():
    with pytest.raises(SourceError, match="unplugged"):
        LiveSource(CAMERA, 1.0, FakeOpener())


@pytest.mark.parametrize("captures", [(FakeCapture(noise(1), None),), (FakeCapture(noise(1), "gone"),)],
                         ids=["while it waits for a picture", "while it waits to come back"])
def test_stop_ends_the_wait(captures):
    source = LiveSource(CAMERA, 60.0, FakeOpener(*captures))
    timer = threading.Timer(0.05, source.stop)
    timer.start()
    started = time.monotonic()
    assert len(list(source)) == 1
    assert time.monotonic() - started < 1.5
    timer.join()
    source.close()
    source.close()
    assert source.problems == []


def test_a_picture_that_stands_still_is_said_once_and_again_when_it_moves(monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(live, "STILL", 0.03)
    still, moving = noise(1)[0], noise(2, seed=1)

    class Slow(FakeCapture):
        def read(self, seconds):
            time.sleep(0.01)
            return super().read(seconds)

    source = LiveSource(CAMERA, 0.0, FakeOpener(Slow([still] * 12 + moving)))
    states = [source.still for _ in source]
    assert True in states
    assert states[-1] is False
    assert caplog.text.count("the camera may be frozen") == 1
    assert caplog.text.count("the picture moves again") == 1
