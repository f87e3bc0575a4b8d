"""Which kernels of a network a deep-learning accelerator takes, and why not the others: before anything is built."""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from wholebody.engines.network_cost import Kernel, NetworkCost
from wholebody.engines.onnx_graph import Graph
from wholebody.engines.onnx_nodes import Node
from wholebody.engines.onnx_values import attribute_ints, attribute_signed, attribute_word
from wholebody.jetson.boards import BoardFacts
from wholebody.jetson.dla import dla_table

_RANGES = ("kernel_shape", "pads", "strides", "dilations", "output_padding")


class Placed(NamedTuple):
    """A kernel and where it runs."""

    kernel: Kernel
    reason: str             # "" on the accelerator, else why it runs on the GPU


class Coverage(NamedTuple):
    """A network on an accelerator with the GPU beside it."""

    kernels: Tuple[Placed, ...]
    flop_share: float       # of the arithmetic, on the accelerator
    switches: int           # from one to the other, with a copy of the data each time
    loadables: int          # pieces on the accelerator, of which it holds 16

    @property
    def whole(self) -> bool:
        """Nothing is left to the GPU."""
        return not any(placed.reason for placed in self.kernels)


def dla_coverage(graph: Graph, cost: NetworkCost, board: BoardFacts) -> Coverage:
    """Kernel by kernel, by the rules of tables/dla.json."""
    table = dla_table()
    constants = _constants(graph)
    placed = []
    for kernel in cost.kernels:
        reasons = [_why_not(graph.nodes[place], cost, constants, table, board) for place in kernel.nodes]
        placed.append(Placed(kernel, next((reason for reason in reasons if reason), "")))
    runs = [not placed[place].reason for place in range(len(placed))
            if place == 0 or bool(placed[place].reason) != bool(placed[place - 1].reason)]
    macs = sum(kernel.macs for kernel in cost.kernels)
    taken = sum(one.kernel.macs for one in placed if not one.reason)
    return Coverage(tuple(placed), taken / macs if macs else 0.0, max(len(runs) - 1, 0), sum(runs))


def reasons(coverage: Coverage) -> List[Tuple[str, int]]:
    """Why kernels run on the GPU, the most frequent reason first."""
    counted: Dict[str, int] = {}
    for placed in coverage.kernels:
        if placed.reason:
            counted[placed.reason] = counted.get(placed.reason, 0) + 1
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _constants(graph: Graph) -> Sequence[str]:
    known = set(graph.initializers)
    for node in graph.nodes:
        if node.operator in ("Constant", "Shape") or (node.inputs and all(
                not name or name in known for name in node.inputs)):
            known.update(node.outputs)
    return tuple(known)


def _why_not(node: Node, cost: NetworkCost, constants: Sequence[str], table: Dict[str, Any],
             board: BoardFacts) -> str:
    """A phrase, or "" where the accelerator takes it."""
    rule = table["operators"].get(node.operator)
    if rule is None:
        return "%s is not on its list" % node.operator
    if "chips" in rule and board.chip not in rule["chips"]:
        return "%s is not taken by this chip" % node.operator
    for name in node.outputs:
        shape = cost.shapes.get(name, ())
        if any(dim > table["largest_dimension"] for dim in shape):
            return "%s makes a side of more than %d" % (node.operator, table["largest_dimension"])
    for name in _RANGES:
        if name in rule:
            wrong = [value for value in attribute_ints(node, name, ()) if not rule[name][0] <= value <= rule[name][1]]
            if wrong:
                return "%s with %s %d, beyond %d to %d" % (node.operator, name, wrong[0], rule[name][0], rule[name][1])
    for place in rule.get("constant", ()):
        if place < len(node.inputs) and node.inputs[place] and node.inputs[place] not in constants:
            return "%s of two computed tensors" % node.operator
    return _of_form(node, cost, rule)


def _of_form(node: Node, cost: NetworkCost, rule: Dict[str, Any]) -> str:
    first = cost.shapes.get(node.inputs[0], ()) if node.inputs else ()
    if "axis" in rule and first:
        axis = attribute_signed(node, "axis", 0) % len(first)
        if len(first) != 4 or axis != rule["axis"]:
            return "%s along axis %d of %d" % (node.operator, axis, len(first))
    if "nearest" in rule:
        return _resize(node, first, cost.shapes.get(node.outputs[0], ()), rule)
    return ""


def _resize(node: Node, given: Sequence[int], made: Sequence[int], rule: Dict[str, Any]) -> str:
    mode = attribute_word(node, "mode", "nearest")
    if mode not in rule:
        return "%s by %s" % (node.operator, mode)
    for before, after in zip(given[2:], made[2:]):
        if after % before or not rule[mode][0] <= after // before <= rule[mode][1]:
            return "%s by %s with a scale that is no whole number of %d to %d" % (
                (node.operator, mode) + tuple(rule[mode]))
    return ""


def largest_on_gpu(coverage: Coverage) -> Optional[Placed]:
    """The kernel with the most arithmetic that the accelerator does not take."""
    left = [placed for placed in coverage.kernels if placed.reason]
    return max(left, key=lambda placed: (placed.kernel.macs, placed.kernel.outputs)) if left else None

