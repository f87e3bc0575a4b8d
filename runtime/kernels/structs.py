"""Fields of the structs that kernels take, as ctypes wants them."""
import ctypes
from typing import Any, List, Tuple

Fields = List[Tuple[str, Any]]


def pointers(names: str) -> Fields:
    """Device addresses."""
    return [(name, ctypes.c_uint64) for name in names.split()]


def integers(names: str) -> Fields:
    """Of 32 bits."""
    return [(name, ctypes.c_int32) for name in names.split()]


def longs(names: str) -> Fields:
    """Of 64 bits."""
    return [(name, ctypes.c_int64) for name in names.split()]


def floats(names: str) -> Fields:
    """Of 32 bits."""
    return [(name, ctypes.c_float) for name in names.split()]
