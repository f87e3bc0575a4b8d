"""The shape of every tensor of an ONNX graph for one size of input, without the onnx package.

Rules are those of the ONNX operator specification; an operator without a rule here is an error that names it.
"""
import math
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from wholebody.engines.onnx_graph import Graph
from wholebody.engines.onnx_nodes import Node, attribute_int, tensor_dims
from wholebody.engines.onnx_values import (
    attribute_floats,
    attribute_ints,
    attribute_signed,
    attribute_word,
    axes_of,
    constant_value,
    evaluate,
    slice_bounds,
    small_tensor,
)
from wholebody.errors import ModelError

Shape = Tuple[int, ...]
# Operators whose output has the shape of their first input.
_SAME = frozenset((
    "Abs", "BatchNormalization", "Cast", "Celu", "Clip", "CumSum", "DequantizeLinear", "Dropout", "Elu", "Erf", "Exp",
    "Floor", "Ceil", "Gelu", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LRN",
    "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization", "Mish", "Neg", "Not", "QuantizeLinear",
    "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Cos", "Softmax", "Softplus", "Softsign", "Sqrt",
    "Tanh", "ThresholdedRelu", "GroupNormalization"))
_BROADCAST = frozenset(("Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean",
                        "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor"))


class Step(NamedTuple):
    """What a rule sees of a node: shapes of its inputs (None where left out) and their numbers where they are known."""

    node: Node
    shapes: Sequence[Optional[Shape]]
    values: Sequence[Any]

    @property
    def first(self) -> Shape:
        """The shape of the first input."""
        found = self.shapes[0]
        assert found is not None
        return found


def shapes_of(graph: Graph, inputs: Dict[str, Shape], where: str) -> Dict[str, Shape]:
    """Shape by tensor; ModelError that names a node whose shape cannot be told."""
    shapes: Dict[str, Shape] = {name: tensor_dims(tensor) for name, tensor in graph.initializers.items()}
    shapes.update(inputs)
    values: Dict[str, Any] = {}
    for name, tensor in graph.initializers.items():
        found = small_tensor(tensor)
        if found is not None:
            values[name] = found
    for node in graph.nodes:
        step = Step(node, [shapes.get(name) if name else None for name in node.inputs],
                    [values.get(name) if name else None for name in node.inputs])
        known = _value(step)
        if known is not None:
            values[node.outputs[0]] = known
            shapes[node.outputs[0]] = tuple(known.shape)
            continue
        for name, shape in zip(node.outputs, _told(step, where)):
            shapes[name] = shape
    return shapes


def _value(step: Step) -> Optional[Any]:
    node = step.node
    if node.operator == "Constant" and node.standard:
        return constant_value(node)
    if node.operator == "Shape" and step.shapes[0] is not None:
        rank = len(step.first)
        start, end = attribute_signed(node, "start", 0), attribute_signed(node, "end", rank)
        return np.array(step.first, np.int64)[start:end]
    if node.operator == "Size" and step.shapes[0] is not None:
        return np.array(int(np.prod(step.first)), np.int64)
    return evaluate(node, step.values) if step.values else None


def _told(step: Step, where: str) -> List[Shape]:
    node = step.node
    unknown = [name for name, shape in zip(node.inputs, step.shapes) if name and shape is None]
    try:
        if unknown:
            raise ValueError("the shape of %s is unknown" % unknown[0])
        if node.operator in _SAME:
            return [step.first] * len(node.outputs)
        if node.operator in _BROADCAST:
            return [broadcast([shape for shape in step.shapes if shape is not None])]
        if node.operator not in _RULES:
            raise ValueError("there is no rule for it")
        return _RULES[node.operator](step)
    except (ValueError, IndexError, TypeError, KeyError, AssertionError, ZeroDivisionError) as error:
        raise ModelError("%s: the cost of node %s (%s) cannot be told: %s" % (where, node.name, node.operator, error))


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """NumPy's rule.

    >>> broadcast([(1, 8, 1, 1), (4, 5)])
    (1, 8, 4, 5)
    """
    rank = max(len(shape) for shape in shapes)
    found = []
    for place in range(rank):
        dims = {shape[place - rank + len(shape)] for shape in shapes if place - rank + len(shape) >= 0} - {1}
        if len(dims) > 1:
            raise ValueError("shapes %s do not go together" % ", ".join(str(list(shape)) for shape in shapes))
        found.append(dims.pop() if dims else 1)
    return tuple(found)


