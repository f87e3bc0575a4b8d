"""The nodes of an ONNX graph, read and written again without the onnx package.

Field numbers are those of onnx.proto (NodeProto, AttributeProto, TensorProto).
"""
import struct
from typing import Dict, Iterable, Mapping, NamedTuple, Optional, Sequence, Tuple

from wholebody.protobuf import Field, encode_bytes, encode_number, fields, nested, rewritten, text, varints

_INPUT, _OUTPUT, _NAME, _OPERATOR, _ATTRIBUTE, _DOMAIN = 1, 2, 3, 4, 5, 7
_ATTRIBUTE_NAME, _ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_TENSOR, _ATTRIBUTE_TYPE = 1, 2, 3, 5, 20
_ATTRIBUTE_GRAPHS = (6, 11)
_KIND_INT, _KIND_TENSOR = 2, 4
_TENSOR_DIMS, _TENSOR_TYPE = 1, 2
_STANDARD_DOMAINS = ("", "ai.onnx")


class Node(NamedTuple):
    """One operation."""

    message: memoryview
    operator: str
    standard: bool                     # of ONNX itself, not of somebody's own domain
    name: str                          # its name, or its first output where it has none
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    attributes: Dict[str, memoryview]


def read_node(message: memoryview) -> Node:
    """A NodeProto."""
    inputs, outputs, attributes = [], [], {}
    single = {_NAME: "", _OPERATOR: "", _DOMAIN: ""}
    for field in fields(message):
        if not isinstance(field.value, memoryview):
            continue
        if field.number == _ATTRIBUTE:
            attributes[text(field.value, _ATTRIBUTE_NAME)] = field.value
            continue
        word = bytes(field.value).decode("utf-8", "replace") if field.number in (1, 2, 3, 4, 7) else ""
        if field.number == _INPUT:
            inputs.append(word)
        elif field.number == _OUTPUT:
            outputs.append(word)
        elif field.number in single:
            single[field.number] = word
    name = single[_NAME] or (outputs[0] if outputs else "?")
    return Node(message, single[_OPERATOR], single[_DOMAIN] in _STANDARD_DOMAINS, name, tuple(inputs), tuple(outputs),
                attributes)


def write_node(node: Node, inputs: Sequence[str], outputs: Sequence[str],
               attributes: Optional[Mapping[str, bytes]] = None) -> bytes:
    """The node's message with other inputs, outputs and some other attributes; all else stays byte by byte."""
    names = {_INPUT: iter(zip(node.inputs, inputs)), _OUTPUT: iter(zip(node.outputs, outputs))}
    others = dict(attributes or {})

    def replace(field: Field) -> Optional[bytes]:
        if field.number in names and isinstance(field.value, memoryview):
            before, after = next(names[field.number])
            return None if before == after else encode_bytes(field.number, after.encode("utf-8"))
        if field.number == _ATTRIBUTE and isinstance(field.value, memoryview):
            other = others.pop(text(field.value, _ATTRIBUTE_NAME), None)
            return None if other is None else encode_bytes(_ATTRIBUTE, other)
        return None

    written = rewritten(node.message, replace)
    return written + b"".join(encode_bytes(_ATTRIBUTE, others[name]) for name in sorted(others))


def new_node(operator: str, name: str, inputs: Sequence[str], outputs: Sequence[str],
             attributes: Optional[Mapping[str, bytes]] = None) -> bytes:
    """A node of ONNX itself."""
    words = ([(_INPUT, word) for word in inputs] + [(_OUTPUT, word) for word in outputs]
             + [(_NAME, name), (_OPERATOR, operator)])
    return (b"".join(encode_bytes(number, word.encode("utf-8")) for number, word in words)
            + b"".join(encode_bytes(_ATTRIBUTE, attribute) for attribute in (attributes or {}).values()))


def cast_node(name: str, source: str, target: str, to: int) -> bytes:
    """A Cast."""
    return new_node("Cast", name, (source,), (target,), {"to": int_attribute("to", to)})


def int_attribute(name: str, value: int) -> bytes:
    """An AttributeProto that holds a number."""
    return (encode_bytes(_ATTRIBUTE_NAME, name.encode("utf-8")) + encode_number(_ATTRIBUTE_INT, value)
            + encode_number(_ATTRIBUTE_TYPE, _KIND_INT))


def tensor_attribute(name: str, tensor: bytes) -> bytes:
    """An AttributeProto that holds a tensor."""
    return (encode_bytes(_ATTRIBUTE_NAME, name.encode("utf-8")) + encode_bytes(_ATTRIBUTE_TENSOR, tensor)
            + encode_number(_ATTRIBUTE_TYPE, _KIND_TENSOR))


def attribute_int(node: Node, name: str, default: int) -> int:
    """The number in an attribute."""
    found = [field.value for field in fields(node.attributes.get(name, memoryview(b"")))
             if field.number == _ATTRIBUTE_INT]
    return found[-1] if found and isinstance(found[-1], int) else default


def attribute_float(node: Node, name: str, default: float) -> float:
    """The number in an attribute."""
    found = nested(node.attributes.get(name, memoryview(b"")), _ATTRIBUTE_FLOAT)
    return float(struct.unpack("<f", found[-1])[0]) if found and len(found[-1]) == 4 else default


def attribute_tensor(node: Node, name: str) -> Optional[memoryview]:
    """The TensorProto in an attribute."""
    found = nested(node.attributes.get(name, memoryview(b"")), _ATTRIBUTE_TENSOR)
    return found[-1] if found else None


def holds_graphs(node: Node) -> bool:
    """Whether it is a branch or a loop."""
    return any(field.number in _ATTRIBUTE_GRAPHS for attribute in node.attributes.values()
               for field in fields(attribute))


def tensor_type(tensor: memoryview) -> int:
    """The element type of a TensorProto."""
    return last_int(fields(tensor), _TENSOR_TYPE)


def tensor_dims(tensor: memoryview) -> Tuple[int, ...]:
    """The shape of a TensorProto."""
    dims = []
    for field in fields(tensor):
        if field.number == _TENSOR_DIMS:
            dims += [field.value] if isinstance(field.value, int) else list(varints(field.value))
    return tuple(dims)


def last_int(found: Iterable[Field], number: int) -> int:
    """The last value of a number field; 0 where it is absent."""
    values = [field.value for field in found if field.number == number and isinstance(field.value, int)]
    return values[-1] if values else 0
