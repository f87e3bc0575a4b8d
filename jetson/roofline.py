"""What a board can do at most with so much arithmetic and traffic, and what engines make of that."""
import math
from typing import Dict, NamedTuple, Optional, Tuple

from wholebody.errors import WholebodyError
from wholebody.jetson.boards import BoardFacts

VALUE_BYTES: Dict[str, int] = {"fp32": 4, "fp16": 2, "int8": 1}
# Published engines reach 35 to 75 % of a roofline, and spend 5 (in a CUDA graph) to 35 us on top for each kernel:
# tables/published.json, which a test holds inside.
EFFICIENCY: Tuple[float, float] = (0.35, 0.75)
KERNEL_US: Tuple[float, float] = (5.0, 35.0)


class Load(NamedTuple):
    """One picture's work."""

    flop: float
    values_moved: float     # numbers written and read between kernels, and weights
    kernels: int


class Expectation(NamedTuple):
    """Milliseconds for one picture."""

    roofline_ms: float      # no engine is faster
    fastest_ms: float       # of the range to expect
    slowest_ms: float
    bound: str              # "arithmetic", "memory" or "kernels": what most of the expected time goes to

    @property
    def roofline_fps(self) -> float:
        """Pictures a second."""
        return 1e3 / self.roofline_ms

    @property
    def fps(self) -> Tuple[float, float]:
        """From and to, pictures a second."""
        return 1e3 / self.slowest_ms, 1e3 / self.fastest_ms

    @property
    def likely_ms(self) -> float:
        """The middle of the range, as factors go."""
        return math.sqrt(self.fastest_ms * self.slowest_ms)


def operations_per_s(board: BoardFacts, precision: str) -> float:
    """Peak of the GPU without sparsity; FP32 is half of FP16. WholebodyError where INT8 is no faster than FP16."""
    if precision == "int8":
        if board.int8_tops is None:
            raise WholebodyError("%s has no INT8 arithmetic (compute capability %s): plan with --fp16"
                                 % (board.title, board.sm))
        return 1e12 * board.int8_tops
    return 1e12 * board.fp16_tflops * (0.5 if precision == "fp32" else 1.0)


def expect(board: BoardFacts, load: Load, precision: str = "fp16") -> Expectation:
    """The roofline and the range around what engines reach, in the board's fastest power mode."""
    arithmetic = 1e3 * load.flop / operations_per_s(board, precision)
    memory = 1e3 * load.values_moved * VALUE_BYTES[precision] / (1e9 * board.gb_per_s)
    roofline = max(arithmetic, memory)
    fastest = roofline / EFFICIENCY[1] + load.kernels * KERNEL_US[0] / 1e3
    slowest = roofline / EFFICIENCY[0] + load.kernels * KERNEL_US[1] / 1e3
    overhead = slowest - roofline / EFFICIENCY[0]
    bound = "kernels" if overhead > slowest / 2 else "arithmetic" if arithmetic >= memory else "memory"
    return Expectation(roofline, fastest, slowest, bound)


def verdict(expected: Expectation, fps: float) -> str:
    """yes where the slow end suffices, perhaps where the fast end does, no otherwise.

    >>> verdict(Expectation(10.0, 13.0, 30.0, "arithmetic"), 50)
    'perhaps'
    """
    slow, fast = expected.fps
    return "yes" if slow >= fps else "perhaps" if fast >= fps else "no"


def build_seconds(expected: Expectation, kernels: int) -> Tuple[float, float]:
    """How long TensorRT may search: a guess, from the kernels it times; no board has measured it for us yet."""
    return 10.0 + 60e-3 * expected.fastest_ms + 0.2 * kernels, 60.0 + 600e-3 * expected.slowest_ms + 2.0 * kernels


def ram_mb(board: BoardFacts, memory_gb: Optional[int] = None) -> int:
    """What a program may have of the smallest variant's memory, or of a given one: the system takes some 1.2 GB."""
    return 1024 * (memory_gb or board.memory_gb[0]) - 1200
