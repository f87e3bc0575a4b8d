"""What twenty viewers who come and go cost a run whose network takes 33 ms: ratios of interleaved runs."""
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np
import pytest
from fake_stages import FakeFrames, FakeStages

from wholebody.poses import Frame
from wholebody.runtime.live_status import LiveStatus
from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds
from wholebody.runtime.web import WebAddress, WebPreview

VIEWERS = pathlib.Path(__file__).resolve().parents[2] / "support" / "web_viewers.py"
FRAMES, ROUNDS, KEPT = 28, 3, 0.97
PICTURES = np.random.RandomState(0).randint(0, 255, (4, 45, 80, 3)).astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)


class FakeFilm(FakeFrames):
    """A fake source of pictures of 640x360, already in memory."""

    def __iter__(self):
        for index in range(self.count):
            yield Frame(PICTURES[index % 4], index, time.monotonic(), "film")


def frames_a_second(viewers, seed):
    source, estimate = FakeFilm(FRAMES), FakeStages((0.0, 0.033, 0.0))
    status = LiveStatus([source])
    with source, estimate, WebPreview(WebAddress.parse("127.0.0.1:0"), status, estimate.skeleton) as preview:
        watching = None
        if viewers:
            watching = subprocess.Popen([sys.executable, str(VIEWERS), str(preview.server.port), str(viewers),
                                         str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            end = time.monotonic() + 10
            while preview.server.connections < viewers // 2:
                assert time.monotonic() < end, "the viewers do not come"
                time.sleep(0.01)
        started = time.monotonic()
        run_feeds([Feed(source, [status, preview.sinks[0]])], estimate, PipelineOptions())
        rate = FRAMES / (time.monotonic() - started)
        if watching is not None:
            seen = int(watching.communicate(b"\n", timeout=10)[0])
            assert seen > 100000, "they saw pictures"
            assert 0 < preview.newest.encoded <= FRAMES
    return rate


def kept():
    rates = [(frames_a_second(0, seed), frames_a_second(20, seed)) for seed in range(ROUNDS)]
    return statistics.median(watched / alone for alone, watched in rates)


def test_twenty_viewers_leave_a_run_its_throughput():
    pytest.importorskip("cv2", reason="JPEGs are made with OpenCV")
    ratio = kept()
    if ratio < KEPT:  # the machine may have been busy
        ratio = max(ratio, kept())
    assert ratio > 1 - 2 * (1 - KEPT)
