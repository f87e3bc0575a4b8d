"""The arithmetic of top-down networks behind its C ABI (runtime/native/topdown.h)."""
import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from wholebody.card import InputSpec
from wholebody.errors import ShapeError
from wholebody.runtime.native.library import declare, load_library
from wholebody.runtime.paf.options import KERNELS
from wholebody.runtime.topdown.backend import KERNEL, REFINEMENTS, Backend, channel_values

if TYPE_CHECKING:
    import numpy.typing as npt

_OK, _OUT_OF_MEMORY = 0, 2


class _Stack(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("person_stride", "channel_stride")] + [
        (name, ctypes.c_int32) for name in ("people", "channels", "height", "width")]


class _Target(ctypes.Structure):
    _fields_ = [("out", ctypes.c_void_p), ("pitch", ctypes.c_int64), ("picture_width", ctypes.c_int32),
                ("picture_height", ctypes.c_int32), ("width", ctypes.c_int32), ("height", ctypes.c_int32),
                ("bytes", ctypes.c_int32), ("channels_last", ctypes.c_int32), ("channel", ctypes.c_int32 * 3),
                ("gain", ctypes.c_float * 3), ("bias", ctypes.c_float * 3)]


class NativeBackend(Backend):
    """Holds nothing: any thread may call it."""

    def __init__(self) -> None:
        self._library = _declared(load_library())

    def peaks(self, maps: "npt.NDArray[np.float32]", refine: str) -> "npt.NDArray[np.float32]":
        """(N, C, h, w) -> (N, C, 3): x, y in cells, highest value; zeros where no value is above 0."""
        maps, stack = _stacked(maps)
        found = np.empty(maps.shape[:2] + (3,), np.float32)
        _check(self._library.wb_topdown_peaks(_address(maps), ctypes.byref(stack), REFINEMENTS.index(refine),
                                              _address(found)), "peaks of maps", maps)
        return found

    def enlarged_peaks(self, maps: "npt.NDArray[np.float32]", factor: int) -> "npt.NDArray[np.float32]":
        """(N, C, h, w) -> (N, C, 3): the highest pixel of maps enlarged by a whole factor, OpenPose's bicubic way."""
        maps, stack = _stacked(maps)
        found = np.empty(maps.shape[:2] + (3,), np.float32)
        _check(self._library.wb_topdown_enlarged_peaks(_address(maps), ctypes.byref(stack), factor, KERNELS[KERNEL],
                                                       _address(found)), "peaks of enlarged maps", maps)
        return found

    def integrals(self, maps: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
        """(N, C, h, w) logits -> (N, C, 3): mean place of their sigmoid in cells, highest sigmoid."""
        maps, stack = _stacked(maps)
        found = np.empty(maps.shape[:2] + (3,), np.float32)
        _check(self._library.wb_topdown_integrals(_address(maps), ctypes.byref(stack), _address(found)),
               "integrals of maps", maps)
        return found

    def simcc(self, along_x: "npt.NDArray[np.float32]", along_y: "npt.NDArray[np.float32]",
              split: float) -> "npt.NDArray[np.float32]":
        """(N, K, W * split) and (N, K, H * split) -> (N, K, 3): x, y in input pixels, lower of the highest values."""
        along_x, along_y = (np.ascontiguousarray(a, np.float32) for a in (along_x, along_y))
        people, points, bins = along_x.shape
        found = np.empty((people, points, 3), np.float32)
        _check(self._library.wb_topdown_simcc(_address(along_x), _address(along_y), people, points, bins,
                                              along_y.shape[2], split, _address(found)), "SimCC of", along_x)
        return found

    def crops(self, picture: "npt.NDArray[np.uint8]", matrices: "npt.NDArray[np.float32]", spec: InputSpec,
              out: "npt.NDArray[Any]") -> None:
        """Fill `out` (N, 3, h, w) or (N, h, w, 3) with the picture at matrix * (x, y, 1); bilinear, black outside."""
        if not out.flags.c_contiguous or out.dtype.name != spec.dtype or len(out) != len(matrices):
            raise ShapeError("crops: expected a dense %s array for %d people, got %s %s"
                             % (spec.dtype, len(matrices), out.dtype, out.shape))
        if picture.strides[1:] != (3, 1) or picture.strides[0] < 0:
            picture = np.ascontiguousarray(picture)
        matrices = np.ascontiguousarray(matrices, np.float32)
        height, width = out.shape[2:4] if spec.layout == "NCHW" else out.shape[1:3]
        channel, gain, bias = channel_values(spec)
        target = _Target(_address(out), picture.strides[0], picture.shape[1], picture.shape[0], width, height,
                         spec.dtype == "uint8", spec.layout == "NHWC", (ctypes.c_int32 * 3)(*channel),
                         (ctypes.c_float * 3)(*map(float, gain)), (ctypes.c_float * 3)(*map(float, bias)))
        _check(self._library.wb_topdown_crops(_address(picture), _address(matrices), len(matrices),
                                              ctypes.byref(target)), "crops of a picture", picture)

    def nms(self, boxes_xyxy: "npt.NDArray[np.float32]", most: float) -> "npt.NDArray[np.bool_]":
        """Which of the boxes, best first, are not overlapped by a better one that stays."""
        boxes = np.ascontiguousarray(boxes_xyxy, np.float32)
        keep, kept = np.zeros(len(boxes), np.uint8), ctypes.c_int32()
        _check(self._library.wb_topdown_nms(_address(boxes), len(boxes), most, _address(keep), ctypes.byref(kept)),
               "overlaps of boxes", boxes)
        return keep.astype(bool)


def _stacked(maps: "npt.NDArray[np.float32]") -> "Any":
    """Maps whose rows lie close together, and their layout; channels of a larger array are taken as they are."""
    maps = np.asarray(maps, np.float32)
    people, channels, height, width = maps.shape
    if maps.size and (maps.strides[2:] != (4 * width, 4) or min(maps.strides[:2]) < 0):
        maps = np.ascontiguousarray(maps)
    return maps, _Stack(maps.strides[0] // 4, maps.strides[1] // 4, people, channels, height, width)


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, number, real = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float
    return declare(library, {
        "wb_topdown_peaks": [pointer, pointer, number, pointer], "wb_topdown_integrals": [pointer] * 3,
        "wb_topdown_enlarged_peaks": [pointer, pointer, number, ctypes.c_double, pointer],
        "wb_topdown_simcc": [pointer, pointer, number, number, number, number, real, pointer],
        "wb_topdown_crops": [pointer, pointer, number, pointer],
        "wb_topdown_nms": [pointer, number, real, pointer, pointer],
    })


def _check(status: int, what: str, array: "npt.NDArray[Any]") -> None:
    if status == _OUT_OF_MEMORY:
        raise MemoryError("native %s %s: out of memory" % (what, array.shape))
    if status != _OK:
        raise ShapeError("native %s %s: refused (status %d)" % (what, array.shape, status))


def _address(array: "npt.NDArray[Any]") -> int:
    return int(array.__array_interface__["data"][0])
