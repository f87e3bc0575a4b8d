"""Finds and loads the one shared library that holds all native code."""
import ctypes
import pathlib
from typing import Any, Dict, List, Optional

from wholebody.errors import ModelError

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("_wholebody.abi3.so", "_wholebody.so")  # as pip builds it, as `python -m wholebody.runtime.native` does
HOW_TO_BUILD = "build it: python -m wholebody.runtime.native"

_loaded: Dict[pathlib.Path, ctypes.CDLL] = {}


def find_library(folder: pathlib.Path = HERE) -> Optional[pathlib.Path]:
    """The library file in `folder`, the newest if there are several; None where it is not built."""
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    return max(found, key=lambda path: path.stat().st_mtime) if found else None


def load_library(folder: pathlib.Path = HERE) -> ctypes.CDLL:
    """The library, loaded once; ModelError that says how to build it where that is missing."""
    path = find_library(folder)
    if path is None:
        raise ModelError("the native library is not built: no %s in %s; %s"
                         % (" or ".join(NAMES), folder, HOW_TO_BUILD))
    if path not in _loaded:
        try:
            _loaded[path] = ctypes.CDLL(str(path))
        except OSError as error:
            raise ModelError("cannot load the native library %s: %s; %s" % (path, error, HOW_TO_BUILD))
    return _loaded[path]


def declare(library: ctypes.CDLL, signatures: Dict[str, List[Any]]) -> ctypes.CDLL:
    """Functions by name with what they take; all give back a status."""
    for name, argtypes in signatures.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ModelError("the native library %s has no %s: it is older than this code; %s"
                             % (library._name, name, HOW_TO_BUILD))
        function.argtypes, function.restype = argtypes, ctypes.c_int32
    return library
