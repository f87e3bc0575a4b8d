"""A GPU at once: every buffer is a block of malloc's, so that AddressSanitizer sees a kernel step beside it."""
import contextlib
import ctypes

import numpy as np

from wholebody.engines.device import Buffer, Device

_libc = ctypes.CDLL(None)
_libc.malloc.restype, _libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]


class CheckedDevice(Device):
    """Does everything when it is asked for; kernels run over the shim."""

    compute_capability, shares_memory, has_graphs = (8, 7), False, False

    def __init__(self, module):
        self._module = module

    @contextlib.contextmanager
    def active(self):
        yield

    def alloc(self, nbytes):
        return Buffer(_libc.malloc(nbytes), nbytes)

    def free(self, buffer):
        _libc.free(buffer.address)

    def host_array(self, shape, dtype):
        return np.empty(shape, dtype)

    def new_stream(self):
        return 1

    def upload(self, buffer, array, stream):
        assert array.flags.c_contiguous
        assert array.nbytes <= buffer.nbytes
        ctypes.memmove(buffer.address, array.__array_interface__["data"][0], array.nbytes)

    def download(self, array, buffer, stream):
        assert array.flags.c_contiguous
        assert array.nbytes <= buffer.nbytes
        ctypes.memmove(array.__array_interface__["data"][0], buffer.address, array.nbytes)

    def synchronize(self, stream):
        """All is done already."""

    def close(self):
        """Nothing is kept."""

    def fill(self, buffer, value, nbytes, stream):
        ctypes.memset(buffer.address, value, nbytes)

    def load(self, image):
        return 0

    def launch(self, module, launch, stream):
        self._module.launch(launch)

    def _unused(self, *arguments):
        raise NotImplementedError

    mapped_array = new_event = record = wait = wait_host = elapsed_ms = _unused
    memory = copy = _unused
    capture = launch_graph = drop_graph = _unused
