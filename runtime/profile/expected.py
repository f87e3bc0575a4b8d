"""What a network could reach at most here, what is usual on this board, and what to change first."""
import pathlib
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

from wholebody.engines.network_cost import NetworkCost
from wholebody.engines.planning import Network, Wish, expected_of, read_network
from wholebody.errors import WholebodyError
from wholebody.jetson.boards import BoardFacts, board_here
from wholebody.jetson.roofline import VALUE_BYTES
from wholebody.runtime.profile.peaks import measured_peaks

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


class Part(NamedTuple):
    """A network and how often a frame takes it."""

    model: str                  # the file that was opened
    size: Tuple[int, int]       # (height, width) of its input
    times: int = 1              # people, of a network for one person


class Work(NamedTuple):
    """Of one network for one frame."""

    network: Network
    cost: NetworkCost
    part: Part
    on_gpu: bool

    @property
    def flop(self) -> int:
        """For everybody."""
        return self.part.times * self.cost.flop

    @property
    def moved(self) -> int:
        """Numbers: weights are read once, everything else is moved for everybody."""
        return self.cost.traffic + (self.part.times - 1) * 2 * sum(kernel.outputs for kernel in self.cost.kernels)


class Where(NamedTuple):
    """What is known of the machine."""

    precision: str = "fp16"                 # of TensorRT engines
    threads: int = 0                        # of a network on the CPU; 0 is all
    copy_gb_per_s: Optional[float] = None   # of the GPU, measured
    board: Optional[BoardFacts] = None      # None: this one


def expected(parts: Sequence[Part], engine_ms: float, on: Where = Where()) -> Dict[str, Any]:
    """Roofline and share reached for one frame; WholebodyError where a graph cannot be read, or nothing is known."""
    work = [_work(part) for part in parts]
    if len({one.on_gpu for one in work}) != 1:
        raise WholebodyError("one network is on the GPU and the other on the CPU: no roofline is both theirs")
    told = {"gflop": round(sum(one.flop for one in work) / 1e9, 4),
            "million_numbers_moved": round(sum(one.moved for one in work) / 1e6, 3),
            "reached_gflops": round(sum(one.flop for one in work) / 1e6 / engine_ms, 2)}
    if not work[0].on_gpu:
        return dict(told, **_on_these_cores(work, engine_ms, on.threads))
    here = on.board or board_here()
    if here is None:
        raise WholebodyError("this is no board of the table, so what to expect of its GPU is not known")
    return dict(told, **_on_board(work, here, engine_ms, on))


def _work(part: Part) -> Work:
    path = pathlib.Path(part.model)
    on_gpu = path.suffix.lower() != ".onnx"
    if on_gpu:
        path = path.with_suffix(".onnx")
        if not path.is_file():
            raise WholebodyError("no %s beside the engine, from which its work could be counted" % path.name)
    network = read_network(str(path))
    return Work(network, network.cost(part.size), part, on_gpu)


def _on_these_cores(work: Sequence[Work], engine_ms: float, threads: int) -> Dict[str, Any]:
    peaks = measured_peaks(threads)
    arithmetic = [one.flop / 1e6 / peaks.gflops for one in work]
    memory = [VALUE_BYTES["fp32"] * one.moved / 1e6 / peaks.gb_per_s for one in work]
    roofline = sum(max(pair) for pair in zip(arithmetic, memory))
    if roofline > engine_ms:
        raise WholebodyError("the network reached more than its %d threads should (%.0f GFLOP/s each, copies of "
                             "%.1f GB/s)" % (peaks.threads, peaks.gflops_each, peaks.gb_per_s))
    return {"on": "%d threads of %.0f GFLOP/s in FP32 and copies of %.1f GB/s, measured"
                  % (peaks.threads, peaks.gflops_each, peaks.gb_per_s), "roofline_ms": round(roofline, 4),
            "share": round(roofline / engine_ms, 4), "range_ms": None, "verdict": "",
            "bound": "arithmetic" if sum(arithmetic) >= sum(memory) else "memory"}


def _on_board(work: Sequence[Work], board: BoardFacts, engine_ms: float, on: Where) -> Dict[str, Any]:
    wishes = [Wish(board, precision=on.precision, size=one.part.size, people=one.part.times) for one in work]
    usual = [expected_of(one.cost, wish) for one, wish in zip(work, wishes)]
    # The range is around what published engines reach of the table's figures; the roof itself is this board's own.
    own = board if on.copy_gb_per_s is None else board._replace(gb_per_s=min(board.gb_per_s, on.copy_gb_per_s))
    roofs = [expected_of(one.cost, wish._replace(board=own)) for one, wish in zip(work, wishes)]
    roofline, largest = sum(one.roofline_ms for one in roofs), max(roofs, key=lambda one: one.slowest_ms)
    fastest, slowest = sum(one.fastest_ms for one in usual), sum(one.slowest_ms for one in usual)
    verdict = ("as expected" if fastest <= engine_ms <= slowest
               else "slower than expected: look at the power mode (wb-doctor)" if engine_ms > slowest
               else "faster than expected")
    memory = "memory too" if on.copy_gb_per_s is None else "with copies of %.1f GB/s, measured" % on.copy_gb_per_s
    return {"on": "%s, %s by the table, in its fastest power mode, %s" % (board.title, on.precision.upper(), memory),
            "roofline_ms": round(roofline, 4), "share": round(roofline / engine_ms, 4), "bound": largest.bound,
            "range_ms": [round(fastest, 4), round(slowest, 4)], "verdict": verdict}


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
