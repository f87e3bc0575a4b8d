"""Where two ONNX graphs that should do the same begin to differ: the first node at fault, and what is wrong with it.

Nodes are paired by what they do and by the shapes of their weights, in the order of the graphs; names do not count,
since exporters and simplifiers rename. A node is at fault when it gives something else than its partner although it is
fed what the partner was fed, and when that difference goes on to an output. Nodes that only one graph has (a
batch-norm folded away, a quantiser put in) belong to the next node that is paired.
"""
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wholebody.errors import ModelError
from wholebody.export.onnx_graph import Array, Graph, relative_error
from wholebody.packages import require

# A small fault may grow on its way: how far below the tolerance it is looked for. Equal graphs differ by nothing else,
# others by rounding too.
_STEPS_EQUAL, _STEPS = (1, 10, 1000), (1, 10)


@dataclass(frozen=True)
class Divergence:
    """The first node that gives something else."""

    name: str                     # of the node in the graph that was examined
    operator: str
    index: int                    # among its nodes
    tensor: str                   # the output that differs
    reference_tensor: str         # that of its partner
    reference_name: str           # the partner
    reference_operator: str
    error: float                  # relative to the range of what the partner gives for the same input
    differences: tuple[str, ...]  # in operator, attributes and weights
    module: str | None = None     # of the torch network, where that is known


class _Pair:
    """Two nodes that should give the same."""

    def __init__(self, reference: Any, node: Any) -> None:
        self.reference, self.node = reference, node
        self.error = float("inf")

    def tensors(self) -> list[tuple[str, str]]:
        """Names of their outputs: in the reference, in the other."""
        return [(a, b) for a, b in zip(self.reference.output, self.node.output) if a and b]


def likeness(reference: Graph, graph: Graph) -> float:
    """1 where the two have the same nodes in the same order, 0 where they have none in common."""
    return max(_matcher(a, b, reference, graph).ratio() for a, b in _orders(reference, graph))


def find_divergence(reference: Graph, graph: Graph, feeds: Mapping[str, Array], tolerance: float) -> Divergence | None:
    """The first node of `graph` at fault for these inputs, or None where none can be told."""
    pairs = _paired(reference, graph)
    values = _run_what_runs(reference, feeds, [a for pair in pairs for a, _ in pair.tensors()])
    got = _run_what_runs(graph, feeds, [b for pair in pairs for _, b in pair.tensors()])
    for pair in pairs:
        pair.error = max((relative_error(got[b], values[a]) if a in values and b in got else float("inf")
                          for a, b in pair.tensors()), default=0.0)
    del got
    given = {**feeds, **{b: values[a] for pair in pairs for a, b in pair.tensors() if a in values}}
    for step in _STEPS_EQUAL if likeness(reference, graph) == 1 else _STEPS:
        limit = tolerance / step
        for pair in _leading_to_outputs(reference, pairs, limit, tolerance):
            error = _error_alone(graph, pair, given, values)
            if error > limit:
                return _divergence(reference, graph, pair, error, given)
    return None


def _paired(reference: Graph, graph: Graph) -> list[_Pair]:
    """Nodes that belong together, in the reference's order."""
    _, a, b, matcher = max(((m.ratio(), a, b, m) for a, b in _orders(reference, graph)
                            for m in [_matcher(a, b, reference, graph)]), key=lambda found: found[0])
    pairs = []
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and a1 - a0 == b1 - b0):
            pairs += [_Pair(x, y) for x, y in zip(a[a0:a1], b[b0:b1])]
    # What makes an output of a name has its partner there, whatever else it is.
    paired = {id(pair.reference) for pair in pairs} | {id(pair.node) for pair in pairs}
    for name in reference.outputs:
        x, y = reference.makers.get(name), graph.makers.get(name)
        if x is not None and y is not None and not {id(x), id(y)} & paired:
            pairs.append(_Pair(x, y))
    place = {id(node): n for n, node in enumerate(a)}
    return sorted(pairs, key=lambda pair: place[id(pair.reference)])


def _orders(reference: Graph, graph: Graph) -> list[tuple[list[Any], list[Any]]]:
    """The files' own order comes first: where it is the same nothing else is needed."""
    return [(reference.nodes, graph.nodes), (reference.from_outputs(), graph.from_outputs())]


def _matcher(a: Sequence[Any], b: Sequence[Any], reference: Graph,
             graph: Graph) -> "difflib.SequenceMatcher[tuple[Any, ...]]":
    return difflib.SequenceMatcher(None, [_kind(node, reference) for node in a], [_kind(node, graph) for node in b],
                                   autojunk=False)


