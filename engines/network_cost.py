"""What a network costs for one picture: arithmetic and traffic of every kernel that its nodes become, on any board."""
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from wholebody.engines.onnx_graph import Graph, read_graph
from wholebody.engines.onnx_nodes import Node
from wholebody.engines.onnx_shapes import Shape, shapes_of
from wholebody.errors import ModelError
from wholebody.protobuf import WireError, nested

_MODEL_GRAPH = 7
# Joined to the kernel that makes their input, where nothing else reads that; they move no data of their own then.
POINTWISE = frozenset((
    "Abs", "Add", "BatchNormalization", "Cast", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid",
    "HardSwish", "LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Selu",
    "Sigmoid", "Softplus", "Sqrt", "Sub", "Sum", "Tanh", "Where", "QuantizeLinear", "DequantizeLinear"))
# Views and shape computations, and copies that TensorRT elides: no kernel.
FREE = frozenset(("Concat", "Constant", "ConstantOfShape", "Dropout", "Expand", "Flatten", "Identity", "Range",
                  "Reshape", "Shape", "Size", "Split", "Squeeze", "Unsqueeze"))

_GATES = ("Sigmoid", "HardSigmoid", "Tanh", "Softplus", "Erf")


class Kernel(NamedTuple):
    """One or several nodes that run as one."""

    name: str
    operator: str
    macs: int
    inputs: int                 # numbers read that other kernels made
    outputs: int                # numbers written
    weights: int                # numbers read that are constants
    nodes: Tuple[int, ...]      # their places in the graph


class NetworkCost(NamedTuple):
    """All kernels for one picture of one size."""

    kernels: Tuple[Kernel, ...]
    shapes: Dict[str, Shape]    # of every tensor
    parameters: int

    @property
    def flop(self) -> int:
        """Two for each multiply-accumulate."""
        return 2 * sum(kernel.macs for kernel in self.kernels)

    @property
    def traffic(self) -> int:
        """Numbers moved at least: every tensor between two kernels written and read once, every weight read once."""
        return sum(2 * kernel.outputs + kernel.weights for kernel in self.kernels)

    @property
    def largest(self) -> int:
        """Numbers of the largest tensor that a kernel writes."""
        return max([kernel.outputs for kernel in self.kernels] or [0])


def load_graph(data: bytes, where: str) -> Graph:
    """The graph of an ONNX file."""
    try:
        return read_graph(nested(memoryview(data), _MODEL_GRAPH)[-1])
    except (WireError, IndexError) as error:
        raise ModelError("%s is not a readable ONNX file: %s; copy or export it again" % (where, error))


def network_cost(graph: Graph, height: int, width: int, layout: str, where: str) -> NetworkCost:
    """Its cost for one (height, width) picture; ModelError where a node's shape cannot be told."""
    if len(graph.inputs) != 1:
        raise ModelError("%s: expected one input to count its cost, got %d" % (where, len(graph.inputs)))
    picture = (1, 3, height, width) if layout == "NCHW" else (1, height, width, 3)
    try:
        shapes = shapes_of(graph, dict.fromkeys(graph.inputs, picture), where)
    except WireError as error:
        raise ModelError("%s is damaged: %s; copy or export it again" % (where, error))
    kernels = _Kernels(graph, shapes)
    for place, node in enumerate(graph.nodes):
        kernels.add(place, node)
    made = tuple(kernels.finished())
    parameters = sum(count(shapes[name]) for name in graph.initializers)
    return NetworkCost(made, shapes, parameters)


def count(shape: Shape) -> int:
    """Numbers in a tensor."""
    return int(np.prod(shape, dtype=np.int64)) if shape else 1


