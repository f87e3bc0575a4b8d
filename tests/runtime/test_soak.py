"""Memory that grows is found, memory that does not is not accused."""
import json

import numpy as np
import pytest
from fake_stages import IMAGE, FakeFrames

from wholebody.errors import OutputError
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime import soak
from wholebody.runtime.live_status import LiveStatus
from wholebody.runtime.soak import SoakLog, resident_bytes, trend_of
from wholebody.skeletons import get_skeleton

MB = 1000000


def samples(seconds, slope, seed=0, warm_up=30.0):
    """A second apart: a pool that fills, noise that has a memory, pages of 4 KB, and a slope in MB a minute."""
    drawn, noise, found = np.random.RandomState(seed), 0.0, []
    for second in range(seconds):
        noise = 0.9 * noise + drawn.normal(0, 0.1)
        mb = 200 - warm_up * np.exp(-second / 10.0) + noise + slope * second / 60
        found.append((float(second), int(mb * MB) // 4096 * 4096))
    return found


def test_a_leak_is_found():
    for seed in range(20):
        trend = trend_of(samples(600, 1.0, seed))
        assert trend.grows
        assert trend.slope_mb_per_minute == pytest.approx(1.0, abs=0.2)
        assert "GROWS" in trend.line()


def test_noise_and_a_warm_up_are_no_leak():
    accused = [seed for seed in range(100) if trend_of(samples(600, 0.0, seed)).grows]
    assert len(accused) <= 3


def test_memory_that_stays_to_the_byte_has_no_trend():
    trend = trend_of([(float(second), 200 * MB) for second in range(60)])
    assert (trend.slope_mb_per_minute, trend.chance, trend.grows) == (0.0, 1.0, False)
    assert trend.line() == "memory 200.0 MB, +0.000 MB a minute over 0.7 min: slope not different from 0 (p = 1.00)"


def test_a_trend_that_nobody_would_notice_is_told_and_not_accused():
    trend = trend_of([(float(second), 200 * MB + 40 * second) for second in range(600)])
    assert trend.chance < 0.01
    assert not trend.grows
    assert "no steady growth" in trend.line()


@pytest.mark.parametrize("at", [0.3, 0.5, 0.7, 0.9])
def test_one_step_up_is_no_leak(at):
    found = [(float(second), 200 * MB + (second > at * 600) * 5 * MB + second * 10) for second in range(600)]
    assert not trend_of(found).grows


@pytest.mark.parametrize("seconds", [0, 1, 20])
def test_a_run_that_is_too_short_tells_nothing(seconds):
    assert trend_of(samples(seconds, 5.0)) is None


def test_a_run_is_logged_once_a_second_and_read_back(tmp_path, monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(soak, "time", clock)
    monkeypatch.setattr(soak, "resident_bytes", lambda: 100 * MB + int(clock.now) * MB)
    log = SoakLog(tmp_path / "soak.jsonl", LiveStatus([FakeFrames(0)]))
    with log:
        for _ in range(600):
            clock.now += 0.1
            log.write(Frame(IMAGE, 0, 0.0, "x"), Result(0, 0.0, Poses.empty(get_skeleton("COCO_17")), {}), None)
    lines = (tmp_path / "soak.jsonl").read_text().splitlines()
    assert len(lines) == pytest.approx(60, abs=6)
    assert set(json.loads(lines[0])) == {"seconds", "bytes", "frames", "fps", "latency_ms", "dropped", "reconnects"}
    assert log.trend().slope_mb_per_minute == pytest.approx(60, rel=0.05)
    with pytest.raises(OutputError, match="exists"):
        SoakLog(tmp_path / "soak.jsonl", LiveStatus([]))


def test_resident_memory_is_what_the_kernel_says_of_this_process():
    with open("/proc/self/status", encoding="ascii") as file:
        told = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))
    assert resident_bytes() == pytest.approx(told, rel=0.1)
