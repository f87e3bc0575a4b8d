"""Launches of the PAF kernels: their arguments, grids and shared memory, from plain numbers."""
import ctypes
import math
from typing import Any, ClassVar, NamedTuple, Optional, Tuple

import numpy as np

from wholebody.engines.device import Launch
from wholebody.errors import ShapeError
from wholebody.runtime.kernels.structs import floats, integers, longs, pointers
from wholebody.runtime.paf.options import KERNELS, PafOptions
from wholebody.runtime.paf.upsample import PAD, bicubic_taps, field_taps
from wholebody.skeletons import Skeleton

THREADS = 128                # WB_THREADS
WORD = 4                     # bytes
SHARED_BYTES = 48 << 10      # what every GPU gives a block without asking
MASK_BITS = 32
REACH = 3                    # pixels of the centroid's window, each way
PATCH_PIXELS = 1024          # of the tiles that a block looks at at a time
WINDOW_WORDS = 2 * 52
PIXELS_MAX = 1 << 28
PEAKS_MAX = 32767            # an index of a peak has 16 bits in the block
SCORING_BLOCKS = 1024        # of all limbs; a limb has at most 32
HEADER_WORDS, PEAK_WORDS, CONNECTION_WORDS = 4, 3, 2
PEAK_BYTES = PEAK_WORDS * WORD
TYPES = {"float32": 0, "float16": 1}
Strides = Tuple[int, int, int]


class DeviceMaps(NamedTuple):
    """Maps of a network in device memory."""

    address: int
    shape: Tuple[int, int, int]      # channels, height, width
    dtype: str = "float32"           # or float16
    strides: Optional[Strides] = None  # in values, channel, row, column; None: one channel after the other


class Tables(NamedTuple):
    """What never changes: addresses of the weights (stride, 4), first cells (stride) and limbs (L, 4)."""

    weights: int
    first: int
    limbs: int


class Scratch(NamedTuple):
    """Addresses of what the kernels hand each other."""

    tickets: int       # (K) int32, 0 between frames
    strip_counts: int  # (K, height) int32
    strip_peaks: int   # (K, height, max_peaks, 3) float32
    counts: int        # (K) int32
    peaks: int         # (K, max_peaks, 3) float32
    limb_counts: int   # (L) int32
    scores: int        # (L, max_peaks ** 2) float32


class _MapView(ctypes.Structure):
    _fields_: ClassVar[Any] = pointers("values") + longs("channel row column") + integers("height width half unused")


class _TapTable(ctypes.Structure):
    _fields_: ClassVar[Any] = pointers("weights first")


class _Peaks(ctypes.Structure):
    _fields_: ClassVar[Any] = (
        [("heat", _MapView), ("taps", _TapTable)]
        + pointers("tickets strip_counts strip_peaks counts peaks limb_counts")
        + integers("limbs stride max_peaks top rows batch cuda_border fast") + floats("threshold cell_threshold"))


class _Scores(ctypes.Structure):
    _fields_: ClassVar[Any] = (
        [("pafs", _MapView), ("taps", _TapTable)] + pointers("limbs counts peaks scores limb_counts")
        + integers("stride max_peaks") + floats("threshold ratio near near_score"))


class _Pack(ctypes.Structure):
    _fields_: ClassVar[Any] = (
        pointers("limbs counts peaks scores limb_counts block") + longs("capacity")
        + integers("keypoints limb_number max_peaks unused"))


def limb_table(skeleton: Skeleton) -> Any:
    """(L, 4) int32: the keypoints of each limb and its channels."""
    return np.concatenate([np.array(skeleton.paf_pairs, np.int32).reshape(-1, 2),
                           np.array(skeleton.paf_channels, np.int32).reshape(-1, 2)], axis=1)


def tap_tables(stride: int, options: PafOptions) -> Tuple[Any, Any]:
    """Weights (stride, 4) float32 and the first cell (stride) int32 of each phase, relative to its own."""
    taps = field_taps(stride, options)  # the exact mode reads heat maps by the same, the fast one does not read between
    return taps.weights, np.array(taps.first, np.int32) - np.int32(PAD)


def strip_window(stride: int) -> Tuple[int, int]:
    """First row of cells that a strip reads, relative to its own, and how many.

    >>> strip_window(8), strip_window(1)
    ((-2, 5), (-4, 10))
    """
    top = math.floor((0.5 - REACH) / stride - 0.5) - 1
    bottom = math.floor((stride - 1 + REACH + 0.5) / stride - 0.5) + 2
    return top, bottom - top + 1


