"""Which nodes of a network go beyond FP16's largest number, found by running it in FP32 on the CPU."""
import math
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from wholebody.card import METADATA_KEY, InputSpec
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.fp16_graph import convert
from wholebody.engines.onnx_graph import GRAPH_NODE, GRAPH_OUTPUT, Graph, holds_half, read_graph
from wholebody.engines.onnx_weights import FLOAT, HALF, LARGEST_HALF
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.shapes import InputShape, input_shapes
from wholebody.errors import ModelError, WholebodyError
from wholebody.packages import require
from wholebody.protobuf import Field, WireError, encode_bytes, encode_number, nested, rewritten

_MODEL_GRAPH = 7
_FATAL_ONLY = 4
_MOST_CULPRITS = 32
_PROBES = {"ReduceMax": "/largest", "ReduceSum": "/sum"}  # the sum is there for NaN, which a maximum may pass over
Feeds = Mapping[str, Any]  # arrays by the name of the input


class LargeTensor(NamedTuple):
    """A tensor that FP16 cannot hold."""

    node: str       # that makes it; the tensor itself where it is an input
    tensor: str
    largest: float  # magnitude in FP32; inf or nan where it is not finite

    def __str__(self) -> str:
        return f"{self.node} reaches {self.largest:.3g}"


class FiniteReport(NamedTuple):
    """What a run in both precisions showed."""

    beyond: Tuple[LargeTensor, ...]  # in the order of the network
    keep_fp32: Tuple[str, ...]       # nodes that make or read those
    error: float                     # largest difference of an output, in parts of its largest magnitude


def tensors_beyond_half(model: bytes, feeds: Feeds) -> List[LargeTensor]:
    """The tensors that exceed 65504 or are not finite while the network computes in FP32, in its order."""
    return _measured(model, _graph(model), feeds)[0]


def nodes_beyond_half(model: bytes, feeds: Feeds) -> List[str]:
    """The nodes to keep in FP32: those that make or read a tensor beyond FP16."""
    graph = _graph(model)
    return _makers_and_readers(graph, _measured(model, graph, feeds)[0])


def check_half(model: bytes, feeds: Feeds, keep_fp32: Sequence[str] = ()) -> FiniteReport:
    """Runs the network in FP32 and, with what must be kept kept, in FP16; ModelError where that is not finite.

    What no number of the FP32 run foretells (a sum within a node, a division by what FP16 rounds to 0) is found in the
    FP16 network: the first node that makes no number of numbers is kept too, and so on.
    """
    graph = _graph(model)
    beyond, expected = _measured(model, graph, feeds)
    keep = tuple(keep_fp32) + tuple(name for name in _makers_and_readers(graph, beyond) if name not in keep_fp32)
    for name, values in expected.items():
        if name in graph.outputs and not np.isfinite(values).all():
            raise ModelError(f"output {name} is not finite even in FP32: {_first(beyond)}")
    for _ in range(_MOST_CULPRITS):
        half = convert(model, keep).data
        found = _run(half, feeds)
        bad = [name for name, values in found.items() if not np.isfinite(values).all()]
        if not bad:
            error = max((_difference(expected[name], found[name]) for name in found), default=0.0)
            return FiniteReport(tuple(beyond), keep, error)
        culprit = _not_kept(graph, _first_culprit(graph, half, feeds), keep)
        if culprit is None:
            break
        keep += (culprit,)
    raise ModelError(f"output {bad[0]} is not finite in FP16, though no tensor exceeds {LARGEST_HALF:.0f} in FP32, and "
                     "no node can be told that makes it so: build with --fp32")


def _first_culprit(graph: Graph, half: bytes, feeds: Feeds) -> Optional[str]:
    """The first node of the FP16 network that makes what is no number; its name in the FP32 one."""
    inside = _graph(half)
    made = [name for node in inside.nodes for name in node.outputs if inside.types.get(name) in (FLOAT, HALF)]
    more = b"".join(encode_bytes(GRAPH_OUTPUT, _text(1, name)
                                 + encode_bytes(2, encode_bytes(1, encode_number(1, inside.types[name]))))
                    for name in made if name not in inside.outputs)

    def replace(field: Field) -> Optional[bytes]:
        return encode_bytes(_MODEL_GRAPH, bytes(inside.message) + more) if field.number == _MODEL_GRAPH else None

    values = _run(rewritten(memoryview(half), replace), feeds)
    own = {name: node.name for node in graph.nodes for name in node.outputs}
    for node in inside.nodes:
        if any(name in values and not np.isfinite(values[name]).all() for name in node.outputs):
            reads = node.outputs if node.operator != "Cast" or node.outputs[0] in own else node.inputs
            plain = [_plain(name) for name in reads]
            return next((own[name] for name in (*reads, *plain) if name in own), None)
    return None


def _not_kept(graph: Graph, culprit: Optional[str], keep: Sequence[str]) -> Optional[str]:
    """The node itself, or where it is kept already the nearest one before it that is not: what it reads was rounded."""
    makers = {name: node for node in graph.nodes for name in node.outputs if node.operator != "Constant"}
    nodes = [node for node in graph.nodes if node.name == culprit]
    for node in nodes:  # grows while it is walked: breadth first
        if node.name not in keep:
            return node.name
        nodes += [makers[name] for name in node.inputs if name in makers and makers[name] not in nodes]
    return None


def _plain(name: str) -> str:
    """A tensor's name without what the conversion adds."""
    return name.rstrip("_").rsplit("/fp", 1)[0]


