"""What a network could reach at most here, what is usual on this board, and what to change first."""
import pathlib
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from wholebody.engines.planning import Network, Wish, expected_of, read_network
from wholebody.errors import WholebodyError
from wholebody.jetson.boards import BoardFacts, board_here
from wholebody.jetson.roofline import VALUE_BYTES

_REPEATS, _SECONDS = 5, 0.5  # at least, and as long: on a busy machine only the best of many is the machine's
_SIDE = 768                 # of the matrices; large enough that memory does not matter
_COPIED = 8 * 10 ** 6       # numbers; larger than any cache
_CHANGES = {
    "engine": ("a smaller input of the network (--net-resolution), as the work grows with its area",
               "an engine in FP16 or INT8 (wb-export build), or a smaller input (--net-resolution)"),
    "pose": ("a smaller pose network, or a higher --box-score so that fewer people go through it",
             "an engine of the pose network in FP16 or INT8 (wb-export build)"),
    "detect": ("a smaller detector, or a smaller input of it", "an engine of the detector in FP16 (wb-export build)"),
    "decode": ("the native decoder with --decoding fast",) * 2,
    "preprocess": ("smaller frames from the camera: they are resized here",) * 2,
    "detect-preprocess": ("smaller frames from the camera: they are resized here",) * 2,
    "crop": ("a higher --box-score, so that fewer people are cut out",) * 2,
    "boxes": ("a higher --box-score, so that fewer boxes are compared",) * 2}


class Peaks(NamedTuple):
    """What this machine's own cores reach, measured."""

    gflops: float
    gb_per_s: float


def measured_peaks() -> Peaks:
    """FP32 matrix rate and copy bandwidth through NumPy: the best of a few."""
    one = np.ones((_SIDE, _SIDE), np.float32)
    product = np.empty_like(one)
    source, target = np.ones(_COPIED, np.float32), np.empty(_COPIED, np.float32)
    rate = 2e-9 * _SIDE ** 3 / _best(lambda: np.matmul(one, one, product))
    return Peaks(rate, 2e-9 * source.nbytes / _best(lambda: np.copyto(target, source)))


def _best(work: Any) -> float:
    took: List[float] = []
    end = time.perf_counter() + _SECONDS
    while len(took) < _REPEATS or time.perf_counter() < end:
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def expected(model: str, size: Tuple[int, int], engine_ms: float, precision: str = "fp16",
             board: Optional[BoardFacts] = None) -> Dict[str, Any]:
    """Roofline and share reached for one frame of (height, width); WholebodyError where the graph cannot be read."""
    path = pathlib.Path(model)
    on_gpu = path.suffix.lower() != ".onnx"
    if on_gpu:
        path = path.with_suffix(".onnx")
        if not path.is_file():
            raise WholebodyError("no %s beside the engine, from which its work could be counted" % path.name)
    network = read_network(str(path))
    cost = network.cost(size)
    told = {"gflop": round(cost.flop / 1e9, 4), "million_numbers_moved": round(cost.traffic / 1e6, 3),
            "reached_gflops": round(cost.flop / 1e6 / engine_ms, 2)}
    if not on_gpu:
        return dict(told, **_on_these_cores(cost.flop, cost.traffic, engine_ms))
    here = board or board_here()
    if here is None:
        raise WholebodyError("this is no board of the table, so what to expect of its GPU is not known")
    return dict(told, **_on_board(network, here, size, engine_ms, precision))


def _on_these_cores(flop: int, moved: int, engine_ms: float) -> Dict[str, Any]:
    peaks = measured_peaks()
    arithmetic, memory = flop / 1e6 / peaks.gflops, VALUE_BYTES["fp32"] * moved / 1e6 / peaks.gb_per_s
    roofline = max(arithmetic, memory)
    if roofline > engine_ms:
        raise WholebodyError("the network reached more than NumPy did (%.0f GFLOP/s, %.1f GB/s): other programs were "
                             "at work, or its BLAS is a slow one" % peaks)
    return {"on": "the CPU, FP32: %.0f GFLOP/s and %.1f GB/s, measured" % peaks, "roofline_ms": round(roofline, 4),
            "share": round(roofline / engine_ms, 4), "bound": "arithmetic" if arithmetic >= memory else "memory",
            "range_ms": None, "verdict": ""}


def _on_board(network: Network, board: BoardFacts, size: Tuple[int, int], engine_ms: float,
              precision: str) -> Dict[str, Any]:
    there = expected_of(network.cost(size), Wish(board, precision=precision, size=size))
    verdict = ("as expected" if there.fastest_ms <= engine_ms <= there.slowest_ms
               else "slower than expected: look at the power mode (wb-doctor)" if engine_ms > there.slowest_ms
               else "faster than expected")
    return {"on": "%s, %s, by the table, in its fastest power mode" % (board.title, precision.upper()),
            "roofline_ms": round(there.roofline_ms, 4), "share": round(there.roofline_ms / engine_ms, 4),
            "bound": there.bound, "range_ms": [round(there.fastest_ms, 4), round(there.slowest_ms, 4)],
            "verdict": verdict}


def bottleneck(stage_ms: Dict[str, float], waiting_ms: float, latency_ms: float, on_gpu: bool) -> Dict[str, Any]:
    """The stage that takes most, and the cheapest change, in a sentence.

    >>> bottleneck({"preprocess": 1.0, "engine": 8.0, "decode": 1.0}, 0.5, 10.5, False)["stage"]
    'engine'
    """
    stage = max(stage_ms, key=lambda name: stage_ms[name])
    share = stage_ms[stage] / max(sum(stage_ms.values()), 1e-9)
    change = _CHANGES.get(stage, ("a look at what it does",) * 2)[on_gpu]
    sentence = "%s takes %.0f %% of a frame; the cheapest next change is %s." % (stage, 100 * share, change)
    if waiting_ms > latency_ms / 2:
        sentence += (" From camera to result frames wait %.0f %% of the time: fewer in flight (--in-flight 2) make "
                     "results younger." % (100 * waiting_ms / latency_ms))
    return {"stage": stage, "share": round(share, 4), "sentence": sentence}