class _Kernels:
    """Nodes put together as they come."""

    def __init__(self, graph: Graph, shapes: Dict[str, Shape]) -> None:
        self._shapes = shapes
        self._constants = set(graph.initializers)
        self._readers: Dict[str, int] = dict.fromkeys(graph.outputs, 1)
        for node in graph.nodes:
            for name in node.inputs:
                self._readers[name] = self._readers.get(name, 0) + 1
        for name in _gated(graph):
            self._readers[name] -= 1
        self._maker: Dict[str, int] = {}  # of a tensor: place of its kernel
        self._kernels: List[Kernel] = []

    def add(self, number: int, node: Node) -> None:
        """A node: free, joined to the kernel before it, or a kernel of its own."""
        if node.operator in FREE or self._is_constant(node):
            if self._is_constant(node):
                self._constants.update(node.outputs)
            elif node.operator != "Concat" and node.inputs and node.inputs[0] in self._maker:
                for name in node.outputs:  # a view; who reads it reads what made it
                    self._maker[name] = self._maker[node.inputs[0]]
            return
        home = self._home(node)
        if home is None:
            self._maker.update((name, len(self._kernels)) for name in node.outputs)
            self._kernels.append(Kernel(node.name, node.operator, self._macs(node), self._read(node.inputs),
                                        self._written(node), self._weights(node), (number,)))
            return
        place, through = home
        kernel = self._kernels[place]
        others = [name for name in node.inputs if name != through and self._maker.get(name) != place]
        self._kernels[place] = kernel._replace(
            inputs=kernel.inputs + self._read(others), outputs=self._written(node),
            weights=kernel.weights + self._weights(node), nodes=kernel.nodes + (number,))
        self._maker.update((name, place) for name in node.outputs)

    def finished(self) -> List[Kernel]:
        """In the order of the graph."""
        return self._kernels

    def _is_constant(self, node: Node) -> bool:
        return node.operator == "Constant" or (bool(node.inputs) and node.operator not in ("Shape", "Size") and all(
            not name or name in self._constants for name in node.inputs)) or node.operator in ("Shape", "Size")

    def _home(self, node: Node) -> Optional[Tuple[int, str]]:
        """The kernel that this node joins, and the tensor it takes from it: the latest of those it alone reads."""
        if node.operator not in POINTWISE:
            return None
        size = count(self._shapes[node.outputs[0]])
        found = [(self._maker[name], name) for name in node.inputs
                 if name in self._maker and self._readers[name] == 1 and count(self._shapes[name]) == size]
        return max(found) if found else None

    def _read(self, names: Sequence[str]) -> int:
        return sum(count(self._shapes[name]) for name in names if name and name not in self._constants)

    def _written(self, node: Node) -> int:
        return sum(count(self._shapes[name]) for name in node.outputs if name in self._shapes)

    def _weights(self, node: Node) -> int:
        return sum(count(self._shapes[name]) for name in node.inputs if name in self._constants and name)

    def _macs(self, node: Node) -> int:
        rule = _MACS.get(node.operator)
        shapes = [self._shapes[name] for name in node.inputs if name]
        return rule(shapes, self._shapes[node.outputs[0]]) if rule else 0


def _gated(graph: Graph) -> List[str]:
    """Tensors x of x * f(x), the activations that ONNX spells as two nodes: what makes x alone has both."""
    made_of = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.operator in _GATES and node.outputs}
    return [name for node in graph.nodes if node.operator == "Mul" and len(node.inputs) == 2
            for name, other in (node.inputs, node.inputs[::-1]) if made_of.get(other) == name]


def _conv(given: Sequence[Shape], out: Shape) -> int:
    return count(out) * count(given[1][1:])  # weight (out, in / groups, kh, kw)


def _conv_transpose(given: Sequence[Shape], out: Shape) -> int:  # noqa: ARG001
    return count(given[0]) * count(given[1][1:])  # weight (in, out / groups, kh, kw)


def _product(given: Sequence[Shape], out: Shape) -> int:
    return count(out) * given[0][-1]


_MACS: Dict[str, Callable[[Sequence[Shape], Shape], int]] = {
    "Conv": _conv, "DeformConv": _conv, "ConvTranspose": _conv_transpose, "Gemm": _product, "MatMul": _product}
