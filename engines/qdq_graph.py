"""An FP32 ONNX network as one with QuantizeLinear and DequantizeLinear nodes, from a table of ranges.

Symmetric INT8, zero points 0: one scale for each tensor that a quantised node reads, one for each output channel of its
weights, which are stored as INT8. All that is in between, biases and sums, stays FP32.
"""
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from wholebody.engines.bias_folding import fold_biases, readers_of
from wholebody.engines.fp16_nodes import places_of
from wholebody.engines.onnx_graph import GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_NODE, Graph, read_graph
from wholebody.engines.onnx_nodes import Node, attribute_int, int_attribute, new_node, write_node
from wholebody.engines.onnx_weights import FLOAT, INT8, constant_weights, float_weights, tensor_bytes
from wholebody.engines.onnxfile import parse_onnx
from wholebody.errors import BuildError, ModelError
from wholebody.protobuf import Field, WireError, encode_bytes, encode_number, nested, rewritten, text

_MODEL_IR, _MODEL_GRAPH = 1, 7
_IR_WITH_FREE_WEIGHTS = 4   # before it, weights were inputs too
_TENSOR_NAME = 8
_OPSET_WITH_AXIS = 13       # scales for each channel
_LEVELS = 127
_LEAST_SCALE = 2.0 ** -60   # of a channel of zeros
_ACTIVATIONS = ("Relu", "Clip")
QUANTISED = ("QuantizeLinear", "DequantizeLinear")


class QuantisedModel(NamedTuple):
    """A converted network."""

    data: bytes
    nodes: Tuple[str, ...]   # that compute in INT8
    floats: Tuple[str, ...]  # that could, but do not: asked for, or without a range


class Candidate(NamedTuple):
    """A node that INT8 has a form for: one with constant weights."""

    place: int
    name: str
    weights: str             # their tensor
    axis: int                # of the output channels in them


class _Plan(NamedTuple):
    graph: Graph
    chosen: Dict[int, Candidate]
    values: Dict[str, Any]   # weights by tensor
    ranges: Mapping[str, float]
    channels: Mapping[str, Sequence[float]]
    early: Dict[int, str]    # by place, the tensor behind its activation: their Q/DQ pairs share a scale


def quantise(data: bytes, ranges: Mapping[str, float], keep: Sequence[str] = (), where: str = "the network",
             channels: Optional[Mapping[str, Sequence[float]]] = None, for_cpu: bool = False) -> QuantisedModel:
    """The model with Q/DQ nodes at every node that can be INT8 but those of `keep` and those without a range.

    `channels` are the largest magnitudes in each output channel of a weight tensor; else the weights' own count.
    `for_cpu` adds what ONNX Runtime's integer kernels need: biases within convolutions, and Q/DQ pairs in front of
    activations wherever that changes no number.
    """
    try:
        if for_cpu:
            graph = graph_of(data)
            data = fold_biases(data, graph, _constants(graph))
        return _quantise(data, ranges, keep, channels or {}, where, for_cpu)
    except WireError as error:
        raise ModelError("%s is not a readable ONNX file (%d bytes): %s; copy or export it again"
                         % (where, len(data), error))


def candidates(graph: Graph) -> List[Candidate]:
    """The nodes of a graph that may compute in INT8, in its order."""
    constants = _constants(graph)
    found = []
    for place, node in enumerate(graph.nodes):
        axis = _channel_axis(node)
        if axis is None or len(node.inputs) < 2 or node.inputs[1] not in constants or node.inputs[0] in constants:
            continue
        if graph.types.get(node.inputs[0]) == FLOAT and constants[node.inputs[1]].ndim > axis:
            found.append(Candidate(place, node.name, node.inputs[1], axis))
    return found


def channel_ranges(values: Any, axis: int) -> Any:
    """The largest magnitude in each channel."""
    return np.abs(values).max(axis=tuple(i for i in range(values.ndim) if i != axis))


def graph_of(data: bytes) -> Graph:
    """The one graph of a model; WireError where it has none, or several."""
    graphs = nested(memoryview(data), _MODEL_GRAPH)
    if len(graphs) != 1:
        raise WireError("expected one graph in it, found %d" % len(graphs))
    return read_graph(graphs[0])


def weights_of(graph: Graph, names: Sequence[str]) -> Dict[str, Any]:
    """The FP32 arrays of these constants."""
    constants = _constants(graph)
    return {name: constants[name] for name in names}


