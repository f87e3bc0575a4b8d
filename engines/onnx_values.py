"""What shape computations in an ONNX graph come to: small constants, and the operators that reckon with them."""
import struct
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wholebody.engines.onnx_nodes import Node, attribute_int, attribute_tensor, tensor_dims, tensor_type
from wholebody.protobuf import WireError, fields, varints

MOST = 4096  # numbers: more are weights or maps, and nobody computes a shape with them
_NUMPY = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
_ATTRIBUTE_INT, _ATTRIBUTE_FLOATS, _ATTRIBUTE_INTS, _ATTRIBUTE_TEXT = 3, 7, 8, 4
_FLOAT_DATA, _INT32_DATA, _INT64_DATA, _RAW_DATA, _EXTERNAL = 4, 5, 7, 9, 13
_SIGN = 1 << 63


def small_tensor(tensor: memoryview) -> Optional[Any]:
    """The numbers of a TensorProto; None where they are many, elsewhere, or of a type that shapes are not made of."""
    dims, dtype = tensor_dims(tensor), _NUMPY.get(tensor_type(tensor))
    count = 1
    for dim in dims:
        count *= dim
    if dtype is None or count > MOST:
        return None
    raw, floats, ints = b"", b"", []
    for field in fields(tensor):
        if field.number == _EXTERNAL:
            return None
        if field.number == _RAW_DATA and isinstance(field.value, memoryview):
            raw = bytes(field.value)
        elif field.number == _FLOAT_DATA and isinstance(field.value, memoryview):
            floats += bytes(field.value)
        elif field.number in (_INT32_DATA, _INT64_DATA):
            ints += [signed(v) for v in ([field.value] if isinstance(field.value, int) else varints(field.value))]
    try:
        found = (np.frombuffer(raw, dtype) if raw else np.frombuffer(floats, "<f4") if floats
                 else np.array(ints, np.dtype(dtype)))
        return found.reshape(dims)
    except (ValueError, OverflowError):
        raise WireError("a constant of shape %s has other data" % (list(dims)[:8],))


def signed(value: int) -> int:
    """A varint as the two's complement that it is.

    >>> signed(2 ** 64 - 1)
    -1
    """
    return value - (1 << 64) if value >= _SIGN else value


def attribute_ints(node: Node, name: str, default: Sequence[int]) -> List[int]:
    """The numbers in an attribute."""
    if name not in node.attributes:
        return list(default)
    found: List[int] = []
    for field in fields(node.attributes[name]):
        if field.number == _ATTRIBUTE_INTS:
            found += [field.value] if isinstance(field.value, int) else list(varints(field.value))
    return [signed(value) for value in found]


def attribute_signed(node: Node, name: str, default: int) -> int:
    """The number in an attribute, which may be negative."""
    return signed(attribute_int(node, name, default)) if name in node.attributes else default


def attribute_word(node: Node, name: str, default: str) -> str:
    """The text in an attribute."""
    found = [field.value for field in fields(node.attributes.get(name, memoryview(b"")))
             if field.number == _ATTRIBUTE_TEXT and isinstance(field.value, memoryview)]
    return bytes(found[-1]).decode("utf-8", "replace") if found else default


