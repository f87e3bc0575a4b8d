"""Runs the CUDA kernels on the CPU: compiled by g++ over a shim, called as `Launch`es, addresses are the host's."""
import ctypes
import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
KERNELS = ROOT / "runtime" / "kernels"
FLAGS = ["-std=c++14", "-O2", "-g", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno", "-U_FORTIFY_SOURCE",
         "-Wall", "-Wextra", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FAILURES = {1: "no such kernel", 2: "arguments of the wrong size", 3: "a grid, block or shared memory no GPU takes",
            4: "threads of a block did not meet at a barrier"}


class KernelMisuse(AssertionError):
    """What a GPU would refuse, or hang on."""


def build(output, sanitize=False, sources=KERNELS):
    """Compiles kernels.cu of `sources` with the shim into a shared library; returns its path."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed; sudo apt install g++")
    command = ["g++"] + FLAGS + (SANITIZERS if sanitize else []) + [
        "-include", str(HERE / "cuda_shim.h"), "-I", str(sources), "-x", "c++", str(sources / "kernels.cu"),
        str(HERE / "cuda_shim.cpp"), "-o", str(output)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    return str(output)


class ShimModule:
    """All kernels; `seed` draws the order of blocks and threads."""

    def __init__(self, library, seed=0):
        self._library = ctypes.CDLL(os.fspath(library))
        self._library.wb_shim_seed.argtypes = [ctypes.c_uint64]
        self._library.wb_shim_argument_bytes.argtypes = [ctypes.c_char_p]
        self._library.wb_shim_argument_bytes.restype = ctypes.c_uint64
        self._library.wb_shim_launch.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32,
                                                 ctypes.c_char_p, ctypes.c_uint64]
        self.launches = 0
        self.seed(seed)

    def seed(self, seed):
        """0: as they are numbered."""
        self._library.wb_shim_seed(seed)

    def argument_bytes(self, kernel):
        """0 where there is no such kernel."""
        return self._library.wb_shim_argument_bytes(kernel.encode())

    def launch(self, launch):
        """Runs one kernel to its end."""
        grid, block = ((ctypes.c_uint32 * 3)(*launch.grid), (ctypes.c_uint32 * 3)(*launch.block))
        status = self._library.wb_shim_launch(launch.kernel.encode(), grid, block, launch.shared_bytes,
                                              launch.arguments, len(launch.arguments))
        self.launches += 1
        if status != 0:
            raise KernelMisuse("%s of grid %s, block %s, %d shared and %d argument bytes: %s"
                               % (launch.kernel, launch.grid, launch.block, launch.shared_bytes,
                                  len(launch.arguments), FAILURES.get(status, status)))
