"""A .caffemodel in every form Caffe wrote, and everything that only looks like one."""
import random
import time
import tracemalloc

import numpy as np
import pytest
from checkpoint_files import blob_bytes, layer_bytes, random_tensors, write_caffemodel

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.caffe import read_caffemodel
from wholebody.protobuf import encode_bytes, encode_varint

SMALL = random_tensors({"conv1.weight": (4, 3, 3, 3), "conv1.bias": (4,), "prelu1.weight": (4,)})
FORMS = [
    ("as Caffe writes today", {}),
    ("V1 layers", {"form": "layers"}),
    ("legacy dimensions", {"dims": "legacy"}),
    ("V1 layers with legacy dimensions", {"form": "layers", "dims": "legacy"}),
    ("dimensions not packed", {"dims": "unpacked"}),
    ("floats not packed", {"data": "unpacked"}),
    ("doubles", {"data": "double"}),
    ("doubles beside wrong floats", {"data": "both"}),
]
_FLOATS = encode_bytes(5, bytes(16))


def _blob(*dims):
    return encode_bytes(7, encode_bytes(1, b"".join(encode_varint(dim) for dim in dims)))


def _net(blob):
    return encode_bytes(100, encode_bytes(1, b"conv1") + encode_bytes(7, blob))


HOSTILE = [
    ("empty", b"", "is empty"),
    ("a web page", b"<!DOCTYPE html><html>404</html>", "not a readable caffemodel"),
    ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\n", "not a readable caffemodel"),
    ("zeros", bytes(1000), "field number 0"),
    ("no layers", encode_bytes(1, b"a net"), "no layer"),
    ("layers without blobs", layer_bytes("image", []), "no layer"),
    ("a field longer than the file", b"\xa2\x06\xff\xff\xff\xff\x0f", "announces 4294967295 bytes"),
    ("a shape of 2^62 numbers", _net(_blob(1 << 31, 1 << 31) + _FLOATS), "announces shape 2147483648x2147483648"),
    ("a negative dimension", _net(_blob((1 << 64) - 4) + _FLOATS), "announces shape 18446744073709551612"),
    ("a dimension too few", _net(_blob(3) + _FLOATS), "holds 16 bytes"),
    ("half a number", _net(_blob(1) + encode_bytes(5, bytes(6))), "holds 6 bytes"),
    ("a blob of nothing", _net(b""), "holds 0 bytes"),
    ("33 dimensions", _net(_blob(*[1] * 33) + encode_bytes(5, bytes(4))), "more than 32 dimensions"),
    ("a dimension that never ends", _net(encode_bytes(7, encode_bytes(1, b"\xff" * 20)) + _FLOATS), "longer than 10"),
    ("one name twice", _net(_blob(4) + _FLOATS) * 2, "two layers are called 'conv1'"),
    ("an endless name", encode_bytes(100, encode_bytes(1, b"n" * 10**6) + encode_bytes(7, _blob(4) + _FLOATS)), "name"),
    ("a flood of layers", encode_bytes(100, b"") * 30_000, "more than 20000 fields"),
]


@pytest.mark.parametrize("how", [form[1] for form in FORMS], ids=[form[0] for form in FORMS])
def test_every_form_gives_the_same_weights(tmp_path, how):
    write_caffemodel(tmp_path / "net.caffemodel", SMALL, **how)
    tensors = read_caffemodel(str(tmp_path / "net.caffemodel")).tensors
    assert list(tensors) == list(SMALL)
    for name, array in SMALL.items():
        np.testing.assert_array_equal(tensors[name].numpy().reshape(array.shape), array)


def test_shapes_are_the_files_own(tmp_path):
    write_caffemodel(tmp_path / "net.caffemodel", SMALL, dims="legacy")
    tensors = read_caffemodel(str(tmp_path / "net.caffemodel")).tensors
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        "conv1.weight": (4, 3, 3, 3), "conv1.bias": (1, 1, 1, 4), "prelu1.weight": (1, 1, 1, 4)}


@pytest.mark.parametrize("data", [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_what_is_no_caffemodel_is_refused_in_one_line_and_little_memory(tmp_path, data):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(data[0])
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError) as caught:
            read_caffemodel(str(path))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(str(path))
    assert data[1] in message
    assert "\n" not in message
    assert len(message) < 400


def test_every_truncation_is_refused_or_lacks_layers(tmp_path):
    path = tmp_path / "net.caffemodel"
    write_caffemodel(path, SMALL)
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        try:
            assert len(read_caffemodel(str(path)).tensors) < len(SMALL)
        except CheckpointError:
            continue


def test_damaged_bytes_end_in_a_checkpoint_error_or_in_finite_memory(tmp_path):
    rng, path = random.Random(11), tmp_path / "net.caffemodel"
    forms = [layer_bytes("conv1", [SMALL["conv1.weight"], SMALL["conv1.bias"]], **how) for _, how in FORMS]
    until, runs = time.monotonic() + 5, 0
    while time.monotonic() < until and runs < 20_000:
        data = bytearray(rng.choice(forms))
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data))
            what = rng.randrange(3)
            if what == 0:
                data[at] = rng.randrange(256)
            elif what == 1:
                del data[at:at + rng.randint(1, 20)]
            else:
                data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 12)))
            data = data or bytearray(b"\0")
        path.write_bytes(data)
        try:
            tensors = read_caffemodel(str(path)).tensors
            assert sum(tensor.numel() * 4 for tensor in tensors.values()) <= len(data)
        except CheckpointError as error:
            assert "\n" not in str(error)
        runs += 1
    assert runs > 500


def test_a_blob_of_one_number_may_have_no_dimensions(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(_net(blob_bytes(np.float32(0.25))))
    assert read_caffemodel(str(path)).tensors["conv1.weight"].shape == ()
