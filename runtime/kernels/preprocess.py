"""Launch of the preprocessing kernel: its table of pictures and its arguments, from plain numbers."""
import ctypes
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.card import InputSpec
from wholebody.engines.device import Launch
from wholebody.errors import ShapeError
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.kernels.structs import integers, pointers

if TYPE_CHECKING:
    import numpy.typing as npt

FORMATS = {"bgr": 0, "bgrx": 1, "nv12": 2}
TYPES = {"float32": 0, "float16": 1, "uint8": 2}
BLOCK = (32, 4, 1)
BATCH_MAX = 65535


class Source(NamedTuple):
    """A picture in device memory; pitches in bytes."""

    address: int
    width: int
    height: int
    pitch: int
    format: str = "bgr"    # or bgrx, nv12
    chroma: int = 0        # of NV12: the address of its UV plane
    chroma_pitch: int = 0


class TapAddresses(NamedTuple):
    """Where the taps of a picture lie: `first` and `weights` of rows and of columns, and how many taps they have."""

    rows: int
    columns: int
    row_weights: int
    column_weights: int
    row_taps: int
    column_taps: int


class _Picture(ctypes.Structure):
    _fields_: ClassVar[Any] = (
        pointers("pixels chroma rows columns row_weights column_weights")
        + integers("pitch chroma_pitch width height format row_taps column_taps left top covered_width covered_height")
        + [("matrix", ctypes.c_float * 6)] + integers("unused"))


class _Preprocess(ctypes.Structure):
    _fields_: ClassVar[Any] = (
        pointers("pictures out") + integers("height width type channels_last") + [("channel", ctypes.c_int32 * 3)]
        + [(name, ctypes.c_float * 3) for name in ("gain", "bias", "padding")])


PICTURE_BYTES = ctypes.sizeof(_Picture)


def picture_entry(source: Source, geometry: Geometry, taps: TapAddresses) -> bytes:
    """A whole picture that is resized; an entry of the table."""
    return bytes(_Picture(source.address, source.chroma, taps.rows, taps.columns, taps.row_weights,
                          taps.column_weights, source.pitch, source.chroma_pitch, source.width, source.height,
                          FORMATS[source.format], taps.row_taps, taps.column_taps, geometry.left, geometry.top,
                          geometry.resized_width, geometry.resized_height))


def crop_entries(source: Source, matrices: "npt.NDArray[np.float32]", size: Tuple[int, int]) -> bytes:
    """Crops that fill inputs of (width, height), an entry each.

    Input pixel (x, y) of the i-th is the picture at matrices[i] (2, 3) * (x, y, 1).
    """
    values = np.ascontiguousarray(matrices, np.float32)
    if values.ndim != 3 or values.shape[1:] != (2, 3) or not np.isfinite(values).all():
        raise ShapeError("crop: expected finite (2, 3) matrices, got %s" % (values.tolist(),))
    entry = bytes(_Picture(source.address, source.chroma, 0, 0, 0, 0, source.pitch, source.chroma_pitch, source.width,
                           source.height, FORMATS[source.format], 0, 0, 0, 0, size[0], size[1]))
    entries = np.tile(np.frombuffer(entry, np.uint8), (len(values), 1))
    first = _Picture.matrix.offset
    entries[:, first:first + 24] = values.reshape(len(values), 6).view(np.uint8)
    return entries.tobytes()


def preprocess_launch(pictures: int, batch: int, out: int, size: Tuple[int, int], dtype: str,
                      spec: InputSpec) -> Launch:
    """From a table of `batch` pictures to the input at `out`, (batch, 3, h, w) or (batch, h, w, 3); size (w, h)."""
    if not 1 <= batch <= BATCH_MAX:
        raise ShapeError("preprocessing on the GPU: expected 1 to %d pictures, got %d" % (BATCH_MAX, batch))
    gain, bias, padding, channel = channel_values(spec, dtype)
    arguments = _Preprocess(pictures, out, size[1], size[0], TYPES[dtype], spec.layout == "NHWC", channel, gain, bias,
                            padding)
    return Launch("wb_preprocess", (-(-size[0] // BLOCK[0]), -(-size[1] // BLOCK[1]), batch), BLOCK, bytes(arguments))


def channel_values(spec: InputSpec, dtype: str) -> Tuple[Any, Any, Any, Any]:
    """Gain, bias and padding of the B, G and R of a picture, and the input's channel of each, as on the CPU."""
    order = (0, 1, 2) if spec.color == "bgr" else (2, 1, 0)
    gain = [np.float32(spec.scale / spec.std[c]) for c in order]
    bias = [np.float32(-spec.mean[c] / spec.std[c]) for c in order]
    padding = [np.float32(spec.pad_value[i]) * gain[i] + bias[i] for i in range(3)]
    if dtype == "uint8":  # the network scales
        gain, bias = [np.float32(1)] * 3, [np.float32(0)] * 3
        padding = [np.float32(np.uint8(value)) for value in padding]
    floats = ctypes.c_float * 3
    return floats(*gain), floats(*bias), floats(*padding), (ctypes.c_int32 * 3)(*order)


def bytes_of(shape: Sequence[int], dtype: str) -> int:
    """Of an array."""
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
