"""The figures of a run as Prometheus reads them, and the board's only where it has any."""
import re
import time

import numpy as np
import pytest
from fake_stages import IMAGE, FakeCamera

from wholebody.jetson.tegrastats import BoardSample
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.live_status import LiveStatus
from wholebody.runtime.sinks import Details
from wholebody.runtime.web.figures import Figures, prometheus
from wholebody.skeletons import get_skeleton

BOARD = BoardSample(temperatures_c={"CPU": 45.5, "GPU": 51.0}, rails_mw={"VDD_IN": 4718.0, "VDD_SOC": 1470.0})
LINE = re.compile(r'(wholebody_[a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?[0-9.e+-]+)$')


def read_metrics(text):
    """{(name, labels): value}; a line that Prometheus would not take fails."""
    found, told = {}, set()
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            told.add(line.split()[2])
            continue
        matched = LINE.match(line)
        assert matched, line
        assert matched.group(1) in told, "without a HELP and a TYPE"
        assert (matched.group(1), matched.group(2)) not in found
        found[matched.group(1), matched.group(2)] = float(matched.group(3))
    return found


@pytest.fixture
def status():
    camera = FakeCamera(0, name='the "hot"\\cold\none')
    camera.dropped, camera.reconnects = 3, 1
    return LiveStatus([camera])


def test_prometheus_reads_everything_in_base_units(status):
    poses = Poses(np.zeros((2, 17, 2)), np.zeros((2, 17)), np.ones(2), get_skeleton("COCO_17"))
    for _ in range(4):
        status.write(Frame(IMAGE, 0, 0.0, "x"), Result(0, 0.0, poses, {"engine": 20.0}, 40.0),
                     Details(poses.keypoints, (8, 8)))
    figures = Figures(status, lambda: BOARD)
    figures.close()
    found = read_metrics(prometheus(figures.now))
    name = 'source="0",name="the \\"hot\\"\\\\cold\\none"'
    expected = {("wholebody_frames_total", None): 4, ("wholebody_people", None): 2, ("wholebody_people_total", None): 8,
                ("wholebody_latency_seconds", 'quantile="0.95"'): 0.04,
                ("wholebody_stage_seconds", 'stage="engine"'): 0.02,
                ("wholebody_dropped_total", name): 3, ("wholebody_reconnects_total", name): 1,
                ("wholebody_still", name): 0, ("wholebody_temperature_celsius", 'zone="GPU"'): 51,
                ("wholebody_power_watts", 'rail="VDD_SOC"'): 1.47, ("wholebody_board_power_watts", None): 4.718}
    assert {key: found[key] for key in expected} == expected


def test_what_a_machine_does_not_measure_is_not_there(status):
    figures = Figures(status, lambda: BoardSample())
    figures.close()
    names = {name for name, _ in read_metrics(prometheus(figures.now))}
    assert "wholebody_fps" in names
    assert not {name for name in names if re.search("celsius|watts|latency|stage", name)}
    assert figures.now["board"]["total_mw"] is None


def test_the_board_is_asked_no_more_often_than_it_is_told_to_be(status):
    asked = []

    def board():
        asked.append(1)
        return BOARD

    started = time.monotonic()
    figures = Figures(status, board, every=0.1)
    try:
        time.sleep(0.55)
        for _ in range(100):
            prometheus(figures.now)
    finally:
        figures.close()
    assert 2 <= len(asked) <= (time.monotonic() - started) / 0.1 + 2
