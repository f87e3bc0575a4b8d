"""Deep-learning accelerators: what they reach, and how frames are best split between them and the GPU."""
import json
import pathlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from wholebody.jetson.boards import BoardFacts
from wholebody.jetson.roofline import Expectation

_TABLE = pathlib.Path(__file__).parent / "tables" / "dla.json"


class Split(NamedTuple):
    """One way of sharing frames; a range is (from, to)."""

    gpu_share: float                        # of the frames
    fps: Tuple[float, float]
    fps_per_watt: Tuple[float, float]       # relative to the GPU alone; power of the accelerators only


def dla_table() -> Dict[str, Any]:
    """tables/dla.json."""
    table: Dict[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table


def dla_operations(board: BoardFacts, precision: str) -> Optional[float]:
    """Peak of all accelerators together without sparsity; None where there is none, or nobody says."""
    row = dla_table()["boards"].get(board.name, {})
    peak = row.get("int8_tops" if precision == "int8" else "fp16_tflops" if precision == "fp16" else "", None)
    return None if peak is None else 1e12 * float(peak)


def dla_fps(board: BoardFacts, flop: float, precision: str) -> Optional[Tuple[float, float]]:
    """Pictures a second of all accelerators together, should they take the whole network; None where nobody says."""
    peak = dla_operations(board, precision)
    if peak is None or flop <= 0:
        return None
    low, high = dla_table()["efficiency"]
    return low * peak / flop, high * peak / flop


def splits(gpu: Expectation, dla: Tuple[float, float]) -> List[Split]:
    """GPU alone, both in the ratio of their speeds, accelerators alone."""
    low, high = dla_table()["fps_per_watt_of_gpu"]
    middle_gpu, middle_dla = 1e3 / gpu.likely_ms, (dla[0] * dla[1]) ** 0.5
    both = middle_gpu + middle_dla
    slow, fast = gpu.fps
    # The GPU's power at its own speed is 1: the accelerators take middle_dla / (middle_gpu * advantage) beside it.
    efficiency = [both / middle_gpu / (1 + middle_dla / (middle_gpu * advantage)) for advantage in (low, high)]
    return [Split(1.0, (slow, fast), (1.0, 1.0)),
            Split(middle_gpu / both, (slow + dla[0], fast + dla[1]), (efficiency[0], efficiency[1])),
            Split(0.0, dla, (low, high))]


def best_split(ways: List[Split], fps: float) -> Optional[Split]:
    """The one with the most frames per watt among those whose slow end suffices; None where none does."""
    enough = [way for way in ways if way.fps[0] >= fps]
    return max(enough, key=lambda way: way.fps_per_watt[0]) if enough else None
