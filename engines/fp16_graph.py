"""An FP32 ONNX network as one that computes in FP16, for builders that take precision from the graph.

Inputs and outputs keep their types and names, with a Cast behind or before them. Weights are stored in FP16. Nodes that
have no FP16 form, or weights beyond it, stay in FP32 between Casts, and so do the nodes that the user names.
"""
from typing import Dict, FrozenSet, Iterator, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from wholebody.engines.fp16_nodes import KeptNode, is_fp32_input, kept_nodes
from wholebody.engines.onnx_graph import (
    GRAPH_INITIALIZER,
    GRAPH_INPUT,
    GRAPH_NODE,
    GRAPH_VALUE_INFO,
    Graph,
    holds_half,
    read_graph,
)
from wholebody.engines.onnx_nodes import (
    Node,
    attribute_tensor,
    cast_node,
    holds_graphs,
    int_attribute,
    tensor_attribute,
    write_node,
)
from wholebody.engines.onnx_weights import (
    FLOAT,
    HALF,
    Weights,
    constant_weights,
    float_weights,
    tensor_bytes,
)
from wholebody.errors import BuildError, ModelError
from wholebody.protobuf import Field, WireError, encode_bytes, encode_number, nested, rewritten, text

_MODEL_IR, _MODEL_GRAPH, _MODEL_FUNCTIONS = 1, 7, 25
_IR_WITH_FREE_WEIGHTS = 4  # before it, weights were inputs too
_TENSOR_NAME = 8
_SUFFIX = {FLOAT: "/fp32", HALF: "/fp16"}
_SEQUENCES = ("SequenceEmpty", "SequenceConstruct", "SplitToSequence", "SequenceAt", "ConcatFromSequence", "Optional")


class HalfModel(NamedTuple):
    """A converted network."""

    data: bytes
    kept: Tuple[KeptNode, ...]  # the nodes that compute in FP32


def to_fp16(data: bytes, keep_fp32: Sequence[str] = ()) -> bytes:
    """The model in FP16; one that holds FP16 already comes back as it is."""
    return convert(data, keep_fp32).data


def convert(data: bytes, keep_fp32: Sequence[str] = (), where: str = "the network") -> HalfModel:
    """The model in FP16 and what stayed in FP32; `where` names it in errors.

    ModelError where it is damaged, BuildError where it cannot be converted.
    """
    try:
        return _convert(memoryview(data), data, keep_fp32)
    except WireError as error:
        raise ModelError("%s is not a readable ONNX file (%d bytes): %s; copy or export it again"
                         % (where, len(data), error))
    except BuildError as error:
        raise BuildError("%s: %s" % (where, error))


def _convert(model: memoryview, data: bytes, keep_fp32: Sequence[str]) -> HalfModel:
    graphs = nested(model, _MODEL_GRAPH)
    if len(graphs) != 1:
        raise WireError("expected one graph in it, found %d" % len(graphs))
    if nested(model, _MODEL_FUNCTIONS):
        raise BuildError("it defines functions of its own, which are not converted to FP16: inline them first")
    graph = read_graph(graphs[0])
    for node in graph.nodes:
        if holds_graphs(node) or node.operator in _SEQUENCES:
            raise BuildError("node %r (%s) is not converted to FP16: branches, loops and sequences are not; simplify "
                             "the network first, or build with --fp32" % (node.name, node.operator))
    if holds_half(graph):
        return HalfModel(data, ())
    plan = _plan(graph, keep_fp32)
    converted = _write_graph(plan)

    def replace(field: Field) -> Optional[bytes]:
        if field.number == _MODEL_IR and isinstance(field.value, int):
            return encode_number(_MODEL_IR, max(field.value, _IR_WITH_FREE_WEIGHTS))
        return encode_bytes(_MODEL_GRAPH, converted) if field.number == _MODEL_GRAPH else None

    return HalfModel(rewritten(model, replace), tuple(plan.kept[place] for place in sorted(plan.kept)))


class _Plan(NamedTuple):
    """All that is decided before anything is written."""

    graph: Graph
    constants: Dict[str, Weights]        # the FP32 ones, from initializers and Constant nodes
    kept: Dict[int, KeptNode]            # by place
    wanted: Dict[str, Set[int]]          # the types in which each constant is read
    names: Dict[Tuple[str, int], str]    # of each FP32 tensor of the network, in FP32 and in FP16
    node_names: FrozenSet[str]


