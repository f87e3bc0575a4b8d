"""Biases that stand beside their convolution, in an Add of their own, put into it: what integer kernels need."""
from typing import Any, Dict, List, NamedTuple, Optional, Set

from wholebody.engines.onnx_graph import GRAPH_INITIALIZER, GRAPH_NODE, GRAPH_VALUE_INFO, Graph
from wholebody.engines.onnx_nodes import Node, write_node
from wholebody.engines.onnx_weights import FLOAT, tensor_bytes
from wholebody.protobuf import Field, encode_bytes, rewritten, text

_NODE_INPUT, _NODE_NAME = 1, 3


class _Fold(NamedTuple):
    """A convolution and the Add behind it."""

    add: int         # place of the Add
    bias: Any        # (channels,)
    name: str        # of the new tensor


def fold_biases(data: bytes, graph: Graph, constants: Dict[str, Any]) -> bytes:
    """The model with such Adds inside their convolutions; tensors and nodes that stay keep their names.

    A node without a name goes by its first output's: it gets that as its own.
    """
    folds = _folds(graph, constants)
    if not folds:
        return data
    gone, nodes = {fold.add for fold in folds.values()}, []
    for place, node in enumerate(graph.nodes):
        if place in folds:
            fold = folds[place]
            output = graph.nodes[fold.add].outputs[0]
            own = b"" if text(node.message, _NODE_NAME) else encode_bytes(_NODE_NAME, node.name.encode("utf-8"))
            nodes.append(write_node(node, node.inputs, (output,)) + own
                         + encode_bytes(_NODE_INPUT, fold.name.encode("utf-8")))  # the third: it has two so far
        elif place not in gone:
            nodes.append(bytes(node.message))
    inner = {graph.nodes[place].outputs[0] for place in folds}

    def in_graph(field: Field) -> Optional[bytes]:
        if field.number == GRAPH_NODE:
            return b""
        if field.number == GRAPH_VALUE_INFO and isinstance(field.value, memoryview):
            return b"" if text(field.value, 1) in inner else None
        return None

    biases = b"".join(encode_bytes(GRAPH_INITIALIZER, tensor_bytes(fold.name, fold.bias, FLOAT))
                      for fold in folds.values())
    written = b"".join(encode_bytes(GRAPH_NODE, node) for node in nodes) + rewritten(graph.message, in_graph) + biases
    return rewritten(memoryview(data), lambda field: encode_bytes(7, written) if field.number == 7 else None)


def readers_of(graph: Graph) -> Dict[str, List[int]]:
    """The places of the nodes that read each tensor."""
    readers: Dict[str, List[int]] = {}
    for place, node in enumerate(graph.nodes):
        for name in node.inputs:
            readers.setdefault(name, []).append(place)
    return readers


def _folds(graph: Graph, constants: Dict[str, Any]) -> Dict[int, _Fold]:
    readers, taken, found = readers_of(graph), set(graph.types), {}
    for place, node in enumerate(graph.nodes):
        if node.operator != "Conv" or not node.standard or len(node.inputs) != 2 or node.inputs[1] not in constants:
            continue
        output, channels = node.outputs[0], constants[node.inputs[1]].shape[0]
        reading = readers.get(output, [])
        if len(reading) != 1 or output in graph.outputs:
            continue
        bias = _bias(graph.nodes[reading[0]], output, channels, constants)
        if bias is not None:
            found[place] = _Fold(reading[0], bias, _new_name(output + "/bias", taken))
    return found


def _bias(node: Node, output: str, channels: int, constants: Dict[str, Any]) -> Optional[Any]:
    """What an Add adds to each channel; None where it does something else."""
    others = [name for name in node.inputs if name != output]
    if node.operator != "Add" or not node.standard or len(others) != 1 or others[0] not in constants:
        return None
    values = constants[others[0]]
    shape = (1,) * (4 - values.ndim) + values.shape
    return values.reshape(-1) if values.ndim <= 4 and shape == (1, channels, 1, 1) else None


def _new_name(name: str, taken: Set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
