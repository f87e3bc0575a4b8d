"""The native decoder behind its C ABI (runtime/native/paf.h): one call decodes, a second one copies the people out."""
import ctypes
import threading
import weakref
from typing import TYPE_CHECKING, List, Tuple

import numpy as np

from wholebody.errors import ModelError, ShapeError
from wholebody.poses import Poses
from wholebody.runtime.native.library import HOW_TO_BUILD, declare, load_library
from wholebody.runtime.paf.backend import HostBackend
from wholebody.runtime.paf.options import KERNELS, PafOptions
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

ABI = 3
OK, BAD_ARGUMENT, OUT_OF_MEMORY = 0, 1, 2
PART_BITS = (("foot", 1), ("left_hand", 2), ("right_hand", 4), ("face", 8))
FLOAT_BYTES = 4
TYPES = {"float32": 0, "float16": 1}


class _Config(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in (
        "abi", "keypoints", "limbs", "stride", "max_peaks", "min_keypoints", "maximize_positives",
        "number_people_max", "cuda_border", "fast")] + [(name, ctypes.c_float) for name in (
            "kernel_a", "nms_threshold", "near_score", "paf_threshold", "paf_ratio", "min_score")]


class _Layout(ctypes.Structure):
    _fields_ = [("strides", ctypes.c_int64 * 3), ("shape", ctypes.c_int32 * 3), ("type", ctypes.c_int32)]


class _Maps:
    """Hands maps over; shape and strides are written down again only when they change."""

    def __init__(self) -> None:
        self._layout = _Layout()
        self._seen: Tuple[object, ...] = ()
        self._reference = ctypes.byref(self._layout)

    def arguments(self, maps: "npt.NDArray[np.float32]") -> Tuple[int, object]:
        """Address and layout, as the C functions take them."""
        seen = (maps.shape, maps.strides, maps.dtype)
        if seen != self._seen:
            self._layout.shape[:] = maps.shape
            self._layout.type = TYPES[maps.dtype.name]
            # A view may leave any stride on an axis of one cell, or none at all; it is never used.
            self._layout.strides[:] = [s if n > 1 else 0 for n, s in zip(maps.shape, maps.strides)]
            self._seen = seen
        return _address(maps), self._reference


