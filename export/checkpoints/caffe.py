"""Caffe's .caffemodel, read by its wire format: field numbers are those of caffe.proto."""
import math
import mmap
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.checkpoint import CAFFE, Checkpoint, check_file
from wholebody.protobuf import Field, WireError, fields, varints

_NET_LAYER, _NET_V1_LAYER = 100, 2
_FORMS = {_NET_LAYER: (1, 7), _NET_V1_LAYER: (4, 6)}  # field of a layer's name, field of its blobs
_BLOB_LEGACY_DIMS = (1, 2, 3, 4)                      # num, channels, height, width
_BLOB_DATA, _BLOB_SHAPE, _BLOB_DOUBLE = 5, 7, 8
_ROLES = ("weight", "bias")
_MAX_AXES = 32        # Caffe's own limit
_MAX_FIELDS = 20_000  # of a net or a layer; the largest net of the family has 700


def read_caffemodel(path: str) -> Checkpoint:
    """Weights as `<layer>.weight` and `<layer>.bias`; a PReLU's slopes are its weight.

    Memory: the weights once, and never more than the file holds; the file itself is mapped.
    """
    size = check_file(path)
    tensors: dict[str, Tensor] = {}
    try:
        with open(path, "rb") as file:
            net = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        for name, blobs in _layers(net):
            for role, blob in enumerate(blobs):
                key = f"{name}.{_ROLES[role] if role < len(_ROLES) else f'blob{role}'}"
                if key in tensors:
                    raise WireError(f"two layers are called {name!r}")
                tensors[key] = _blob(blob, key)
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    except WireError as error:
        raise CheckpointError(f"{path} is not a readable caffemodel ({size} bytes): {error}; "
                              "copy or download it again") from error
    if not tensors:
        raise CheckpointError(f"{path} is not a caffemodel with weights: no layer in its {size} bytes holds any; "
                              "copy or download it again")
    return Checkpoint(path, CAFFE, tensors)


def _layers(net: memoryview) -> Iterator[tuple[str, list[memoryview]]]:
    """Name and blobs of each layer that has blobs, in both forms of the format."""
    for layer in _some(net):
        if layer.number not in _FORMS or not isinstance(layer.value, memoryview):
            continue
        name_field, blobs_field = _FORMS[layer.number]
        name, blobs = "", []
        for field in _some(layer.value):
            if field.number == name_field and isinstance(field.value, memoryview):
                name = _text(field.value)
            elif field.number == blobs_field and isinstance(field.value, memoryview):
                blobs.append(field.value)
        if blobs:
            yield name, blobs


def _blob(blob: memoryview, name: str) -> Tensor:
    """One BlobProto as float32; doubles win over floats and the legacy dimensions over `shape`, as in Caffe."""
    floats, doubles = bytearray(), bytearray()
    shape: list[int] = []
    legacy: dict[int, int] = {}
    for field in fields(blob):
        if field.number in _BLOB_LEGACY_DIMS and isinstance(field.value, int):
            legacy[field.number] = field.value
        elif isinstance(field.value, memoryview):
            if field.number == _BLOB_DATA:  # packed, or one field each
                floats += field.value
            elif field.number == _BLOB_DOUBLE:
                doubles += field.value
            elif field.number == _BLOB_SHAPE:
                shape = _shape(field.value, name)
    if legacy:
        shape = [legacy.get(number, 1) for number in _BLOB_LEGACY_DIMS]
    data, dtype = (doubles, "<f8") if doubles else (floats, "<f4")
    if len(data) != math.prod(shape) * np.dtype(dtype).itemsize:
        raise WireError(f"{_short(name)} announces shape {_dims(shape)} and holds {len(data)} bytes of {dtype[1:]}")
    with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, which who uses the weights refuses
        return torch.from_numpy(np.frombuffer(data, dtype).astype(np.float32, copy=False).reshape(shape))


def _shape(message: memoryview, name: str) -> list[int]:
    dims: list[int] = []
    for field in fields(message):
        if field.number != 1:
            continue
        for dim in ((field.value,) if isinstance(field.value, int) else varints(field.value)):
            dims.append(dim)
            if len(dims) > _MAX_AXES:
                raise WireError(f"{_short(name)} has more than {_MAX_AXES} dimensions")
    return dims


def _some(message: memoryview) -> Iterator[Field]:
    for count, field in enumerate(fields(message)):
        if count >= _MAX_FIELDS:
            raise WireError(f"more than {_MAX_FIELDS} fields in one message")
        yield field


def _text(value: memoryview) -> str:
    if len(value) > 256:
        raise WireError(f"a layer's name has {len(value)} bytes")
    return bytes(value).decode("utf-8", "replace")


def _short(name: str) -> str:
    return repr(name[:60])


def _dims(shape: list[int]) -> str:
    return "x".join(str(dim) for dim in shape[:8]) or "()"