def check_before_build(onnx: str, spec: BuildSpec) -> Tuple[BuildSpec, str]:
    """The spec with the nodes to keep in FP32 added, and one line that says what was run and what it showed."""
    data = read_bytes(onnx)
    model = parse_onnx(data, onnx)
    if model.external_files or holds_half(_graph(data)):
        return spec, ""
    card = card_of(model, onnx) if METADATA_KEY in model.metadata else None
    shapes = input_shapes(model.inputs, card, spec, onnx)
    feeds = {shape.name: noise(shape, card.input if card and card.input.name == shape.name else None)
             for shape in shapes}
    what = "one run on noise of %s%s" % (", ".join(str(list(shape.opt)) for shape in shapes),
                                         "" if card else " from 0 to 1, as it has no card")
    try:
        report = check_half(data, feeds, spec.keep_fp32)
    except WholebodyError as error:
        return spec, f"FP16 was not checked ({what}): {error}"
    more = [name for name in report.keep_fp32 if name not in spec.keep_fp32]
    showed = (f"{_first(report.beyond)}, beyond {LARGEST_HALF:.0f}: {len(more)} nodes around such tensors stay in "
              "FP32, with them" if report.beyond else "no tensor goes beyond it,")
    return spec._replace(keep_fp32=report.keep_fp32), f"FP16 check by {what}: {showed} all outputs are finite"


def noise(shape: InputShape, picture: Optional[InputSpec]) -> Any:
    """The same noise each time: pixels as the card prepares them, 0 to 1 without a card."""
    pixels = np.random.default_rng(0).integers(0, 256, shape.opt, dtype=np.uint8)
    if shape.dtype == "uint8":
        return pixels
    if picture is None:
        return (pixels / 255).astype(shape.dtype)
    channels = (1, 3, 1, 1) if picture.layout == "NCHW" else (1, 1, 1, 3)
    mean, std = (np.asarray(values).reshape(channels) for values in (picture.mean, picture.std))
    return ((pixels * picture.scale - mean) / std).astype(shape.dtype)


def _graph(model: bytes) -> Graph:
    try:
        graphs = nested(memoryview(model), _MODEL_GRAPH)
        if len(graphs) != 1:
            raise WireError(f"expected one graph in it, found {len(graphs)}")
        return read_graph(graphs[0])
    except WireError as error:
        raise ModelError(f"not a readable ONNX file ({len(model)} bytes): {error}")


def _measured(model: bytes, graph: Graph, feeds: Feeds) -> Tuple[List[LargeTensor], Dict[str, Any]]:
    """The tensors beyond FP16, and the outputs, of one run in FP32."""
    found = [LargeTensor(name, name, float(np.abs(value).max())) for name, value in feeds.items()
             if graph.types.get(name) == FLOAT and np.size(value)]
    made = {name: node.name for node in graph.nodes for name in node.outputs if graph.types.get(name) == FLOAT}
    answers = _run(_with_probes(model, graph, list(made)), feeds)
    for name, node in made.items():
        largest, total = (float(answers[name + suffix]) for suffix in _PROBES.values())
        found.append(LargeTensor(node, name, total if math.isnan(total) else largest))
    return [tensor for tensor in found if not tensor.largest <= LARGEST_HALF], answers


def _makers_and_readers(graph: Graph, beyond: Sequence[LargeTensor]) -> List[str]:
    """A tensor beyond FP16 must not be made, nor read, in FP16."""
    large: Set[str] = {tensor.tensor for tensor in beyond}
    return [node.name for node in graph.nodes if node.operator != "Constant"
            and (large.intersection(node.inputs) or large.intersection(node.outputs))]


def _with_probes(model: bytes, graph: Graph, tensors: Sequence[str]) -> bytes:
    """The network with two more outputs for each tensor: the largest and the sum of its magnitudes."""
    no_dims = encode_bytes(5, _text(1, "keepdims") + encode_number(3, 0) + encode_number(20, 2))
    scalar = encode_bytes(2, encode_bytes(1, encode_number(1, FLOAT) + encode_bytes(2, b"")))
    nodes, outputs = [], []
    for name in tensors:
        size = name + "/magnitude"
        nodes.append(_text(1, name) + _text(2, size) + _text(4, "Abs"))
        for operator, suffix in _PROBES.items():
            nodes.append(_text(1, size) + _text(2, name + suffix) + _text(4, operator) + no_dims)
            outputs.append(_text(1, name + suffix) + scalar)
    longer = (bytes(graph.message) + b"".join(encode_bytes(GRAPH_NODE, node) for node in nodes)
              + b"".join(encode_bytes(GRAPH_OUTPUT, output) for output in outputs))

    def replace(field: Field) -> Optional[bytes]:
        return encode_bytes(_MODEL_GRAPH, longer) if field.number == _MODEL_GRAPH else None

    return rewritten(memoryview(model), replace)


def _text(number: int, value: str) -> bytes:
    return encode_bytes(number, value.encode("utf-8"))


def _run(model: bytes, feeds: Feeds) -> Dict[str, Any]:
    """All outputs, by ONNX Runtime on the CPU."""
    ort = require("onnxruntime")
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        return dict(zip([output.name for output in session.get_outputs()], session.run(None, dict(feeds))))
    except Exception as error:  # ONNX Runtime's own classes derive from nothing narrower
        raise ModelError("ONNX Runtime %s cannot run it: %s" % (ort.__version__, " ".join(str(error).split())[:200]))


def _difference(expected: Any, found: Any) -> float:
    if not expected.size:
        return 0.0
    wide = expected.astype(np.float64)
    return float(np.abs(wide - found).max() / max(np.abs(wide).max(), 1e-12))


def _first(beyond: Sequence[LargeTensor]) -> str:
    return str(beyond[0]) if beyond else "no inner tensor is"
