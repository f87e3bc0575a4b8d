"""NVRTC through ctypes: NVIDIA's compiler as a library, which needs no GPU."""
import ctypes
import pathlib
import sys

import pytest

PLACES = {"11.8": "nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2", "13.0": "nvidia/cu13/lib/libnvrtc.so.13"}
PACKAGES = {"11.8": "nvidia-cuda-nvrtc-cu11==11.8.89", "13.0": "nvidia-cuda-nvrtc==13.0.88"}


def load(version):
    """The library of one version, as pip installs it."""
    for folder in sys.path:
        path = pathlib.Path(folder) / PLACES[version]
        if path.is_file():
            for builtins in path.parent.glob("libnvrtc-builtins.so.*"):
                ctypes.CDLL(str(builtins), ctypes.RTLD_GLOBAL)  # NVRTC asks for it by name
            return ctypes.CDLL(str(path))
    pytest.skip("NVRTC %s is not installed; pip install %s" % (version, PACKAGES[version]))


def compile_cubin(library, source, folder, options):
    """(cubin or None, log) of a program whose headers lie in a folder."""
    program = ctypes.c_void_p()
    assert library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
    words = [option.encode() for option in list(options) + ["-I" + str(folder)]]
    status = library.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*words))
    size = ctypes.c_size_t()
    assert library.nvrtcGetProgramLogSize(program, ctypes.byref(size)) == 0
    log = ctypes.create_string_buffer(max(1, size.value))
    assert library.nvrtcGetProgramLog(program, log) == 0
    cubin = None
    if status == 0:
        assert library.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0
        buffer = ctypes.create_string_buffer(size.value)
        assert library.nvrtcGetCUBIN(program, buffer) == 0
        cubin = buffer.raw
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return cubin, log.value.decode("utf-8", "replace").strip()