def attribute_floats(node: Node, name: str) -> List[float]:
    """The floats in an attribute."""
    joined = b"".join(bytes(field.value) for field in fields(node.attributes.get(name, memoryview(b"")))
                      if field.number == _ATTRIBUTE_FLOATS and isinstance(field.value, memoryview))
    return list(struct.unpack("<%df" % (len(joined) // 4), joined[:len(joined) // 4 * 4]))


def constant_value(node: Node) -> Optional[Any]:
    """What a Constant node holds."""
    tensor = attribute_tensor(node, "value")
    if tensor is not None:
        return small_tensor(tensor)
    if "value_ints" in node.attributes:
        return np.array(attribute_ints(node, "value_ints", ()), np.int64)
    if "value_int" in node.attributes:
        return np.array(attribute_signed(node, "value_int", 0), np.int64)
    if "value_floats" in node.attributes:
        return np.array(attribute_floats(node, "value_floats"), np.float32)
    return None


def evaluate(node: Node, given: Sequence[Any]) -> Optional[Any]:
    """The result of a shape computation whose inputs are known; None where this operator is none."""
    rule = _RULES.get(node.operator)
    if rule is None or not node.standard or any(value is None for value in given[:1]):
        return None
    try:
        found = rule(node, given)
    except (ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError):
        return None
    return found if found is not None and found.size <= MOST else None


def axes_of(node: Node, given: Sequence[Any], default: Sequence[int] = ()) -> Tuple[int, ...]:
    """Axes of an operator: its attribute, or since opset 13 its second input."""
    if len(given) > 1 and given[1] is not None:
        return tuple(int(axis) for axis in np.ravel(given[1]))
    return tuple(attribute_ints(node, "axes", default))


def _slice(node: Node, given: Sequence[Any]) -> Any:
    data = given[0]
    starts, ends, axes, steps = slice_bounds(node, given, data.ndim)
    where = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        where[axis] = slice(start, end if end > -(1 << 31) else None, step)
    return data[tuple(where)]


def slice_bounds(node: Node, given: Sequence[Any], rank: int) -> Tuple[List[int], List[int], List[int], List[int]]:
    """Starts, ends, axes and steps, from attributes (opset 9) or inputs."""
    def numbers(place: int, name: str, default: Sequence[int]) -> List[int]:
        if place < len(given) and given[place] is not None:
            return [int(value) for value in np.ravel(given[place])]
        return attribute_ints(node, name, default)

    starts = numbers(1, "starts", ())
    axes = numbers(3, "axes", range(len(starts)))
    return starts, numbers(2, "ends", ()), [axis % rank for axis in axes], numbers(4, "steps", [1] * len(starts))


def _gather(node: Node, given: Sequence[Any]) -> Any:
    return np.take(given[0], given[1], axis=attribute_signed(node, "axis", 0))


def _concat(node: Node, given: Sequence[Any]) -> Optional[Any]:
    if any(value is None for value in given):
        return None
    return np.concatenate([np.asarray(value) for value in given], axis=attribute_signed(node, "axis", 0))


def _unsqueeze(node: Node, given: Sequence[Any]) -> Any:
    found, axes = given[0], axes_of(node, given)
    rank = found.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        found = np.expand_dims(found, axis)
    return found


def _squeeze(node: Node, given: Sequence[Any]) -> Any:
    axes = axes_of(node, given)
    return np.squeeze(given[0], axis=axes) if axes else np.squeeze(given[0])


def _reduce(function: Callable[..., Any]) -> Callable[[Node, Sequence[Any]], Any]:
    def rule(node: Node, given: Sequence[Any]) -> Any:
        axes = axes_of(node, given)
        return np.asarray(function(given[0], axis=axes or None, keepdims=bool(attribute_int(node, "keepdims", 1))))
    return rule


def _of_two(function: Callable[[Any, Any], Any]) -> Callable[[Node, Sequence[Any]], Any]:
    return lambda node, given: np.asarray(function(given[0], given[1]))  # noqa: ARG005 - as all of them


def _of_one(function: Callable[[Any], Any]) -> Callable[[Node, Sequence[Any]], Any]:
    return lambda node, given: np.asarray(function(given[0]))  # noqa: ARG005


def _divide(first: Any, second: Any) -> Any:
    """ONNX divides integers towards zero."""
    if np.issubdtype(np.asarray(first).dtype, np.integer):
        return np.asarray(np.trunc(np.true_divide(first, second)), np.asarray(first).dtype)
    return np.true_divide(first, second)


def _cast(node: Node, given: Sequence[Any]) -> Any:
    return np.asarray(given[0]).astype(np.dtype(_NUMPY[attribute_int(node, "to", 7)]))


def _filled(node: Node, given: Sequence[Any]) -> Any:
    tensor = attribute_tensor(node, "value")
    value = small_tensor(tensor) if tensor is not None else np.zeros(1, np.float32)
    shape = tuple(int(dim) for dim in given[0])
    return np.full(shape, np.ravel(value)[0]) if value is not None and int(np.prod(shape)) <= MOST else None


def _reshape(node: Node, given: Sequence[Any]) -> Any:  # noqa: ARG001
    return np.reshape(given[0], [int(dim) for dim in given[1]])


def _where(node: Node, given: Sequence[Any]) -> Any:  # noqa: ARG001
    return np.where(given[0], given[1], given[2])


def _range(node: Node, given: Sequence[Any]) -> Any:  # noqa: ARG001
    return np.arange(int(given[0]), int(given[1]), int(given[2]))


def _expand(node: Node, given: Sequence[Any]) -> Any:  # noqa: ARG001
    return np.asarray(given[0]) * np.ones([int(dim) for dim in given[1]], np.asarray(given[0]).dtype)


_RULES: Dict[str, Callable[[Node, Sequence[Any]], Any]] = {
    "Gather": _gather, "Slice": _slice, "Concat": _concat, "Unsqueeze": _unsqueeze, "Squeeze": _squeeze, "Cast": _cast,
    "Add": _of_two(np.add), "Sub": _of_two(np.subtract), "Mul": _of_two(np.multiply), "Div": _of_two(_divide),
    "Mod": _of_two(np.mod), "Equal": _of_two(np.equal), "Min": _of_two(np.minimum), "Max": _of_two(np.maximum),
    "Floor": _of_one(np.floor), "Ceil": _of_one(np.ceil), "Identity": _of_one(np.asarray), "Neg": _of_one(np.negative),
    "Less": _of_two(np.less), "Greater": _of_two(np.greater), "Not": _of_one(np.logical_not),
    "Sqrt": _of_one(np.sqrt), "ReduceProd": _reduce(np.prod), "ReduceSum": _reduce(np.sum),
    "ReduceMax": _reduce(np.max),
    "ConstantOfShape": _filled, "Reshape": _reshape, "Where": _where, "Range": _range, "Expand": _expand,
}