def _quantise(data: bytes, ranges: Mapping[str, float], keep: Sequence[str],
              channels: Mapping[str, Sequence[float]], where: str, for_cpu: bool) -> QuantisedModel:
    graph, opset = graph_of(data), parse_onnx(data, where).opset
    if opset < _OPSET_WITH_AXIS:
        raise BuildError("%s is of ONNX opset %d, and scales for each channel came with %d: export it again, or "
                         "convert it with onnx.version_converter" % (where, opset, _OPSET_WITH_AXIS))
    if any(node.operator in QUANTISED for node in graph.nodes):
        raise BuildError("%s is quantised already: give the float network" % where)
    may, kept = candidates(graph), places_of(graph, keep, "kept nodes")
    chosen = {c.place: c for c in may if c.place not in kept and ranges.get(graph.nodes[c.place].inputs[0], 0) > 0}
    if not chosen:
        raise BuildError("%s: no node is left to quantise: of %d that INT8 has a form for all are kept in float, or "
                         "have no range" % (where, len(may)))
    values = weights_of(graph, sorted({c.weights for c in chosen.values()}))
    written = _write_graph(_Plan(graph, chosen, values, ranges, channels,
                                _early(graph, chosen) if for_cpu else {}))

    def replace(field: Field) -> Optional[bytes]:
        if field.number == _MODEL_IR and isinstance(field.value, int):
            return encode_number(_MODEL_IR, max(field.value, _IR_WITH_FREE_WEIGHTS))
        return encode_bytes(_MODEL_GRAPH, written) if field.number == _MODEL_GRAPH else None

    return QuantisedModel(rewritten(memoryview(data), replace), tuple(c.name for c in chosen.values()),
                          tuple(c.name for c in may if c.place not in chosen))


def _channel_axis(node: Node) -> Optional[int]:
    """Where a node's weights have their output channels; None for a node that stays float."""
    if not node.standard:
        return None
    if node.operator == "Conv":
        return 0
    if node.operator == "ConvTranspose":  # groups hide channels in two axes
        return 1 if attribute_int(node, "group", 1) == 1 else None
    if node.operator == "Gemm" and not attribute_int(node, "transA", 0):
        return 0 if attribute_int(node, "transB", 0) else 1
    return 1 if node.operator == "MatMul" else None


def _constants(graph: Graph) -> Dict[str, Any]:
    """FP32 tensors that never change."""
    found = {name: float_weights(tensor).values for name, tensor in graph.initializers.items()
             if graph.types[name] == FLOAT}
    for node in graph.nodes:
        weights = constant_weights(node) if node.operator == "Constant" and node.standard else None
        if weights is not None:
            found.update((name, weights.values) for name in node.outputs)
    return found


def _write_graph(plan: _Plan) -> bytes:
    """The graph's message: nodes anew, INT8 weights and scales added, float weights that nobody reads left out."""
    names = _Names(set(plan.graph.types) | {node.name for node in plan.graph.nodes})
    constants: List[bytes] = []
    nodes = b"".join(encode_bytes(GRAPH_NODE, node) for node in _write_nodes(plan, names, constants))
    idle = _idle_weights(plan)

    def replace(field: Field) -> Optional[bytes]:
        if not isinstance(field.value, memoryview):
            return None
        if field.number == GRAPH_NODE:
            return b""
        if field.number == GRAPH_INPUT:
            return None if text(field.value, 1) in plan.graph.inputs else b""
        if field.number == GRAPH_INITIALIZER:
            return b"" if text(field.value, _TENSOR_NAME) in idle else None
        return None

    return (nodes + rewritten(plan.graph.message, replace)
            + b"".join(encode_bytes(GRAPH_INITIALIZER, tensor) for tensor in constants))


def _idle_weights(plan: _Plan) -> FrozenSet[str]:
    """Float weights that only quantised nodes read."""
    read = set(plan.graph.outputs)
    for place, node in enumerate(plan.graph.nodes):
        own = plan.chosen.get(place)
        read.update(name for name in node.inputs if own is None or name != own.weights)
    return frozenset(set(plan.values) - read)


class _Names:
    """New names that nobody has yet."""

    def __init__(self, taken: Set[str]) -> None:
        self._taken = taken

    def of(self, name: str, suffix: str) -> str:
        """The name with a suffix."""
        new = name + suffix
        while new in self._taken:
            new += "_"
        self._taken.add(new)
        return new


