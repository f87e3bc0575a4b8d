"""What the board was like while it was measured: mode, heat, power, clocks, memory; or why that is unknown."""
import os
import platform
import re
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wholebody import __version__
from wholebody.jetson.identity import UNKNOWN, read_board
from wholebody.jetson.power import read_mode
from wholebody.jetson.tegrastats import BoardSample
from wholebody.jetson.telemetry import read_sample, read_throttling

EVERY = 0.5         # seconds between looks
_MOVED = 0.1        # of a clock: beyond this it did not stand still


class Watch:
    """Looks at the board every half second for as long as the block runs, and does `also`."""

    def __init__(self, root: str = "/", also: Callable[[], None] = lambda: None) -> None:
        self._root, self._samples, self._also = root, [read_sample(root)], also
        self._before = read_throttling(root)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="wholebody-watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(EVERY):
            self._samples.append(read_sample(self._root))
            self._also()

    def rest(self) -> None:
        """What it does besides is done with: what comes now is not how the model is used."""
        self._also = lambda: None

    @property
    def samples(self) -> List[BoardSample]:
        """So far."""
        return list(self._samples)

    def throttled(self) -> List[str]:
        """What kept clocks down since the watch began, a phrase each."""
        return read_throttling(self._root).since(self._before)


def watts(samples: Sequence[BoardSample]) -> Optional[float]:
    """The board's own power over these samples; None where it does not tell."""
    told = [sample.total_mw for sample in samples if sample.total_mw is not None]
    return float(np.mean(told)) / 1e3 if told else None


def conditions(watch: Watch) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """What is known, and for what is not, why."""
    samples, unknown = watch.samples, {}
    mode = read_mode()
    heat = [sample.hottest_c for sample in samples if sample.hottest_c is not None]
    if mode is None:
        unknown["power mode"] = "nvpmodel is not here or does not say"
    if not heat:
        unknown["temperature"] = "no thermal zone can be read"
    clocks = {name: values for name, values in (
        ("gpu", [s.gpu_mhz for s in samples if s.gpu_mhz is not None]),
        ("cpu", [max(told) for told in ([c.mhz for c in s.cores if c.mhz is not None] for s in samples) if told]))
        if values}
    if not clocks:
        unknown["clocks"] = "neither a GPU nor cpufreq tells them"
    return {"power_mode": None if mode is None else str(mode),
            "hottest_c": {"first": heat[0], "most": max(heat)} if heat else None,
            "clocks_mhz": {name: {"least": min(values), "most": max(values)} for name, values in clocks.items()},
            "throttled": watch.throttled()}, unknown


def moved_clocks(known: Dict[str, Any]) -> List[str]:
    """A phrase for every clock that did not stand still."""
    return ["the %s's clock moved between %.0f and %.0f MHz" % (name.upper(), ends["least"], ends["most"])
            for name, ends in sorted(known["clocks_mhz"].items()) if ends["least"] < (1 - _MOVED) * ends["most"]]


def others_at_work(before: float) -> List[str]:
    """A phrase where other programs took the cores: `before` is the load average before anything was measured."""
    cores = os.cpu_count() or 1
    if before < 0.5 * cores:
        return []
    return ["other programs were at work: load average %.1f on %d cores before" % (before, cores)]


def machine() -> Dict[str, Any]:
    """What this is."""
    board = read_board()
    name = board.model if board.model != UNKNOWN else "no Jetson"
    return {"board": name, "gpu_sm": board.sm, "l4t": board.l4t, "architecture": platform.machine(),
            "cores": os.cpu_count() or 1, "python": platform.python_version(), "wholebody": __version__}


def memory_mb() -> Dict[str, float]:
    """Of this process on the host: now and at its highest."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            told = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d{1,15}) kB", file.read(), re.MULTILINE))
    except OSError:
        return {}
    return {name: round(int(told[key]) / 1024.0, 1) for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))
            if key in told}
