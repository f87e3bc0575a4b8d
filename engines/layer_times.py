"""How long each layer of a network takes, whoever tells it."""
import time
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

LEAST_RUNS, MOST_RUNS = 5, 300
_FIRST_RUNS = 2     # before which nothing counts


class LayerTime(NamedTuple):
    """One layer, or several that became one."""

    name: str
    kind: str                   # of operation
    precision: str              # of what it puts out; "unknown" where nobody says
    ms: Tuple[float, ...]       # of each run


class LayersTimed(NamedTuple):
    """All layers of a network that ran so often."""

    by: str                     # who told
    layers: Tuple[LayerTime, ...]
    run_ms: Tuple[float, ...]   # of whole runs, told apart from the layers; () where nobody does


def run_for(seconds: float, run: Callable[[], Any]) -> int:
    """As often as fits, within limits, after runs that do not count; how often."""
    for _ in range(_FIRST_RUNS):
        run()
    end, runs = time.perf_counter() + seconds, 0
    while runs < LEAST_RUNS or (runs < MOST_RUNS and time.perf_counter() < end):
        run()
        runs += 1
    return runs


def last_runs(times: Dict[str, List[float]], runs: int) -> Dict[str, Tuple[float, ...]]:
    """Of each layer the runs that count, in the order of the first run; without what never ran then.

    >>> last_runs({"conv": [9.0, 2.0, 3.0], "once": [4.0]}, 2)
    {'conv': (2.0, 3.0)}
    """
    return {name: tuple(own[-runs:]) for name, own in times.items() if len(own) >= runs}