def _kind(node: Any, graph: Graph) -> tuple[Any, ...]:
    """What must be equal in two nodes for them to be paired: the operator and the shapes of its weights."""
    return node.op_type, tuple(tuple(graph.weights[name].dims) for name in node.input if name in graph.weights)


def _run_what_runs(graph: Graph, feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    """These tensors; those that cannot be computed are left out."""
    found: dict[str, Array] = {}
    dead: set[str] = set()
    pending = [list(names)]
    while pending:
        group = [name for name in pending.pop() if name not in dead]
        if not group:
            continue
        try:
            found.update(graph.run(feeds, group))
        except ModelError:
            if len(group) == 1:
                dead |= graph.following(group[0])
            else:
                pending += [group[len(group) // 2:], group[:len(group) // 2]]
    return found


def _leading_to_outputs(reference: Graph, pairs: Sequence[_Pair], limit: float, tolerance: float) -> list[_Pair]:
    """The pairs from which a difference goes on, through pairs that differ, to an output beyond the tolerance."""
    takers: dict[str, list[Any]] = {}
    for node in reference.nodes:
        for name in reference.fed(node):
            takers.setdefault(name, []).append(node)
    pair_of = {id(pair.reference): pair for pair in pairs}
    leads: dict[int, bool] = {}
    for node in reversed(reference.from_outputs()):
        pair = pair_of.get(id(node))
        final = any(name in reference.outputs for name in node.output)
        onward = ((final and (pair is None or pair.error > tolerance))
                  or any(leads.get(id(taker), False) for name in node.output for taker in takers.get(name, ())))
        leads[id(node)] = onward and (pair is None or pair.error > limit)
    return [pair for pair in pairs if leads.get(id(pair.reference), False)]


def _error_alone(graph: Graph, pair: _Pair, given: Mapping[str, Array], values: Mapping[str, Array]) -> float:
    """How far a node is from its partner when it is given what the partner was given."""
    outputs = pair.tensors()
    if any(a not in values for a, _ in outputs):
        return 0.0
    own = {b for _, b in outputs}
    try:
        got = graph.run({name: array for name, array in given.items() if name not in own}, [b for _, b in outputs])
    except ModelError:
        return float("inf")
    return max(relative_error(got[b], values[a]) for a, b in outputs)


def _divergence(reference: Graph, graph: Graph, pair: _Pair, error: float, given: Mapping[str, Array]) -> Divergence:
    ours, theirs = pair.reference, pair.node
    added = [node for node in graph.between(given.keys() - set(theirs.output), theirs.output)[0] if node is not theirs]
    return Divergence(
        name=theirs.name, operator=theirs.op_type, index=next(n for n, x in enumerate(graph.nodes) if x is theirs),
        tensor=theirs.output[0], reference_tensor=ours.output[0], reference_name=ours.name,
        reference_operator=ours.op_type, error=error,
        differences=(*(f"{node.op_type} {node.name} in front of it, which should not be there" for node in added),
                     *_differences(reference, ours, graph, theirs)))


def _differences(reference: Graph, ours: Any, graph: Graph, theirs: Any) -> list[str]:
    """In words: operator, attributes, weights."""
    found = []
    if ours.op_type != theirs.op_type:
        found.append(f"operator {theirs.op_type}, expected {ours.op_type}")
    helper = require("onnx", "export").helper
    expected, got = ({a.name: helper.get_attribute_value(a) for a in node.attribute} for node in (ours, theirs))
    found += [f"{name} {_short(got.get(name))}, expected {_short(expected.get(name))}"
              for name in sorted(expected.keys() | got.keys()) if _short(expected.get(name)) != _short(got.get(name))]
    for a, b in zip(ours.input, theirs.input):
        if a in reference.weights and b in graph.weights:
            x, y = reference.weight(a), graph.weight(b)
            if x.shape != y.shape:
                found.append(f"weight {b} is {list(y.shape)}, expected {list(x.shape)}")
            elif not np.array_equal(x, y):
                found.append(f"weight {b} differs in {int((x != y).sum())} of {x.size} numbers")
    if len(ours.input) != len(theirs.input):
        found.append(f"{len(theirs.input)} inputs, expected {len(ours.input)}")
    return found


def _short(value: object) -> str:
    return "absent" if value is None else str(value)[:60]
