"""Will this network be fast enough on that board? Told from its graph and the board's roofline, before any build."""
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from wholebody.card import METADATA_KEY, ModelCard
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.dla_coverage import Coverage, dla_coverage, largest_on_gpu, reasons
from wholebody.engines.network_cost import NetworkCost, load_graph, network_cost
from wholebody.engines.onnx_graph import Graph
from wholebody.engines.onnxfile import OnnxFile, card_of, parse_onnx, read_bytes
from wholebody.engines.preflight import MemoryNeed, choose_workspace, memory_need
from wholebody.engines.shapes import InputShape
from wholebody.errors import ModelError
from wholebody.jetson.boards import BoardFacts
from wholebody.jetson.dla import Split, best_split, dla_fps, splits
from wholebody.jetson.roofline import VALUE_BYTES, Expectation, Load, build_seconds, expect, ram_mb, verdict

Size = Tuple[int, int]      # height, width
_SMALLEST_SIDE = 64
_RUNNING_MB = 350           # CUDA context, TensorRT's runtime and the interpreter


class Wish(NamedTuple):
    """What is asked for."""

    board: BoardFacts
    fps: float = 30.0
    precision: str = "fp16"
    size: Optional[Size] = None     # None is the file's own, else the card's at 16:9
    people: int = 1                 # that a network for one person sees in each frame
    memory_gb: Optional[int] = None  # of the board; None is the smallest there is


class Network(NamedTuple):
    """An ONNX file, read once."""

    path: str
    bytes: int
    file: OnnxFile
    card: Optional[ModelCard]
    graph: Graph

    @property
    def layout(self) -> str:
        """Of its input."""
        if self.card is not None:
            return self.card.input.layout
        return "NHWC" if self.file.inputs and self.file.inputs[0].shape[-1:] == (3,) else "NCHW"

    def cost(self, size: Size) -> NetworkCost:
        """For one picture."""
        return network_cost(self.graph, size[0], size[1], self.layout, self.path)


class Plan(NamedTuple):
    """What to expect."""

    wish: Wish
    size: Size
    cost: NetworkCost
    expected: Expectation               # of one frame: all its people
    verdict: str                        # yes, perhaps, no
    fits: Tuple[Optional[Size], Optional[Size]]  # the largest that surely reaches it, and at best; None where none does
    build: MemoryNeed
    running_mb: int
    ram_mb: int
    build_seconds: Tuple[float, float]
    coverage: Optional[Coverage]        # None where the board has no accelerator
    ways: Tuple[Split, ...]             # of sharing frames with it; () where there is nothing to share
    best: Optional[Split]


def read_network(path: str) -> Network:
    """The file, or a ModelError."""
    data = read_bytes(path)
    file = parse_onnx(data, path)
    card = card_of(file, path) if METADATA_KEY in file.metadata else None
    return Network(path, len(data), file, card, load_graph(data, path))


def make_plan(network: Network, wish: Wish, size: Size) -> Plan:
    """The plan at one size of input."""
    cost = network.cost(size)
    expected = expected_of(cost, wish)
    shape = InputShape("", "float32", (1, 3) + size, (1, 3) + size, (wish.people, 3) + size)
    room = ram_mb(wish.board, wish.memory_gb)
    build = memory_need(network.bytes, [shape], choose_workspace(BuildSpec(), room), own_kernels=False)
    values = VALUE_BYTES[wish.precision]
    running = _RUNNING_MB + values * (cost.parameters + 4 * wish.people * cost.largest) // 10 ** 6
    coverage = dla_coverage(network.graph, cost, wish.board) if wish.board.dla else None
    ways = _ways(cost, expected, wish, coverage)
    return Plan(wish, size, cost, expected, verdict(expected, wish.fps), _fits(network, wish, size), build, running,
                room, build_seconds(expected, len(cost.kernels)), coverage, tuple(ways), best_split(ways, wish.fps))


def expected_of(cost: NetworkCost, wish: Wish) -> Expectation:
    """One frame: weights are read once, everything else is done for each person."""
    moved = cost.traffic + (wish.people - 1) * 2 * sum(kernel.outputs for kernel in cost.kernels)
    return expect(wish.board, Load(float(wish.people * cost.flop), float(moved), len(cost.kernels)), wish.precision)


def fixed_size(network: Network) -> Optional[Size]:
    """The only size that the network takes; None where it takes any."""
    if network.card is not None:
        return network.card.input.size
    shape = network.file.inputs[0].shape if network.file.inputs else ()
    sides = shape[1:3] if network.layout == "NHWC" else shape[2:4]
    whole = [side for side in sides if isinstance(side, int)]
    return (whole[0], whole[1]) if len(whole) == 2 else None