class NativeBackend(HostBackend):
    """Holds one native handle, freed by `close` or with the object."""

    def __init__(self, skeleton: Skeleton, stride: int, options: PafOptions) -> None:
        library = _declared(load_library())
        self._decode, self._result = library.wb_paf_decode, library.wb_paf_result
        self._candidates, self._assemble = library.wb_paf_candidates, library.wb_paf_assemble
        self._skeleton, self._options = skeleton, options
        self._heatmaps, self._pafs = _Maps(), _Maps()
        self._people = ctypes.c_int32()
        self._people_reference = ctypes.byref(self._people)
        self._lock = threading.Lock()  # a handle serves one thread at a time
        self._handle = _create(library, skeleton, stride, options)
        self._free = weakref.finalize(self, library.wb_paf_destroy, self._handle)

    def decode(self, heatmaps: "npt.NDArray[np.float32]", pafs: "npt.NDArray[np.float32]") -> Poses:
        """Poses in pixels of the network input."""
        with self._lock:
            heat, heat_layout = self._heatmaps.arguments(heatmaps)
            fields, field_layout = self._pafs.arguments(pafs)
            status = self._decode(self._handle, heat, heat_layout, fields, field_layout, self._people_reference)
            self._check(status, heatmaps)
            return self._poses(self._people.value)

    def assemble(self, block: "npt.NDArray[np.int32]") -> Poses:
        """The same from peaks and connections that the CUDA kernels found."""
        with self._lock:
            status = self._assemble(self._handle, _address(block), len(block), self._people_reference)
            if status == BAD_ARGUMENT and self._handle:
                raise ModelError("the GPU's peaks and connections are damaged or not of %s: %s"
                                 % (self._skeleton.name, block[:4].tolist()))
            self._check(status, block)
            return self._poses(self._people.value)

    def _poses(self, people: int) -> Poses:
        if not people:
            return Poses.empty(self._skeleton)
        points = len(self._skeleton.keypoints)
        scores = 2 * points * people
        person_scores, boxes = scores + points * people, scores + points * people + people
        block = np.empty(boxes + 4 * people, np.float32)
        start = _address(block)
        status = self._result(self._handle, start, start + FLOAT_BYTES * scores, start + FLOAT_BYTES * person_scores,
                              start + FLOAT_BYTES * boxes)
        if status != OK:
            self._check(status, block)
        return Poses(block[:scores].reshape(people, points, 2), block[scores:person_scores].reshape(people, points),
                     block[person_scores:boxes], self._skeleton, block[boxes:].reshape(people, 4))

    def candidates(self, heatmaps: "npt.NDArray[np.float32]") -> "List[npt.NDArray[np.float32]]":
        """Peaks (n, 3) of every keypoint."""
        points = len(self._skeleton.keypoints)
        counts = np.zeros(points, np.int32)
        peaks = np.empty((points, self._options.max_peaks, 3), np.float32)
        with self._lock:
            heat, layout = self._heatmaps.arguments(heatmaps)
            self._check(self._candidates(self._handle, heat, layout, _address(counts), _address(peaks)), heatmaps)
        return [found[:count].copy() for found, count in zip(peaks, counts)]

    def close(self) -> None:
        """Free the native handle."""
        with self._lock:
            self._handle = ctypes.c_void_p()
            self._free()

    def _check(self, status: int, maps: "npt.NDArray[np.generic]") -> None:
        if status == OK:
            return
        if not self._handle:
            raise ModelError("this PafDecoder is closed; make a new one")
        if status == OUT_OF_MEMORY:
            raise MemoryError("native PAF decoding of maps %s: out of memory" % (maps.shape,))
        if status == BAD_ARGUMENT:
            raise ShapeError("native PAF decoding: maps %s are too large" % (maps.shape,))
        raise ModelError("native PAF decoding of maps %s: internal error (status %d)" % (maps.shape, status))


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer = ctypes.c_void_p
    return declare(library, {
        "wb_paf_create": [pointer] * 5, "wb_paf_destroy": [pointer], "wb_paf_decode": [pointer] * 6,
        "wb_paf_result": [pointer] * 5, "wb_paf_candidates": [pointer] * 5,
        "wb_paf_assemble": [pointer, pointer, ctypes.c_int64, pointer],
    })


def _create(library: ctypes.CDLL, skeleton: Skeleton, stride: int, options: PafOptions) -> ctypes.c_void_p:
    config = _Config(
        abi=ABI, keypoints=len(skeleton.keypoints), limbs=len(skeleton.paf_pairs), stride=stride,
        max_peaks=options.max_peaks, min_keypoints=options.min_keypoints,
        maximize_positives=options.maximize_positives, number_people_max=options.number_people_max,
        cuda_border=options.border == "cuda", fast=options.mode == "fast", kernel_a=KERNELS[options.kernel],
        nms_threshold=options.nms_threshold,
        near_score=options.nms_threshold + 1e-6, paf_threshold=options.paf_threshold, paf_ratio=options.paf_ratio,
        min_score=options.min_score)
    pairs, channels = (np.array(table, np.int32) for table in (skeleton.paf_pairs, skeleton.paf_channels))
    parts = np.zeros(len(skeleton.keypoints), np.uint8)
    for name, bit in PART_BITS:
        parts[list(skeleton.part(name))] |= bit
    handle = ctypes.c_void_p()
    status = library.wb_paf_create(ctypes.byref(config), _address(pairs), _address(channels), _address(parts),
                                   ctypes.byref(handle))
    if status != OK:
        raise ModelError("the native library %s refused %s (status %d): it may be of another version; %s"
                         % (library._name, skeleton.name, status, HOW_TO_BUILD))
    return handle


def _address(array: "npt.NDArray[np.generic]") -> int:
    # A quarter of a microsecond where it may be, one and more by NumPy's own ways, and three of them on every frame.
    if array.flags.carray and array.size:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # it is one
    return int(array.__array_interface__["data"][0])
