"""Multiply-accumulates of an ONNX network for one picture of a given size, layer by layer."""
import math
from typing import NamedTuple

from wholebody.errors import ModelError
from wholebody.packages import require


class LayerCost(NamedTuple):
    """One node that multiplies."""

    name: str
    operator: str
    macs: int


def count_macs(path: str, height: int, width: int, layout: str = "NCHW") -> list[LayerCost]:
    """Cost of each convolution and matrix product for one (height, width) picture; weights count once each use."""
    onnx = require("onnx", "export")
    model = onnx.load(path)
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    weights.update(_dequantised(model.graph, weights))
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise ModelError(f"{path}: expected one input to count its cost, got {len(inputs)}")
    shape = (1, 3, height, width) if layout == "NCHW" else (1, height, width, 3)
    for dim, size in zip(inputs[0].type.tensor_type.shape.dim, shape):
        dim.Clear()
        dim.dim_value = size
    del model.graph.value_info[:]  # shapes written down for another size
    for output in model.graph.output:
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
              for value in [*inferred.input, *inferred.value_info, *inferred.output]}
    return [LayerCost(node.name or node.output[0], node.op_type, _cost(node, shapes, weights, path))
            for node in inferred.node if node.op_type in _COSTS]


def _dequantised(graph: object, weights: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Q/DQ graphs keep a weight as integers; what DequantizeLinear makes of it has the same shape."""
    return {node.output[0]: weights[node.input[0]] for node in graph.node  # type: ignore[attr-defined]
            if node.op_type == "DequantizeLinear" and node.input[0] in weights}


def _cost(node: object, shapes: dict[str, tuple[int, ...]], weights: dict[str, tuple[int, ...]], path: str) -> int:
    first, second = node.input[0], node.input[1]  # type: ignore[attr-defined]
    out = shapes.get(node.output[0], ())  # type: ignore[attr-defined]
    weight = weights.get(second) or shapes.get(second, ())
    given = weights.get(first) or shapes.get(first, ())
    if not out or not weight or 0 in out or (not given or 0 in given):
        raise ModelError(f"{path}: the size of {node.output[0]!r} cannot be inferred, "  # type: ignore[attr-defined]
                         "so its cost cannot be counted")
    return _COSTS[node.op_type](given, weight, out)  # type: ignore[attr-defined]


def _conv(given: tuple[int, ...], weight: tuple[int, ...], out: tuple[int, ...]) -> int:  # noqa: ARG001
    return math.prod(out) * math.prod(weight[1:])  # weight (out, in / groups, kh, kw)


def _conv_transpose(given: tuple[int, ...], weight: tuple[int, ...], out: tuple[int, ...]) -> int:  # noqa: ARG001
    return math.prod(given) * math.prod(weight[1:])  # weight (in, out / groups, kh, kw)


def _product(given: tuple[int, ...], weight: tuple[int, ...], out: tuple[int, ...]) -> int:  # noqa: ARG001
    return math.prod(out) * given[-1]


_COSTS = {"Conv": _conv, "ConvTranspose": _conv_transpose, "Gemm": _product, "MatMul": _product}