def _fits(network: Network, wish: Wish, size: Size) -> Tuple[Optional[Size], Optional[Size]]:
    """Of the sizes of this shape; only this one where the network takes no other."""
    sizes = [size] if fixed_size(network) is not None else sizes_like(size, _multiple(network))
    found: List[Optional[Size]] = []
    for sure in (True, False):
        low, high = 0, len(sizes)       # all below low reach it, none from high on does
        while low < high:
            middle = (low + high) // 2
            fps = expected_of(network.cost(sizes[middle]), wish).fps
            if fps[0 if sure else 1] >= wish.fps:
                low = middle + 1
            else:
                high = middle
        found.append(sizes[low - 1] if low else None)
    return found[0], found[1]


def sizes_like(size: Size, multiple: int) -> List[Size]:
    """Sizes of about this shape that the network takes, from small to twice as high.

    >>> sizes_like((128, 224), 32)
    [(64, 128), (96, 160), (128, 224), (160, 288), (192, 320), (224, 384), (256, 448)]
    """
    height, width = size
    first = -(-_SMALLEST_SIDE // multiple) * multiple
    return [(side, max(multiple, int(round(side * width / float(height) / multiple)) * multiple))
            for side in range(first, 2 * height + 1, multiple)]


def _multiple(network: Network) -> int:
    return network.card.input.multiple if network.card is not None else 32


def _ways(cost: NetworkCost, expected: Expectation, wish: Wish, coverage: Optional[Coverage]) -> List[Split]:
    """Frames can be shared where the accelerator takes all the arithmetic and its speed is published."""
    if coverage is None or coverage.flop_share < 0.99 or wish.people > 1:
        return []
    accelerators = dla_fps(wish.board, float(cost.flop), wish.precision)
    return splits(expected, accelerators) if accelerators is not None else []


def check_size(network: Network, size: Size) -> None:
    """ModelError where the network takes another one only."""
    fixed = fixed_size(network)
    if fixed is not None and fixed != size:
        raise ModelError("%s takes %dx%d only, got --size %dx%d"
                         % (network.path, fixed[1], fixed[0], size[1], size[0]))


def plan_to_dict(plan: Plan, model: str) -> Dict[str, Any]:
    """For --json."""
    cost, expected, wish = plan.cost, plan.expected, plan.wish
    return {
        "model": model, "board": wish.board.name, "fps": wish.fps, "precision": wish.precision, "people": wish.people,
        "width": plan.size[1], "height": plan.size[0], "gflop": wish.people * cost.flop / 1e9,
        "moved_mb": VALUE_BYTES[wish.precision] * cost.traffic / 1e6, "kernels": len(cost.kernels),
        "parameters": cost.parameters, "verdict": plan.verdict, "bound": expected.bound,
        "roofline_fps": round(expected.roofline_fps, 2), "expected_fps": [round(value, 2) for value in expected.fps],
        "expected_ms": [round(expected.fastest_ms, 3), round(expected.slowest_ms, 3)],
        "fits": {"surely": _text(plan.fits[0]), "at_best": _text(plan.fits[1])},
        "memory_mb": {"free_for_us": plan.ram_mb, "build": plan.build.total_mb, "run": plan.running_mb},
        "build_seconds": [round(value) for value in plan.build_seconds], "dla": _dla_to_dict(plan)}


def _dla_to_dict(plan: Plan) -> Optional[Dict[str, Any]]:
    if plan.coverage is None:
        return None
    cover, left = plan.coverage, largest_on_gpu(plan.coverage)
    return {
        "flop_share": round(cover.flop_share, 4), "switches": cover.switches, "loadables": cover.loadables,
        "kernels": [{"name": one.kernel.name, "operator": one.kernel.operator, "gflop": 2e-9 * one.kernel.macs,
                     "on": "gpu" if one.reason else "dla", "reason": one.reason} for one in cover.kernels],
        "reasons": [{"reason": reason, "kernels": number} for reason, number in reasons(cover)],
        "largest_on_gpu": left.kernel.name if left else None,
        "splits": [{"gpu_share": round(way.gpu_share, 3), "fps": [round(value, 1) for value in way.fps],
                    "fps_per_watt_of_gpu": [round(value, 2) for value in way.fps_per_watt], "best": way == plan.best}
                   for way in plan.ways]}


def _text(size: Optional[Size]) -> Optional[str]:
    return None if size is None else "%dx%d" % (size[1], size[0])
