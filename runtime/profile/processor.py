"""The processor's time, a second witness: others at work lengthen what the clock on the wall tells, and hardly this.

Hardly: a core is slower while others fill its caches or its clock goes down. So the same small work is timed in every
round beside what is measured, and what it takes tells how fast a core was just then.
"""
import os
import time
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from wholebody.runtime.profile.spread import in_blocks

_NUMBERS, _TIMES, _REPEATS = 400000, 10, 5    # copied, by libc, whatever runs the networks
BUSY = 0.05     # threads that could run waited longer than that part of the time they ran


class Share(NamedTuple):
    """What the kernel gave this process' threads, nanoseconds."""

    ran: int
    waited: int     # for a core, while they could have run


class Core:
    """How fast one core is at the moment."""

    def __init__(self) -> None:
        self._source, self._target = np.ones(_NUMBERS, np.float32), np.empty(_NUMBERS, np.float32)

    def ms(self) -> float:
        """Of the processor, for the same work each time."""
        took = []
        for _ in range(_REPEATS):
            started = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)
            for _ in range(_TIMES):
                np.copyto(self._target, self._source)
            took.append(time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) - started)
        return round(1e3 * sorted(took)[_REPEATS // 2], 5)


def now() -> float:
    """Seconds of the processor that all threads of this process took."""
    return time.process_time()


def share_now() -> Optional[Share]:
    """Of all threads that are there; None where the kernel does not tell."""
    ran = waited = 0
    try:
        for task in os.listdir("/proc/self/task"):
            with open("/proc/self/task/%s/schedstat" % task, encoding="ascii") as file:
                words = file.read().split()
            ran, waited = ran + int(words[0]), waited + int(words[1])
    except (OSError, ValueError, IndexError):
        return None
    return Share(ran, waited)


def waited_since(before: Optional[Share]) -> Optional[float]:
    """How long threads waited for a core, as a part of the time they ran; None where nobody knows."""
    after = share_now()
    if before is None or after is None or after.ran <= before.ran:
        return None
    return max(0.0, (after.waited - before.waited) / float(after.ran - before.ran))


def each_of(stamps: Sequence[float], count: int) -> List[float]:
    """Milliseconds of the processor for each result, in blocks, from its time when each was done.

    >>> each_of([0.0, 0.001, 0.003, 0.005, 0.007], 2)
    [1.5, 2.0]
    """
    found, start = [], stamps[0] if stamps else 0.0
    for block in in_blocks(stamps[1:], count) if len(stamps) > 1 else []:
        found.append(1e3 * (block[-1] - start) / len(block))
        start = block[-1]
    return [round(ms, 4) for ms in found]
