"""Which nodes of a graph compute in FP32 although the graph becomes FP16, and why."""
import difflib
from typing import Dict, List, NamedTuple, Sequence, Set, Tuple

from wholebody.engines.onnx_graph import INT32, INT64, Graph
from wholebody.engines.onnx_nodes import Node, attribute_float
from wholebody.engines.onnx_weights import FLOAT, Weights
from wholebody.errors import BuildError

ASKED, TOO_LARGE, TOO_SMALL = "as asked", "weights too large for FP16", "weights too small for FP16"
NO_HALF, SIZES = "no FP16 form", "computes with whole numbers"
# By the ONNX operator specifications (QuantizeLinear and its kin take FP16 scales from opset 19 on only).
_NO_HALF = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "Range",
            "NonMaxSuppression", "Celu", "CumSum", "Multinomial", "Bernoulli", "MelWeightMatrix", "EyeLike",
            "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"}
# Inputs that stay FP32 at a node that computes in FP16: tensor(float) in the specification. Opset 10 has scales second.
_FP32_INPUTS = {"Resize": (1, 2), "Upsample": (1,)}
# Bounds beyond FP16 are no bounds: they become its largest number.
_BOUNDS = {"Clip": (1, 2), "Min": (0, 1), "Max": (0, 1)}

# What is added loses at most 3e-8 by being rounded below FP16's normal numbers, as little as the sum does.
_SUMMANDS = {"Conv": (2,), "ConvTranspose": (2,), "Gemm": (2,), "BatchNormalization": (2, 3)}
_LEAST_EPSILON = 1e-5  # the default; 3e-8 beside it are 0.15 % of the deviation


class KeptNode(NamedTuple):
    """A node that computes in FP32."""

    name: str
    why: str


def kept_nodes(graph: Graph, constants: Dict[str, Weights], keep_fp32: Sequence[str]) -> Dict[int, KeptNode]:
    """By the place of the node in the graph; BuildError for a name that no node has."""
    asked = places_of(graph, keep_fp32)
    kept: Dict[int, KeptNode] = {}
    whole: Set[str] = set()  # FP32 tensors computed from sizes and other whole numbers alone
    for place, node in enumerate(graph.nodes):
        floats = _float_inputs(graph, node)
        makes = any(graph.types.get(name) == FLOAT for name in node.outputs)
        if not (floats or makes) or node.operator == "Constant":
            continue
        varying = [name for name in floats if name not in constants]
        from_whole = (_casts_whole(graph, node) or node.operator == "Range"
                      or bool(varying) and all(name in whole for name in varying))
        why = ASKED if place in asked else _why(node, constants)
        if not why and from_whole:
            why = SIZES
        if why:
            kept[place] = KeptNode(node.name, why)
            whole.update(node.outputs if from_whole else ())
    return kept


def is_fp32_input(node: Node, place: int) -> bool:
    """Whether this input is FP32 even where the node computes in FP16."""
    return node.standard and place in _FP32_INPUTS.get(node.operator, ())


def kept_notes(kept: Sequence[KeptNode]) -> List[str]:
    """One line for each reason, with the first few names."""
    notes = []
    for why in sorted({node.why for node in kept}):
        names = [node.name for node in kept if node.why == why]
        if names:
            more = ", and %d more" % (len(names) - 4) if len(names) > 4 else ""
            notes.append("kept in FP32 (%s): %s%s" % (why, ", ".join(names[:4]), more))
    return notes


def _why(node: Node, constants: Dict[str, Weights]) -> str:
    if not node.standard or node.operator in _NO_HALF:
        return NO_HALF
    for place, name in enumerate(node.inputs):
        if name not in constants or is_fp32_input(node, place):
            continue
        if constants[name].too_large and place not in _BOUNDS.get(node.operator, ()):
            return TOO_LARGE
        if constants[name].too_small and not _is_added(node, place):
            return TOO_SMALL
    return ""


def _is_added(node: Node, place: int) -> bool:
    if node.operator == "BatchNormalization" and place == 4:  # epsilon is added to the variance
        return attribute_float(node, "epsilon", _LEAST_EPSILON) >= 0.99 * _LEAST_EPSILON
    return place in _SUMMANDS.get(node.operator, ())


def _float_inputs(graph: Graph, node: Node) -> List[str]:
    return [name for name in node.inputs if graph.types.get(name) == FLOAT]


def _casts_whole(graph: Graph, node: Node) -> bool:
    return (node.operator == "Cast" and graph.types.get(node.outputs[0] if node.outputs else "") == FLOAT
            and graph.types.get(node.inputs[0] if node.inputs else "") in (INT32, INT64))


def places_of(graph: Graph, names: Sequence[str], asked: str = "--keep-fp32") -> Set[int]:
    """Where the nodes of these names, or with outputs of these names, are; `asked` says in errors who names them."""
    known: Dict[str, List[int]] = {}
    for place, node in enumerate(graph.nodes):
        for name in {node.name, *node.outputs}:
            known.setdefault(name, []).append(place)
    for name in names:
        if name not in known:
            near: Tuple[str, ...] = tuple(difflib.get_close_matches(name, known, 1))
            raise BuildError("%s: the network has no node %r%s" % (
                asked, name, ": did you mean %r?" % near[0] if near else ""))
    return {place for name in names for place in known[name]}