def _plan(graph: Graph, keep_fp32: Sequence[str]) -> _Plan:
    constants = {name: float_weights(tensor) for name, tensor in graph.initializers.items()
                 if graph.types[name] == FLOAT}
    for node in graph.nodes:
        weights = constant_weights(node) if node.operator == "Constant" and node.standard else None
        if weights is not None:
            constants.update((name, weights) for name in node.outputs if graph.types.get(name) == FLOAT)
    kept = kept_nodes(graph, constants, keep_fp32)
    wanted: Dict[str, Set[int]] = {name: set() for name in constants}
    made_in = dict(graph.inputs)
    for place, node in enumerate(graph.nodes):
        for index, name in enumerate(node.inputs):
            if name in wanted:
                wanted[name].add(_input_type(node, index, place in kept))
        made_in.update((name, FLOAT if place in kept else HALF) for name in node.outputs)
    for name in graph.outputs:
        if name in wanted:
            wanted[name].add(FLOAT)
    plain = {name: FLOAT if name in graph.outputs or wanted.get(name) == {FLOAT} else
             HALF if name in wanted else made_in[name] for name in graph.types if graph.types[name] == FLOAT}
    return _Plan(graph, constants, kept, wanted, _names(plain, set(graph.types)),
                 frozenset(node.name for node in graph.nodes))


def _names(plain: Dict[str, int], taken: Set[str]) -> Dict[Tuple[str, int], str]:
    """The network's own name for one of the two types, a new one for the other."""
    names = {}
    for name, dtype in plain.items():
        other = FLOAT + HALF - dtype
        new = name + _SUFFIX[other]
        while new in taken:
            new += "_"
        taken.add(new)
        names[name, dtype], names[name, other] = name, new
    return names


def _input_type(node: Node, index: int, is_kept: bool) -> int:
    return FLOAT if is_kept or is_fp32_input(node, index) else HALF


def _write_graph(plan: _Plan) -> bytes:
    """The graph's message: its nodes and FP32 weights are new, the types of inner tensors are left out."""
    def replace(field: Field) -> Optional[bytes]:
        if not isinstance(field.value, memoryview):
            return None
        if field.number in (GRAPH_NODE, GRAPH_VALUE_INFO):
            return b""
        if field.number == GRAPH_INPUT:
            return None if text(field.value, 1) in plan.graph.inputs else b""
        if field.number == GRAPH_INITIALIZER:
            return b"" if text(field.value, _TENSOR_NAME) in plan.constants else None
        return None

    nodes = b"".join(encode_bytes(GRAPH_NODE, node) for node in _write_nodes(plan))
    weights = b"".join(encode_bytes(GRAPH_INITIALIZER, tensor_bytes(plan.names[name, dtype], values.values, dtype))
                       for name, values in plan.constants.items() for dtype in sorted(plan.wanted[name]))
    return nodes + rewritten(plan.graph.message, replace) + weights


def _write_nodes(plan: _Plan) -> Iterator[bytes]:
    """The nodes in their order, each after the Casts of what it reads in another type than it was made in."""
    there = {(name, FLOAT) for name in plan.graph.inputs}
    there.update((name, dtype) for name, types in plan.wanted.items() for dtype in types)
    for place, node in enumerate(plan.graph.nodes):
        if node.outputs and node.outputs[0] in plan.constants:
            continue
        is_kept = place in plan.kept
        inputs = []
        for index, name in enumerate(node.inputs):
            dtype = _input_type(node, index, is_kept)
            if plan.graph.types.get(name) == FLOAT and (name, dtype) not in there:
                yield _cast(plan, name, dtype)
                there.add((name, dtype))
            inputs.append(plan.names.get((name, dtype), name))
        made = FLOAT if is_kept else HALF
        outputs = [plan.names.get((name, made), name) for name in node.outputs]
        yield write_node(node, inputs, outputs, {} if is_kept else _half_attributes(plan.graph, node))
        there.update((name, made) for name in node.outputs)
        for name in node.outputs:
            if name in plan.graph.outputs and plan.graph.types[name] == FLOAT and not is_kept:
                yield _cast(plan, name, FLOAT)
                there.add((name, FLOAT))


def _cast(plan: _Plan, name: str, dtype: int) -> bytes:
    target = plan.names[name, dtype]
    own = target + "/cast"
    while own in plan.node_names:
        own += "_"
    return cast_node(own, plan.names[name, FLOAT + HALF - dtype], target, dtype)


def _half_attributes(graph: Graph, node: Node) -> Dict[str, bytes]:
    """The attributes by which a node makes FP32."""
    if not node.standard or graph.types.get(node.outputs[0] if node.outputs else "") != FLOAT:
        return {}
    if node.operator == "Cast":
        return {"to": int_attribute("to", HALF)}
    if node.operator == "ConstantOfShape":
        tensor = attribute_tensor(node, "value")
        values = float_weights(tensor).values if tensor is not None else np.zeros(1, np.float32)
        return {"value": tensor_attribute("value", tensor_bytes("", values, HALF))}
    return {}