def _window(step: Step, kernel: Sequence[int], channels: int) -> List[Shape]:
    """Of convolutions and pools."""
    node, sides = step.node, step.first[2:]
    strides = attribute_ints(node, "strides", [1] * len(sides))
    dilations = attribute_ints(node, "dilations", [1] * len(sides))
    pads = attribute_ints(node, "pads", [0] * (2 * len(sides)))
    auto, up = attribute_word(node, "auto_pad", "NOTSET"), attribute_int(node, "ceil_mode", 0)
    found = []
    for axis, side in enumerate(sides):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        if auto.startswith("SAME"):
            found.append(-(-side // strides[axis]))
            continue
        room = side + (0 if auto == "VALID" else pads[axis] + pads[axis + len(sides)]) - reach
        cells = (-(-room // strides[axis]) if up else room // strides[axis]) + 1
        if cells < 1:
            raise ValueError("a picture of %s is too small for it" % "x".join(str(side) for side in sides))
        found.append(cells)
    return [(step.first[0], channels) + tuple(found)] * len(node.outputs)


def _conv(step: Step) -> List[Shape]:
    weight = step.shapes[1]
    assert weight is not None
    return _window(step, attribute_ints(step.node, "kernel_shape", weight[2:]), weight[0])


def _pool(step: Step) -> List[Shape]:
    return _window(step, attribute_ints(step.node, "kernel_shape", ()), step.first[1])


def _conv_transpose(step: Step) -> List[Shape]:
    weight, node, sides = step.shapes[1], step.node, step.first[2:]
    assert weight is not None
    strides = attribute_ints(node, "strides", [1] * len(sides))
    dilations = attribute_ints(node, "dilations", [1] * len(sides))
    pads = attribute_ints(node, "pads", [0] * (2 * len(sides)))
    more = attribute_ints(node, "output_padding", [0] * len(sides))
    asked = attribute_ints(node, "output_shape", ())
    same = attribute_word(node, "auto_pad", "NOTSET").startswith("SAME")
    found = []
    for axis, side in enumerate(sides):
        reach = dilations[axis] * (weight[2 + axis] - 1) + 1
        padded = pads[axis] + pads[axis + len(sides)]
        found.append(asked[axis - len(sides)] if asked else side * strides[axis] if same
                     else strides[axis] * (side - 1) + more[axis] + reach - padded)
    return [(step.first[0], weight[1] * attribute_int(node, "group", 1)) + tuple(found)]


def _global_pool(step: Step) -> List[Shape]:
    return [step.first[:2] + (1,) * (len(step.first) - 2)]


def _gemm(step: Step) -> List[Shape]:
    one, other = step.first, step.shapes[1]
    assert other is not None
    return [(one[1 if attribute_int(step.node, "transA", 0) else 0],
             other[0 if attribute_int(step.node, "transB", 0) else 1])]


def _matmul(step: Step) -> List[Shape]:
    one, other = step.first, step.shapes[1]
    assert other is not None
    if one[-1] != other[-2 if len(other) > 1 else 0]:
        raise ValueError("it multiplies %s by %s" % (list(one), list(other)))
    batch = broadcast([one[:-2], other[:-2]]) if len(one) > 2 or len(other) > 2 else ()
    return [batch + one[-2:-1] + (other[-1:] if len(other) > 1 else ())]


def _concat(step: Step) -> List[Shape]:
    axis = attribute_signed(step.node, "axis", 0) % len(step.first)
    total = sum(shape[axis] for shape in step.shapes if shape is not None)
    return [step.first[:axis] + (total,) + step.first[axis + 1:]]


def _reshape(step: Step) -> List[Shape]:
    wanted = ([int(dim) for dim in step.values[1]] if len(step.values) > 1 and step.values[1] is not None
              else attribute_ints(step.node, "shape", ()))
    if not wanted and len(step.shapes) > 1:
        raise ValueError("the shape it makes is unknown")
    if not attribute_int(step.node, "allowzero", 0):
        wanted = [step.first[place] if dim == 0 else dim for place, dim in enumerate(wanted)]
    total, rest = int(np.prod(step.first)), int(np.prod([dim for dim in wanted if dim != -1]))
    return [tuple(total // rest if dim == -1 else dim for dim in wanted)]


def _flatten(step: Step) -> List[Shape]:
    axis = attribute_signed(step.node, "axis", 1)
    return [(int(np.prod(step.first[:axis])), int(np.prod(step.first[axis:])))]


def _transpose(step: Step) -> List[Shape]:
    order = attribute_ints(step.node, "perm", range(len(step.first))[::-1])
    return [tuple(step.first[axis] for axis in order)]


def _resize(step: Step) -> List[Shape]:
    scales = next((value for value in step.values[1:3][::-1] if value is not None and value.dtype.kind == "f"
                   and value.size == len(step.first)), None)
    if step.node.operator == "Upsample" and "scales" in step.node.attributes:
        scales = np.array(attribute_floats(step.node, "scales"))
    sizes = step.values[3] if len(step.values) > 3 else None
    if sizes is not None and sizes.size == len(step.first):
        return [tuple(int(side) for side in sizes)]
    if scales is None:
        raise ValueError("its scales are unknown")
    return [tuple(int(math.floor(side * float(scale) + 1e-6)) for side, scale in zip(step.first, scales))]


def _slice(step: Step) -> List[Shape]:
    if step.values[1:] and any(value is None for value, shape in zip(step.values[1:], step.shapes[1:]) if shape):
        raise ValueError("its bounds are unknown")
    found = list(step.first)
    for start, end, axis, by in zip(*slice_bounds(step.node, step.values, len(found))):
        found[axis] = len(range(*slice(start, end, by).indices(found[axis])))
    return [tuple(found)]


def _gather(step: Step) -> List[Shape]:
    axis, picked = attribute_signed(step.node, "axis", 0) % len(step.first), step.shapes[1]
    assert picked is not None
    return [step.first[:axis] + picked + step.first[axis + 1:]]


def _split(step: Step) -> List[Shape]:
    axis, count = attribute_signed(step.node, "axis", 0) % len(step.first), len(step.node.outputs)
    parts = (list(step.values[1]) if len(step.values) > 1 and step.values[1] is not None
             else attribute_ints(step.node, "split", [-(-step.first[axis] // count)] * count))
    return [step.first[:axis] + (int(part),) + step.first[axis + 1:] for part in parts]


def _squeeze(step: Step) -> List[Shape]:
    axes = [axis % len(step.first) for axis in axes_of(step.node, step.values)]
    return [tuple(dim for axis, dim in enumerate(step.first) if (axis not in axes if axes else dim != 1))]


def _unsqueeze(step: Step) -> List[Shape]:
    axes = axes_of(step.node, step.values)
    rank = len(step.first) + len(axes)
    new, rest = {axis % rank for axis in axes}, iter(step.first)
    return [tuple(1 if axis in new else next(rest) for axis in range(rank))]


def _reduce(step: Step) -> List[Shape]:
    axes = axes_of(step.node, step.values, range(len(step.first)))
    if step.node.operator.startswith("Arg"):
        axes = (attribute_signed(step.node, "axis", 0),)
    gone = {axis % len(step.first) for axis in axes or range(len(step.first))}
    keep = attribute_int(step.node, "keepdims", 1)
    return [tuple(1 if axis in gone else dim for axis, dim in enumerate(step.first) if keep or axis not in gone)]


def _pad(step: Step) -> List[Shape]:
    pads = ([int(value) for value in step.values[1]] if len(step.values) > 1 and step.values[1] is not None
            else attribute_ints(step.node, "pads", ()))
    rank = len(step.first)
    return [tuple(dim + pads[axis] + pads[axis + rank] for axis, dim in enumerate(step.first))]


def _blocks(step: Step) -> List[Shape]:
    side = attribute_int(step.node, "blocksize", 1)
    batch, channels, height, width = step.first
    if step.node.operator == "DepthToSpace":
        return [(batch, channels // side ** 2, height * side, width * side)]
    return [(batch, channels * side ** 2, height // side, width // side)]


def _expand(step: Step) -> List[Shape]:
    if step.values[1] is None:
        raise ValueError("the shape it makes is unknown")
    return [broadcast([step.first, tuple(int(dim) for dim in step.values[1])])]


def _tile(step: Step) -> List[Shape]:
    return [tuple(dim * int(times) for dim, times in zip(step.first, step.values[1]))]


def _grid_sample(step: Step) -> List[Shape]:
    grid = step.shapes[1]
    assert grid is not None
    return [step.first[:2] + grid[1:-1]]


def _top_k(step: Step) -> List[Shape]:
    axis = attribute_signed(step.node, "axis", -1) % len(step.first)
    return [step.first[:axis] + (int(np.ravel(step.values[1])[0]),) + step.first[axis + 1:]] * 2


_RULES: Dict[str, Callable[[Step], List[Shape]]] = {
    "Conv": _conv, "DeformConv": _conv, "ConvTranspose": _conv_transpose, "MaxPool": _pool, "AveragePool": _pool,
    "LpPool": _pool, "GlobalAveragePool": _global_pool, "GlobalMaxPool": _global_pool, "Gemm": _gemm, "MatMul": _matmul,
    "Concat": _concat, "Reshape": _reshape, "Flatten": _flatten, "Transpose": _transpose, "Resize": _resize,
    "Upsample": _resize, "Slice": _slice, "Gather": _gather, "Split": _split, "Squeeze": _squeeze, "Pad": _pad,
    "Unsqueeze": _unsqueeze, "DepthToSpace": _blocks, "SpaceToDepth": _blocks, "Expand": _expand, "Tile": _tile,
    "GridSample": _grid_sample, "TopK": _top_k, "ArgMax": _reduce, "ArgMin": _reduce,
}
_RULES.update(("Reduce" + name, _reduce) for name in ("Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "SumSquare",
                                                      "LogSum", "LogSumExp"))
