"""Several things timed in turn, so that what else the machine does meets all of them."""
import time
from typing import Callable, Dict, List, NamedTuple, Optional

from wholebody.runtime.profile import processor
from wholebody.runtime.profile.spread import half_width

Timed = Callable[[], Optional[float]]   # does it once; its own milliseconds, or None to be timed from outside
Blocks = Dict[str, List[List[float]]]

SETTLED = 0.01      # half of the median's interval, as a part of it
LEAST_ROUNDS = 3
ENOUGH_ROUNDS = 8   # before which nothing is called settled
MOST_ROUNDS = 200
_LEAST_RUNS = 3     # in a block
_ROUNDS_AIMED_AT = 20


class Measured(NamedTuple):
    """What came of it."""

    blocks: Blocks
    settled: bool       # the medians are known as well as SETTLED asks
    cpu_ms: Dict[str, List[float]]  # milliseconds of the processor for one run, of each block
    core_ms: List[float]            # of the same work in each round: how fast a core was


def warm_up(contestants: Dict[str, Timed], seconds: float) -> Dict[str, float]:
    """Each by itself for its part of the time, at least twice: caches fill, clocks rise. Seconds that one takes."""
    took = {}
    for name, run in contestants.items():
        end, runs, started = time.perf_counter() + seconds / len(contestants), 0, time.perf_counter()
        while runs < 2 or time.perf_counter() < end:
            run()
            runs += 1
        took[name] = (time.perf_counter() - started) / runs
    return took


def measure(contestants: Dict[str, Timed], seconds: float, one_takes: Dict[str, float]) -> Measured:
    """Rounds of a block of each, until the spread of every median is small or the time is over."""
    share = seconds / _ROUNDS_AIMED_AT / len(contestants)
    runs = {name: max(_LEAST_RUNS, int(share / max(one_takes[name], 1e-6))) for name in contestants}
    blocks: Blocks = {name: [] for name in contestants}
    cpu_ms: Dict[str, List[float]] = {name: [] for name in contestants}
    core, core_ms = processor.Core(), []
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < MOST_ROUNDS and (rounds < LEAST_ROUNDS or time.perf_counter() < end):
        beside = []
        for name, run in contestants.items():
            beside.append(core.ms())
            before = processor.now()
            blocks[name].append([timed(run) for _ in range(runs[name])])
            cpu_ms[name].append(round(1e3 * (processor.now() - before) / runs[name], 4))
        core_ms.append(round(sum(beside) / len(beside), 5))
        rounds += 1
        if rounds >= ENOUGH_ROUNDS and _settled(blocks):
            return Measured(blocks, True, cpu_ms, core_ms)
    return Measured(blocks, _settled(blocks), cpu_ms, core_ms)


def timed(run: Timed) -> float:
    """Milliseconds of one run."""
    started = time.perf_counter()
    own = run()
    return 1e3 * (time.perf_counter() - started) if own is None else own


def _settled(blocks: Blocks) -> bool:
    return all(half_width([sorted(block)[len(block) // 2] for block in own]) < SETTLED for own in blocks.values())
