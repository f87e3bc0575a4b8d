"""Protobuf's wire format, read without trusting a byte of it."""
import onnx_bytes
import pytest

from wholebody.protobuf import BYTES, VARINT, WireError, encode_bytes, fields, nested, text


def read(data):
    return [(f.number, bytes(f.value) if isinstance(f.value, memoryview) else f.value)
            for f in fields(memoryview(data))]


GOOD = [
    ("nothing", b"", []),
    ("a small number", b"\x08\x05", [(1, 5)]),
    ("a number of two bytes", b"\x08\xac\x02", [(1, 300)]),
    ("a negative number, ten bytes", b"\x08" + b"\xff" * 9 + b"\x01", [(1, 2 ** 64 - 1)]),
    ("text", b"\x12\x02hi", [(2, b"hi")]),
    ("empty text", b"\x12\x00", [(2, b"")]),
    ("eight fixed bytes", b"\x19" + b"12345678", [(3, b"12345678")]),
    ("four fixed bytes", b"\x1d" + b"1234", [(3, b"1234")]),
    ("a field number of two bytes", b"\x82\x01\x01x", [(16, b"x")]),
    ("two of one field", b"\x08\x01\x08\x02", [(1, 1), (1, 2)]),
]


@pytest.mark.parametrize("data, expected", [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_a_message_is_read_field_by_field(data, expected):
    assert read(data) == expected


BAD = [
    ("a tag cut short", b"\x80", "ends inside a number at byte 1"),
    ("a value cut short", b"\x08", "ends inside a number at byte 1"),
    ("a length cut short", b"\x12\xff", "ends inside a number"),
    ("text cut short", b"\x12\x05hi", "announces 5 bytes, 2 are left"),
    ("fixed bytes cut short", b"\x19" + b"1234567", "announces 8 bytes, 7 are left"),
    ("an endless number", b"\x08" + b"\xff" * 11, "number longer than 10 bytes"),
    ("field number 0", b"\x00\x01", "field number 0 at byte 0"),
    ("the start of a group", b"\x0b", "unknown wire type 3 at byte 0"),
    ("a type that does not exist", b"\x0f", "unknown wire type 7 at byte 0"),
]


@pytest.mark.parametrize("data, message", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_no_message_is_refused_with_the_byte(data, message):
    with pytest.raises(WireError, match=message):
        read(data)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16383, 16384, 70000])
@pytest.mark.parametrize("number", [1, 15, 16, 2047])
def test_what_is_encoded_is_read_back(number, length):
    assert read(encode_bytes(number, b"x" * length)) == [(number, b"x" * length)]


def test_a_field_says_where_it_stands():
    data = onnx_bytes.number(1, 300) + encode_bytes(2, b"abc")
    first, second = fields(memoryview(data))
    assert (first.start, first.end) == (0, 3)
    assert (second.start, second.end) == (3, len(data))


def test_of_a_text_given_twice_the_last_counts_and_of_one_not_given_nothing():
    data = memoryview(encode_bytes(4, b"one") + onnx_bytes.number(4, 7) + encode_bytes(4, b"two"))
    assert text(data, 4) == "two"
    assert text(data, 5) == ""
    assert [bytes(value) for value in nested(data, 4)] == [b"one", b"two"]


def test_text_that_is_no_utf8_is_read_all_the_same():
    assert text(memoryview(encode_bytes(1, b"a\xff")), 1) == "a\ufffd"


def test_the_wire_types_are_those_of_the_specification():
    assert (VARINT, BYTES) == (0, 2)
    assert encode_bytes(1, b"")[:1] == b"\x0a"
