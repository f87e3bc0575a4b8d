"""TensorRT for RTX out of two pip packages: NVIDIA's ONNX parser and builder on a machine without a GPU.

One package holds the Python bindings, the other, made for ONNX Runtime, the libraries they need. Those lie there under
their full version (libtensorrt_rtx.so.1.7.1) while the bindings ask for libtensorrt_rtx.so.1, which no search path
has. The dynamic linker is content with a library of that soname that is loaded already.
"""
import ctypes
import importlib.util
import pathlib
from typing import Any, Optional

from wholebody.errors import MissingPackage
from wholebody.packages import install_command, require

BINDINGS, LIBRARIES, EXTRA = "tensorrt_rtx_bindings", "onnxruntime_ep_nv_tensorrt_rtx", "rtx"
_NEEDED = ("libtensorrt_rtx", "libtensorrt_onnxparser_rtx")


def load_rtx() -> Any:
    """The module tensorrt_rtx_bindings, which has TensorRT's names; MissingPackage where it cannot be had."""
    if importlib.util.find_spec(BINDINGS) is not None:
        folder = _library_folder()
        if folder is not None:
            for name in _NEEDED:
                _preload(folder, name)
        # Without that package the libraries may still be the system's own, from NVIDIA's archive.
    return require(BINDINGS, EXTRA)


def _library_folder() -> Optional[pathlib.Path]:
    """Where the libraries lie; the package is not imported, which would write links into itself."""
    spec = importlib.util.find_spec(LIBRARIES)
    places = spec.submodule_search_locations if spec is not None else None
    return pathlib.Path(next(iter(places))) if places else None


def _preload(folder: pathlib.Path, name: str) -> None:
    """Loads the library for all that follow."""
    found = sorted(folder.glob(name + ".so*"))
    if not found:
        raise MissingPackage(_again("%s holds no %s.so" % (folder, name)))
    try:
        # Links that the package makes beside it lead to the same file: any name is as good as another.
        ctypes.CDLL(str(found[-1]), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise MissingPackage(_again("%s does not load: %s" % (found[-1], error)))


def _again(reason: str) -> str:
    return "%s. Install it again: %s" % (reason, install_command(LIBRARIES, EXTRA))
