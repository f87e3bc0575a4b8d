"""Just enough of protobuf's wire format to walk through an ONNX file or a caffemodel without their packages."""
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple, Union

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are not a protobuf message."""


class Field(NamedTuple):
    """One field of a message; `start` is where its tag begins, `end` is past its value."""

    number: int
    value: Union[int, memoryview]
    start: int
    end: int


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of one message in file order; nested messages stay bytes."""
    at, size = 0, len(message)
    value: Union[int, memoryview] = 0
    while at < size:
        start = at
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise WireError("field number 0 at byte %d" % start)
        if wire == VARINT:
            value, at = _varint(message, at)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
            value, at = _slice(message, at, length)
        elif wire == BYTES:
            length, at = _varint(message, at)
            value, at = _slice(message, at, length)
        else:
            raise WireError("unknown wire type %d at byte %d" % (wire, start))
        yield Field(number, value, start, at)


def nested(message: memoryview, number: int) -> List[memoryview]:
    """All values of one length-delimited field."""
    return [f.value for f in fields(message) if f.number == number and isinstance(f.value, memoryview)]


def text(message: memoryview, number: int) -> str:
    """The last value of one text field; empty when it is absent."""
    found = nested(message, number)
    return bytes(found[-1]).decode("utf-8", "replace") if found else ""


def varints(packed: memoryview) -> Iterator[int]:
    """The numbers of a packed field, as unsigned 64-bit."""
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def encode_bytes(number: int, value: bytes) -> bytes:
    """One length-delimited field."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(value)) + value


def _varint(message: memoryview, at: int) -> Tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise WireError("ends inside a number at byte %d" % at)
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise WireError("number longer than 10 bytes before byte %d" % at)


def _slice(message: memoryview, at: int, length: int) -> Tuple[memoryview, int]:
    if length > len(message) - at:
        raise WireError("a field at byte %d announces %d bytes, %d are left" % (at, length, len(message) - at))
    return message[at:at + length], at + length


def encode_varint(value: int) -> bytes:
    """One number of at least 0."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_number(number: int, value: int) -> bytes:
    """One varint field of at least 0."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value)


def rewritten(message: memoryview, replace: Callable[[Field], Optional[bytes]]) -> bytes:
    """The message with the fields for which `replace` gives bytes (b"" drops one); the others as they are."""
    pieces: List[Union[bytes, memoryview]] = []
    for field in fields(message):
        other = replace(field)
        pieces.append(message[field.start:field.end] if other is None else other)
    return b"".join(pieces)
