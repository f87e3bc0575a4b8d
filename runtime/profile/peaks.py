"""What this machine's own cores reach: the matrix rate of ONNX Runtime's kernels, and copies in memory.

In the processor's time, which others at work do not lengthen, and on one thread, from which all follow: what the whole
machine reaches by the clock on the wall is less when it is busy, and the network would seem to be faster than that.
"""
import os
import pathlib
import time
from typing import Callable, List, NamedTuple, Set

import numpy as np

from wholebody.engines.onnx_nodes import new_node
from wholebody.engines.onnxruntime_engine import open_session
from wholebody.protobuf import encode_bytes, encode_number

_REPEATS, _SECONDS = 5, 0.3     # at least, and as long
_SIDE = 512                     # of the matrices; large enough that memory does not matter
_COPIED = 8 * 10 ** 6           # numbers; larger than most caches
_FLOAT = 1


class Peaks(NamedTuple):
    """Of one thread, and how many there are."""

    gflops_each: float
    gb_per_s: float
    threads: int

    @property
    def gflops(self) -> float:
        """Of all threads."""
        return self.gflops_each * self.threads


def measured_peaks(threads: int = 0) -> Peaks:
    """FP32 matrix rate and copy bandwidth, the best of many; `threads` 0: a core each, as ONNX Runtime takes them."""
    session, _, _ = open_session(_product(_SIDE), "a product of matrices", threads=1)
    feeds = {name: np.ones((_SIDE, _SIDE), np.float32) for name in ("a", "b")}
    source, target = np.ones(_COPIED, np.float32), np.empty(_COPIED, np.float32)
    rate = 2e-9 * _SIDE ** 3 / _best(lambda: session.run(None, feeds))
    return Peaks(rate, 2e-9 * source.nbytes / _best(lambda: np.copyto(target, source)), threads or cores())


def cores() -> int:
    """That this process may use; two threads of one core are one."""
    pairs: Set[str] = set()
    allowed = os.sched_getaffinity(0)
    for number in allowed:
        path = pathlib.Path("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % number)
        try:
            pairs.add(path.read_text(encoding="ascii"))
        except OSError:
            return len(allowed)
    return len(pairs) or 1


def _best(work: Callable[[], object]) -> float:
    """Seconds of this thread."""
    took: List[float] = []
    end = time.perf_counter() + _SECONDS
    while len(took) < _REPEATS or time.perf_counter() < end:
        started = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)
        work()
        took.append(time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) - started)
    return max(min(took), 1e-9)


def _product(side: int) -> bytes:
    """An ONNX file of one MatMul: IR 7, opset 13."""
    dims = 2 * encode_bytes(1, encode_number(1, side))
    of_floats = encode_bytes(2, encode_bytes(1, encode_number(1, _FLOAT) + encode_bytes(2, dims)))

    def tensor(name: str) -> bytes:
        return encode_bytes(1, name.encode()) + of_floats
    graph = (encode_bytes(1, new_node("MatMul", "product", ["a", "b"], ["c"])) + encode_bytes(2, b"g")
             + encode_bytes(11, tensor("a")) + encode_bytes(11, tensor("b")) + encode_bytes(12, tensor("c")))
    return (encode_number(1, 7) + encode_bytes(8, encode_bytes(1, b"") + encode_number(2, 13))
            + encode_bytes(7, graph))