def tiles_at_once(stride: int) -> int:
    """Tiles that a block of the peaks kernel upsamples at a time."""
    return max(1, PATCH_PIXELS // (stride + 2) ** 2)


def peaks_shared_bytes(stride: int, width: int, fast: bool) -> int:
    """Shared memory of a block; strip_of in paf_peaks.cu divides it."""
    rows, batch, side = strip_window(stride)[1], 0 if fast else tiles_at_once(stride), stride + 2
    lines, columns = (1, width) if fast else (stride, width * stride)
    words = (5 * stride + rows * (width + 2 * PAD) + batch * rows * side + batch * side * side + WINDOW_WORDS
             + width + THREADS + 4 + lines * -(-columns // MASK_BITS))
    return words * WORD


def check_maps(shape: Tuple[int, int, int], stride: int, options: PafOptions) -> None:
    """ShapeError for maps that the kernels do not take."""
    _, height, width = shape
    if height * width * stride * stride > PIXELS_MAX:
        raise ShapeError("PAF decoding on the GPU: maps %s are too large" % (shape,))
    needed = peaks_shared_bytes(stride, width, options.mode == "fast")
    if needed > SHARED_BYTES:
        raise ShapeError("PAF decoding on the GPU: maps %s at stride %d need %d bytes of shared memory, %d are there; "
                         "use backend=\"native\"" % (shape, stride, needed, SHARED_BYTES))


def peaks_launch(heat: DeviceMaps, keypoints: int, limbs: int, stride: int, options: PafOptions, tables: Tables,
                 scratch: Scratch) -> Launch:
    """Finds the peaks of the first `keypoints` maps."""
    fast = options.mode == "fast"
    top, rows = strip_window(stride)
    threshold = np.float32(options.nms_threshold)
    arguments = _Peaks(
        _view(heat), _TapTable(tables.weights, tables.first), scratch.tickets, scratch.strip_counts,
        scratch.strip_peaks, scratch.counts, scratch.peaks, scratch.limb_counts, limbs, stride, options.max_peaks, top,
        rows, 0 if fast else tiles_at_once(stride), options.border == "cuda", fast, threshold,
        threshold if fast else threshold / _gain(stride, options.kernel))
    return Launch("wb_paf_peaks", (heat.shape[1], keypoints, 1), (THREADS, 1, 1), bytes(arguments),
                  peaks_shared_bytes(stride, heat.shape[2], fast))


def scores_launch(pafs: DeviceMaps, limbs: int, stride: int, options: PafOptions, tables: Tables,
                  scratch: Scratch) -> Launch:
    """Scores all pairs of peaks of every limb."""
    _, height, width = pafs.shape
    near = math.sqrt(width * stride * height * stride) / 150
    arguments = _Scores(
        _view(pafs), _TapTable(tables.weights, tables.first), tables.limbs, scratch.counts, scratch.peaks,
        scratch.scores, scratch.limb_counts, stride, options.max_peaks, options.paf_threshold, options.paf_ratio,
        _least_float_from(near), options.nms_threshold + 1e-6)
    return Launch("wb_paf_scores", (max(1, min(32, SCORING_BLOCKS // limbs)), limbs, 1), (THREADS, 1, 1),
                  bytes(arguments), (1 + 2 * THREADS) * WORD)


def pack_launch(block: int, capacity: int, keypoints: int, limbs: int, options: PafOptions, tables: Tables,
                scratch: Scratch) -> Launch:
    """Writes what was found to `block`, of `capacity` words; with 0 limbs peaks only."""
    arguments = _Pack(tables.limbs, scratch.counts, scratch.peaks, scratch.scores, scratch.limb_counts, block, capacity,
                      keypoints, limbs, options.max_peaks, 0)
    return Launch("wb_paf_pack", (keypoints + limbs, 1, 1), (THREADS, 1, 1), bytes(arguments), THREADS * WORD)


def _view(maps: DeviceMaps) -> _MapView:
    _, height, width = maps.shape
    channel, row, column = maps.strides or (height * width, width, 1)
    return _MapView(maps.address, channel, row, column, height, width, TYPES[maps.dtype], 0)


def _gain(stride: int, kernel: str) -> Any:
    """A pixel is at most this times the largest absolute cell around it, rounding included."""
    assert kernel in KERNELS
    most = np.abs(bicubic_taps(stride, kernel).weights).sum(axis=1, dtype=np.float32).max()
    return np.float32(most * most * np.float32(1.0001))


def _least_float_from(value: float) -> Any:
    """The least float32 that is not below `value`: what is below it is below `value` too."""
    nearest = np.float32(value)
    return nearest if float(nearest) >= value else np.nextafter(nearest, np.float32(np.inf))
