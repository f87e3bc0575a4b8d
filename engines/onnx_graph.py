"""An ONNX graph as nodes, constants and the type of every tensor, told from the operators without the onnx package."""
from typing import Dict, List, NamedTuple, Tuple

from wholebody.engines.onnx_nodes import Node, attribute_int, attribute_tensor, last_int, read_node, tensor_type
from wholebody.engines.onnx_weights import FLOAT, HALF
from wholebody.protobuf import WireError, fields, nested, text

UINT8, INT32, INT64, BOOL = 2, 6, 7, 9
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO = 1, 5, 11, 12, 13
_GRAPH_SPARSE = 15
_TENSOR_NAME = 8
_ATTRIBUTE_TYPES = {"value_float": FLOAT, "value_floats": FLOAT, "value_int": INT64, "value_ints": INT64}
# Operators whose outputs have types of their own, by output; the last holds for all further ones, 0 is that of input 0.
_TYPES = {
    "Shape": (INT64,), "Size": (INT64,), "ArgMax": (INT64,), "ArgMin": (INT64,), "NonZero": (INT64,),
    "NonMaxSuppression": (INT64,), "TopK": (0, INT64), "MaxPool": (0, INT64), "Unique": (0, INT64),
    "Dropout": (0, BOOL), "Multinomial": (INT32,), "ConvInteger": (INT32,), "MatMulInteger": (INT32,),
    "DynamicQuantizeLinear": (UINT8, FLOAT, UINT8)}
_TYPES.update((name, (BOOL,)) for name in ("And", "Or", "Xor", "Not", "Equal", "Greater", "GreaterOrEqual", "IsInf",
                                           "IsNaN", "Less", "LessOrEqual"))
# Operators whose output has the type of another input than the first.
_LIKE = {"Where": 1, "OneHot": 2, "CastLike": 1, "DequantizeLinear": 1, "QuantizeLinear": 2, "QLinearConv": 7,
         "QLinearMatMul": 7}
_TYPE_ATTRIBUTE = {"Cast": "to", "RandomNormal": "dtype", "RandomUniform": "dtype", "EyeLike": "dtype",
                   "Bernoulli": "dtype", "RandomNormalLike": "dtype", "RandomUniformLike": "dtype"}


class Graph(NamedTuple):
    """What a conversion needs to know."""

    message: memoryview
    nodes: Tuple[Node, ...]
    initializers: Dict[str, memoryview]
    inputs: Dict[str, int]       # without the weights that files of IR 3 list among them; element types
    outputs: Tuple[str, ...]
    types: Dict[str, int]        # of every tensor: element type, 0 where unknown


def read_graph(message: memoryview) -> Graph:
    """WireError where it is damaged, or where a node reads what nothing before it has made."""
    nodes, outputs, weights = [], [], {}
    listed: Dict[str, int] = {}
    for field in fields(message):
        if not isinstance(field.value, memoryview):
            continue
        if field.number == GRAPH_NODE:
            nodes.append(read_node(field.value))
        elif field.number == GRAPH_INITIALIZER:
            weights[text(field.value, _TENSOR_NAME)] = field.value
        elif field.number == GRAPH_INPUT:
            listed[text(field.value, 1)] = value_info_type(field.value)
        elif field.number == GRAPH_OUTPUT:
            outputs.append(text(field.value, 1))
        elif field.number == _GRAPH_SPARSE:
            raise WireError("it holds sparse weights, which are not read")
    inputs = {name: dtype for name, dtype in listed.items() if name not in weights}
    types = dict(inputs, **{name: tensor_type(tensor) for name, tensor in weights.items()})
    for node in nodes:
        for name in node.inputs:
            if name and name not in types:
                raise WireError("node %r reads %r, which nothing before it makes" % (node.name, name))
        for name, dtype in zip(node.outputs, _output_types(node, types)):
            if name in types:
                raise WireError("node %r makes %r, which is there already" % (node.name, name))
            if name:  # an output that is not wanted has none
                types[name] = dtype
    return Graph(message, tuple(nodes), weights, inputs, tuple(outputs), types)


def holds_half(graph: Graph) -> bool:
    """Whether some tensor of it is FP16 already."""
    return HALF in graph.types.values()


def value_info_type(value_info: memoryview) -> int:
    """The element type of a ValueInfoProto; 0 where it is no tensor or says none."""
    for type_proto in nested(value_info, 2):
        for tensor in nested(type_proto, 1):
            return last_int(fields(tensor), 1)
    return 0


def _output_types(node: Node, types: Dict[str, int]) -> List[int]:
    def like(place: int) -> int:
        return types.get(node.inputs[place], 0) if place < len(node.inputs) else 0

    count, name = len(node.outputs), node.operator
    if not node.standard:
        return [like(0)] * count
    if name in ("Constant", "ConstantOfShape"):
        tensor = attribute_tensor(node, "value")
        given = [_ATTRIBUTE_TYPES[key] for key in node.attributes if key in _ATTRIBUTE_TYPES]
        nothing = FLOAT if name == "ConstantOfShape" else 0
        return [tensor_type(tensor) if tensor is not None else given[0] if given else nothing] * count
    if name in _TYPE_ATTRIBUTE:
        return [attribute_int(node, _TYPE_ATTRIBUTE[name], 0) or (like(0) if name.endswith("Like") else FLOAT)] * count
    if name in _LIKE:
        return [like(_LIKE[name]) or (UINT8 if name == "QuantizeLinear" else 0)] * count
    own = _TYPES.get(name, (0,))
    return [own[min(place, len(own) - 1)] or like(0) for place in range(count)]
