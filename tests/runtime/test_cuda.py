"""CudaMemory over a fake pycuda: the context is pushed and popped, memory given back, errors are one line."""
import sys
import types

import numpy as np
import pytest

from wholebody.errors import MissingPackage, ModelError
from wholebody.runtime.cuda import CudaMemory


class Fake(types.ModuleType):
    """The names of pycuda.driver that are used, and a log of calls."""

    class Error(Exception):
        pass

    def __init__(self, devices=1):
        super().__init__("pycuda.driver")
        self.log, self.devices, self.stack, self.broken, driver = [], devices, [], False, self

        class Context:
            @staticmethod
            def pop():
                driver.stack.pop()

            def push(self):
                driver.stack.append(self)

            def detach(self):
                driver.log.append("detach")

        class Device:
            def __init__(self, ordinal):
                if ordinal >= driver.devices:
                    raise driver.Error("cuDeviceGet failed:\ninvalid device ordinal")

            def retain_primary_context(self):
                return Context()

        class Allocation(int):
            def free(self):
                driver.log.append("free %d" % self)

        class Stream:
            handle = 77

            def synchronize(self):
                if driver.broken:
                    raise driver.Error("cuStreamSynchronize failed: an illegal memory access was encountered")
                driver.log.append("synchronize")

        self.Context, self.Device, self.Stream, self.Allocation = Context, Device, Stream, Allocation

    def init(self):
        pass

    def mem_alloc(self, nbytes):
        assert self.stack
        if nbytes > 1000:
            raise self.Error("out of memory")
        return self.Allocation(4096)

    def pagelocked_empty(self, shape, dtype):
        return np.empty(shape, dtype)

    def memcpy_htod_async(self, dest, src, stream):
        self.log.append("in %d on %d" % (dest, stream.handle))

    def memcpy_dtoh_async(self, dest, src, stream):
        self.log.append("out %d on %d" % (src, stream.handle))


@pytest.fixture
def driver(monkeypatch):
    driver = Fake()
    package = types.ModuleType("pycuda")
    package.driver = driver
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    return driver


def test_copies_run_on_their_stream_and_no_context_is_left(driver):
    memory = CudaMemory()
    with memory.active():
        stream, buffer, array = memory.new_stream(), memory.alloc(16), memory.host_array((4,), "float32")
        memory.upload(buffer, array, stream)
        memory.download(array, buffer, stream)
        memory.synchronize(stream)
        memory.free(buffer)
        memory.alloc(8)
    assert driver.stack == []
    memory.close()
    memory.close()
    assert driver.log == ["in 4096 on 77", "out 4096 on 77", "synchronize", "free 4096", "free 4096", "detach"]
    assert driver.stack == []


def test_an_error_within_pops_the_context_too(driver):
    memory = CudaMemory()
    with pytest.raises(ZeroDivisionError):
        with memory.active():
            raise ZeroDivisionError
    assert driver.stack == []


def test_memory_that_is_used_up_is_one_line(driver):
    memory = CudaMemory()
    with memory.active(), pytest.raises(ModelError, match="no 2 MB of GPU memory left: out of memory; try a smaller"):
        memory.alloc(2000000)


def test_what_fails_on_the_gpu_is_one_line(driver):
    memory, driver.broken = CudaMemory(), True
    with memory.active():
        stream = memory.new_stream()
        with pytest.raises(ModelError, match="the GPU failed: .*illegal memory access.*; close and open the engine"):
            memory.synchronize(stream)


def test_no_gpu_is_one_line(driver):
    driver.devices = 0
    with pytest.raises(ModelError, match="no GPU can be used: cuDeviceGet failed: invalid device ordinal"):
        CudaMemory()


def test_no_pycuda_is_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(MissingPackage, match="pycuda"):
        CudaMemory()
