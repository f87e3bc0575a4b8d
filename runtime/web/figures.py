"""The figures of a run, looked at once a second however many ask: for the page's charts and for Prometheus."""
import collections
import threading
import time
from typing import Any, Callable, Deque, Dict, List, Optional

from wholebody.jetson.tegrastats import BoardSample
from wholebody.jetson.telemetry import read_sample
from wholebody.runtime.live_status import LiveStatus

EVERY = 1.0     # seconds
_KEPT = 300     # samples
_COUNTER, _GAUGE = "counter", "gauge"


class Figures:
    """Asks the run and the board in a thread of its own."""

    def __init__(self, status: LiveStatus, read_board: Callable[[], BoardSample] = read_sample,
                 every: float = EVERY) -> None:
        self._status, self._read_board, self._every = status, read_board, every
        self._past: Deque[Dict[str, Any]] = collections.deque(maxlen=_KEPT)
        self.now: Dict[str, Any] = {}
        self._look()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="wholebody-web-figures", daemon=True)
        self._thread.start()

    def past(self) -> List[Dict[str, Any]]:
        """The last minutes, oldest first."""
        return list(self._past)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        following = time.monotonic() + self._every
        while not self._ended.wait(max(0.0, following - time.monotonic())):
            self._look()
            following = max(following + self._every, time.monotonic())

    def _look(self) -> None:
        now = self._status.snapshot()
        board = self._read_board()
        now["board"] = {"hottest_c": board.hottest_c, "temperatures_c": board.temperatures_c,
                        "total_mw": board.total_mw, "rails_mw": board.rails_mw, "gpu_load": board.gpu_load}
        self.now = now
        if now["frames"]:
            self._past.append({"seconds": now["seconds"], "fps": now["fps"], "people": now["people"],
                               "latency_ms": now["latency_ms"], "stage_ms": now["stage_ms"],
                               "hottest_c": board.hottest_c, "total_mw": board.total_mw})


def prometheus(now: Dict[str, Any]) -> str:
    """The figures in Prometheus' text format, in its base units: seconds, degrees Celsius, watts."""
    lines: List[str] = []

    def tell(name: str, kind: str, text: str, values: Dict[str, Optional[float]]) -> None:
        known = {labels: value for labels, value in values.items() if value is not None}
        if known:
            lines.extend(["# HELP wholebody_%s %s" % (name, text), "# TYPE wholebody_%s %s" % (name, kind)])
            lines.extend("wholebody_%s%s %s" % (name, labels, _number(value)) for labels, value in known.items())

    tell("fps", _GAUGE, "Frames a second, of the last seconds.", {"": now["fps"]})
    tell("frames_total", _COUNTER, "Frames so far.", {"": now["frames"]})
    tell("people", _GAUGE, "People in the newest frame.", {"": now["people"]})
    tell("people_total", _COUNTER, "People in all frames so far.", {"": now["people_total"]})
    tell("latency_seconds", _GAUGE, "From capture to result, of the last seconds.",
         {_label("quantile", quantile): _thousandth(now["latency_ms"][name])
          for quantile, name in (("0.5", "p50"), ("0.95", "p95"))})
    tell("stage_seconds", _GAUGE, "Median of each stage, of the last seconds.",
         {_label("stage", stage): _thousandth(ms) for stage, ms in sorted(now["stage_ms"].items())})
    for name, text in (("dropped", "Frames that newer ones replaced."), ("reconnects", "Times lost and back."),
                       ("still", "1 while the camera delivers the very same picture.")):
        tell(name + ("" if name == "still" else "_total"), _GAUGE if name == "still" else _COUNTER, text,
             {_label("source", "%d" % number, name=source["name"]): float(source[name])
              for number, source in enumerate(now["sources"])})
    board = now["board"]
    tell("temperature_celsius", _GAUGE, "Of each thermal zone.",
         {_label("zone", zone): value for zone, value in sorted(board["temperatures_c"].items())})
    tell("power_watts", _GAUGE, "Of each rail.",
         {_label("rail", rail): _thousandth(mw) for rail, mw in sorted(board["rails_mw"].items())})
    tell("board_power_watts", _GAUGE, "Of the whole board or module.", {"": _thousandth(board["total_mw"])})
    return "\n".join(lines) + "\n"


def _thousandth(value: Optional[float]) -> Optional[float]:
    return None if value is None else value / 1000


def _number(value: float) -> str:
    return "%d" % value if value == int(value) else "%.9g" % value


def _label(key: str, value: str, **more: str) -> str:
    """Labels in braces, escaped.

    >>> _label("zone", 'the "hot" one')
    '{zone="the \\\\"hot\\\\" one"}'
    """
    pairs = [(key, value)] + sorted(more.items())
    return "{%s}" % ",".join('%s="%s"' % (name, text.replace("\\", r"\\").replace('"', r'\"').replace("\n", r"\n"))
                             for name, text in pairs)
