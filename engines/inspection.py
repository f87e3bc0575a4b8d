"""What an ONNX file holds, counted from its bytes without the onnx package: operators, parameters, types."""
import collections
from typing import Counter, Dict, List, NamedTuple, Optional, Tuple

from wholebody.engines.engine import TensorInfo
from wholebody.engines.onnxfile import OnnxFile, parse_onnx, read_bytes
from wholebody.protobuf import fields, nested, text

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_INITIALIZER = 7, 1, 5
_NODE_OUTPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_DOMAIN, _NODE_ATTRIBUTE = 2, 3, 4, 7, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH = 5, 6
_TENSOR_DIMS, _TENSOR_TYPE = 1, 2
_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
_WEIGHTS = ("float32", "float16", "float64", "uint8", "int8")


class Inspection(NamedTuple):
    """The inside of an ONNX model."""

    model: OnnxFile
    file_bytes: int
    operators: Tuple[Tuple[str, int], ...]  # most frequent first
    parameters: int                         # numbers in its weights; shape constants do not count
    weight_types: Tuple[Tuple[str, int], ...]
    int64_constants: int                    # what TensorRT before 10 warns about

    @property
    def inputs(self) -> Tuple[TensorInfo, ...]:
        """What it eats."""
        return self.model.inputs

    @property
    def outputs(self) -> Tuple[TensorInfo, ...]:
        """What it delivers."""
        return self.model.outputs


def inspect_onnx(path: str) -> Inspection:
    """Count what is in a file."""
    data = read_bytes(path)
    model = parse_onnx(data, path)
    operators: Counter[str] = collections.Counter()
    sizes: Dict[str, int] = {}
    int64_constants = 0
    for graph in nested(memoryview(data), _MODEL_GRAPH):
        for dtype, count in _tensors(graph, operators):
            if dtype in _WEIGHTS:
                sizes[dtype] = sizes.get(dtype, 0) + count
            int64_constants += int(dtype == "int64")
    return Inspection(model, len(data), _sorted(operators), sum(sizes.values()), _sorted(sizes), int64_constants)


def node_at(data: bytes, index: int) -> Tuple[Optional[str], Optional[str]]:
    """Name (or first output) and operator of the node at this place of the graph; None where there is none."""
    nodes = [node for graph in nested(memoryview(data), _MODEL_GRAPH) for node in nested(graph, _GRAPH_NODE)]
    if not 0 <= index < len(nodes):
        return None, None
    node = nodes[index]
    outputs = [bytes(output).decode("utf-8", "replace") for output in nested(node, _NODE_OUTPUT)]
    return text(node, _NODE_NAME) or (outputs[0] if outputs else "?"), text(node, _NODE_OPERATOR)


def _tensors(graph: memoryview, operators: "Counter[str]") -> List[Tuple[str, int]]:
    """Type and size of every constant of a graph and of the graphs inside its nodes; its operators are counted."""
    found = []
    for field in fields(graph):
        if not isinstance(field.value, memoryview):
            continue
        if field.number == _GRAPH_INITIALIZER:
            found.append(_tensor(field.value))
        elif field.number == _GRAPH_NODE:
            domain = text(field.value, _NODE_DOMAIN)
            operators[(domain + "." if domain else "") + text(field.value, _NODE_OPERATOR)] += 1
            for attribute in nested(field.value, _NODE_ATTRIBUTE):
                found += [_tensor(tensor) for tensor in nested(attribute, _ATTRIBUTE_TENSOR)]
                for inner in nested(attribute, _ATTRIBUTE_GRAPH):
                    found += _tensors(inner, operators)
    return found


def _tensor(tensor: memoryview) -> Tuple[str, int]:
    count, dtype = 1, 0
    for field in fields(tensor):
        if field.number == _TENSOR_DIMS and isinstance(field.value, int):
            count *= field.value
        elif field.number == _TENSOR_DIMS and isinstance(field.value, memoryview):
            for dim in _packed(field.value):
                count *= dim
        elif field.number == _TENSOR_TYPE and isinstance(field.value, int):
            dtype = field.value
    return _TYPES.get(dtype, "type %d" % dtype), count


def _packed(values: memoryview) -> List[int]:
    numbers, value, shift = [], 0, 0
    for byte in values:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(value)
            value, shift = 0, 0
    return numbers


def _sorted(counts: Dict[str, int]) -> Tuple[Tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
