"""FP32 weights of an ONNX file as arrays, and what becomes of them in FP16."""
from typing import Any, List, NamedTuple, Optional

import numpy as np

from wholebody.engines.onnx_nodes import Node, attribute_tensor, tensor_dims, tensor_type
from wholebody.errors import BuildError
from wholebody.protobuf import WireError, encode_bytes, encode_number, fields, nested, text

FLOAT, INT8, HALF = 1, 3, 10  # TensorProto.DataType
LARGEST_HALF = 65504.0
SMALLEST_NORMAL_HALF = 2.0 ** -14
_DIMS, _TYPE, _FLOAT_DATA, _NAME, _RAW_DATA, _EXTERNAL = 1, 2, 4, 8, 9, 13
_ATTRIBUTE_FLOAT, _ATTRIBUTE_FLOATS = 2, 7


class Weights(NamedTuple):
    """A constant in FP32."""

    values: Any            # ndarray, float32
    too_large: bool        # some number in it is beyond FP16
    too_small: bool        # nothing in it, or no more than noise, would be left in FP16


def float_weights(tensor: memoryview) -> Weights:
    """Of a TensorProto of type FLOAT; WireError where its data do not fit its shape."""
    name = text(tensor, _NAME)
    if nested(tensor, _EXTERNAL):
        raise BuildError("weights in a file beside the network (%s) are not converted to FP16: save it as one file "
                         "first" % name)
    dims, count = tensor_dims(tensor), 1
    for dim in dims:
        count *= dim
    raw = nested(tensor, _RAW_DATA)
    found = raw[-1] if raw else _joined(tensor, _FLOAT_DATA)
    if len(found) != 4 * count:
        raise WireError("weights %r of shape %s have %d bytes, expected %d" % (name, list(dims), len(found), 4 * count))
    try:
        return _weights(np.frombuffer(found, "<f4").reshape(dims))
    except (ValueError, OverflowError):  # more dimensions, or a longer one, than NumPy has
        raise WireError("weights %r have the impossible shape %s" % (name, list(dims)[:8]))


def constant_weights(node: Node) -> Optional[Weights]:
    """The FP32 numbers of a Constant node; None where it holds something else."""
    tensor = attribute_tensor(node, "value")
    if tensor is not None:
        return float_weights(tensor) if tensor_type(tensor) == FLOAT else None
    for name, number, is_scalar in (("value_float", _ATTRIBUTE_FLOAT, True),
                                    ("value_floats", _ATTRIBUTE_FLOATS, False)):
        if name in node.attributes:
            values = np.frombuffer(_joined(node.attributes[name], number), "<f4")
            return _weights(values[-1:].reshape(()) if is_scalar and values.size else values)
    return None


def tensor_bytes(name: str, values: Any, dtype: int) -> bytes:
    """A TensorProto; FP16 keeps the sign of what is beyond it and its largest magnitude."""
    if dtype == HALF:
        with np.errstate(invalid="ignore"):
            inside = np.where(np.isfinite(values), np.clip(values, -LARGEST_HALF, LARGEST_HALF), values)
        values = inside.astype("<f2")
    head = b"".join(encode_number(_DIMS, dim) for dim in values.shape) + encode_number(_TYPE, dtype)
    data = encode_bytes(_RAW_DATA, values.tobytes()) if values.size else b""
    return head + encode_bytes(_NAME, name.encode("utf-8")) + data


def _weights(values: Any) -> Weights:
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    return Weights(values, largest > LARGEST_HALF, 0.0 < largest < SMALLEST_NORMAL_HALF)


def _joined(message: memoryview, number: int) -> bytes:
    """A repeated float field, packed or not."""
    parts: List[bytes] = [bytes(field.value) for field in fields(message)
                          if field.number == number and isinstance(field.value, memoryview)]
    joined = b"".join(parts)
    if len(joined) % 4:
        raise WireError("%d bytes of floats" % len(joined))
    return joined