def _write_nodes(plan: _Plan, names: _Names, constants: List[bytes]) -> Iterator[bytes]:
    """The nodes in their order, each after the Q/DQ pairs of what it reads; new constants go to `constants`."""
    made: Dict[Tuple[str, int], str] = {}
    idle = _idle_weights(plan)
    for place, node in enumerate(plan.graph.nodes):
        own = plan.chosen.get(place)
        if own is None:
            if not (node.outputs and node.outputs[0] in idle):
                yield bytes(node.message)
            continue
        source = node.inputs[0]
        if (source, -1) not in made:
            made[source, -1] = names.of(source, "/dequantised")
            yield from _pair(plan, names, constants, source, made[source, -1])
        if (own.weights, own.axis) not in made:
            made[own.weights, own.axis] = names.of(own.weights, "/dequantised")
            yield _stored(plan, names, constants, own, made[own.weights, own.axis])
        inputs = (made[source, -1], made[own.weights, own.axis]) + node.inputs[2:]
        if place not in plan.early:
            yield write_node(node, inputs, node.outputs)
            continue
        raw = names.of(node.outputs[0], "/raw")
        yield write_node(node, inputs, (raw,))
        yield from _pair(plan, names, constants, raw, node.outputs[0], plan.ranges[plan.early[place]])


def _early(graph: Graph, chosen: Mapping[int, Candidate]) -> Dict[int, str]:
    """Where a quantised node's output may be rounded before its activation: all that reads the activation is INT8.

    What the activation leaves as it is lies on the same grid before and after it, and the rest it cuts off anyway.
    """
    readers, found = readers_of(graph), {}
    for place in chosen:
        output = graph.nodes[place].outputs[0]
        reading = readers.get(output, [])
        if len(reading) != 1 or output in graph.outputs or graph.nodes[reading[0]].operator not in _ACTIVATIONS:
            continue
        after = graph.nodes[reading[0]].outputs[0]
        if after not in graph.outputs and all(at in chosen and graph.nodes[at].inputs[0] == after
                                              and graph.nodes[at].inputs.count(after) == 1
                                              for at in readers.get(after, [-1])):
            found[place] = after
    return found


def _pair(plan: _Plan, names: _Names, constants: List[bytes], tensor: str, target: str,
          largest: Optional[float] = None) -> Tuple[bytes, bytes]:
    scale, zero, whole = (names.of(tensor, suffix) for suffix in ("/scale", "/zero", "/quantised"))
    largest = plan.ranges[tensor] if largest is None else largest
    constants.append(tensor_bytes(scale, np.array(largest / _LEVELS, np.float32), FLOAT))
    constants.append(tensor_bytes(zero, np.zeros((), np.int8), INT8))
    return (new_node("QuantizeLinear", whole, (tensor, scale, zero), (whole,)),
            new_node("DequantizeLinear", target, (whole, scale, zero), (target,)))


def _stored(plan: _Plan, names: _Names, constants: List[bytes], own: Candidate, target: str) -> bytes:
    """The node that brings a weight back from INT8."""
    values = plan.values[own.weights]
    if not np.isfinite(values).all():
        raise BuildError("weights %r are not all finite: they cannot be quantised" % own.weights)
    given = plan.channels.get(own.weights)
    largest = channel_ranges(values, own.axis) if given is None else np.asarray(given, np.float32)
    if largest.shape != (values.shape[own.axis],):
        raise BuildError("weights %r have %d channels, and the table has ranges of %d: calibrate again"
                         % (own.weights, values.shape[own.axis], largest.size))
    scales = np.maximum(largest / _LEVELS, _LEAST_SCALE).astype(np.float32)
    shape = [-1 if i == own.axis else 1 for i in range(values.ndim)]
    whole = np.clip(np.rint(values / scales.reshape(shape)), -_LEVELS, _LEVELS).astype(np.int8)
    weights, scale, zero = (names.of(own.weights, suffix) for suffix in ("/quantised", "/scale", "/zero"))
    constants.append(tensor_bytes(weights, whole, INT8))
    constants.append(tensor_bytes(scale, scales, FLOAT))
    constants.append(tensor_bytes(zero, np.zeros(len(scales), np.int8), INT8))
    return new_node("DequantizeLinear", target, (weights, scale, zero), (target,),
                    {"axis": int_attribute("axis", own.axis)})
