"""Refused before minutes are spent: a build that will run out of memory, or a precision the GPU does not have."""
import pathlib
import re
from typing import List, NamedTuple, Optional, Sequence

from wholebody.engines.build_spec import BuildSpec, size_text
from wholebody.engines.shapes import InputShape
from wholebody.errors import BuildError
from wholebody.jetson.identity import UNKNOWN, Board

_MB = 1 << 20
# What CUDA, TensorRT and its kernels take before any network; without cuBLAS and cuDNN it is less.
_LIBRARIES_MB, _OWN_KERNELS_MB = 700, 400
_COPIES = 3             # of the weights: as read, as parsed, as an engine
_BYTES_PER_PIXEL = 512  # 64 channels, in and out, FP32: the first layers of VGG, the widest maps of pose networks
_LEAST_WORKSPACE_MB, _MOST_WORKSPACE_MB, _WORKSPACE_IF_UNKNOWN_MB = 64, 4096, 1024
# Compute capabilities by the CUDA programming guide's table of arithmetic throughput.
_NO_FAST_INT8 = ("5.0", "5.2", "5.3", "6.0", "6.2")
_NO_FAST_FP16 = ("5.0", "5.2", "6.1")


class MemoryNeed(NamedTuple):
    """An estimate in MB: weights three times, 512 bytes per input pixel of the largest batch, workspace, libraries."""

    weights_mb: int
    activations_mb: int
    workspace_mb: int
    libraries_mb: int

    @property
    def total_mb(self) -> int:
        """All of it."""
        return self.weights_mb + self.activations_mb + self.workspace_mb + self.libraries_mb

    def __str__(self) -> str:
        return ("%d MB (%d weights, %d activations, %d workspace, %d libraries)"
                % (self.total_mb, self.weights_mb, self.activations_mb, self.workspace_mb, self.libraries_mb))


def memory_need(onnx_bytes: int, shapes: Sequence[InputShape], workspace_mb: int, own_kernels: bool) -> MemoryNeed:
    """How much a build will take; on a Jetson CPU and GPU share it."""
    pixels = sum(_pixels(shape) for shape in shapes)
    return MemoryNeed(-(-_COPIES * onnx_bytes // _MB), -(-pixels * _BYTES_PER_PIXEL // _MB), workspace_mb,
                      _OWN_KERNELS_MB if own_kernels else _LIBRARIES_MB)


def available_mb(root: str = "/") -> Optional[int]:
    """MemAvailable of /proc/meminfo; None where there is none."""
    try:
        text = (pathlib.Path(root) / "proc/meminfo").read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) // 1024 if found else None


def choose_workspace(spec: BuildSpec, available: Optional[int]) -> int:
    """The user's limit, else a quarter of the memory that is free."""
    if spec.workspace_mb is not None:
        return spec.workspace_mb
    if available is None:
        return _WORKSPACE_IF_UNKNOWN_MB
    return max(_LEAST_WORKSPACE_MB, min(_MOST_WORKSPACE_MB, available // 4))


def affordable(spec: BuildSpec, onnx_bytes: int, shapes: Sequence[InputShape], available: Optional[int]) -> BuildSpec:
    """The spec with less workspace, then without cuBLAS and cuDNN, where memory asks for it; a user's limit stays."""
    own = spec.own_kernels
    for own in (spec.own_kernels, True):
        workspace = choose_workspace(spec, available)
        if available is None or memory_need(onnx_bytes, shapes, workspace, own).total_mb <= available:
            return spec._replace(own_kernels=own)
        rest = available - memory_need(onnx_bytes, shapes, 0, own).total_mb
        if spec.workspace_mb is None and rest >= _LEAST_WORKSPACE_MB:
            return spec._replace(workspace_mb=rest, own_kernels=own)
    return spec._replace(own_kernels=own, workspace_mb=spec.workspace_mb or _LEAST_WORKSPACE_MB)


def check_memory(need: MemoryNeed, available: Optional[int], shapes: Sequence[InputShape]) -> None:
    """BuildError with what would help when memory will not do."""
    if available is None or need.total_mb <= available:
        return
    smaller = max(_LEAST_WORKSPACE_MB, need.workspace_mb - (need.total_mb - available))
    helps = ["close programs (a desktop takes some hundred MB)"]
    if need.total_mb - need.workspace_mb + smaller <= available:
        helps.insert(0, "--workspace %d" % smaller)
    largest = max(shapes, key=_pixels)
    if need.activations_mb > 100 and len(largest.max) == 4:
        helps.append("a size smaller than %s" % size_text((largest.max[2], largest.max[3])))
    helps.append("add swap, or build all the same with --ignore-memory")
    raise BuildError("not enough memory: the build needs about %s, %d MB are free: %s"
                     % (need, available, ", ".join(helps)))


def check_precision(board: Board, spec: BuildSpec) -> List[str]:
    """Notes on a precision that gains nothing here; BuildError for INT8 where the GPU has none."""
    if spec.target or board.sm == UNKNOWN:
        return []
    if spec.precision == "int8" and board.sm in _NO_FAST_INT8:
        raise BuildError("%s has no INT8 arithmetic (compute capability %s), an INT8 engine would be slower than an "
                         "FP16 one: build with --fp16" % (board.model, board.sm))
    if spec.precision == "fp16" and board.sm in _NO_FAST_FP16:
        return ["%s has no fast FP16 (compute capability %s): the engine will hardly be faster than FP32"
                % (board.model, board.sm)]
    return []


def _pixels(shape: InputShape) -> int:
    count = 1
    for dim in shape.max:
        count *= dim
    return count // 3 if 3 in shape.max[1:] else count
