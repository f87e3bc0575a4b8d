"""A fake pycuda.driver and libcuda over a FakeGpu: the names, signatures and strictness of pycuda 2020.1 to 2026.1.

Whatever the project calls that the real module lacks fails here too.
"""
import ctypes
import struct
import sys
import threading
import types

import numpy as np
from fake_gpu import GARBAGE, DeviceMisuse, FakeGpu, Item, Mark, address_of, run_kernel, shim_of


class Error(Exception):
    """pycuda.driver.Error."""


class MemoryError(Error):
    """pycuda.driver.MemoryError."""


class LogicError(Error):
    """pycuda.driver.LogicError."""


def install(monkeypatch, gpu=None, devices=1):
    """Makes `import pycuda.driver` give the double, and libcuda its graphs; the GPU behind them."""
    gpu = gpu or FakeGpu()
    package = types.ModuleType("pycuda")
    package.driver = driver_module(gpu, devices)
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", package.driver)
    real = ctypes.CDLL

    def open_library(name, *args, **kwargs):
        return Libcuda(gpu) if name == "libcuda.so.1" else real(name, *args, **kwargs)
    monkeypatch.setattr(ctypes, "CDLL", open_library)
    return gpu


def driver_module(gpu, devices=1):
    """The module's attributes, closed over one GPU."""
    driver = types.ModuleType("pycuda.driver")
    state = {"initialised": False}

    def init(flags=0):
        state["initialised"] = True

    class Context:
        detached = False

        def push(self):
            assert not self.detached
            gpu.push()

        @staticmethod
        def pop():
            gpu.pop()

        def detach(self):
            self.detached = True
            gpu.close()

    class Device:
        def __init__(self, ordinal):
            if not state["initialised"]:
                raise LogicError("cuDeviceGet failed: initialization error")
            if ordinal >= devices:
                raise LogicError("cuDeviceGet failed:\ninvalid device ordinal")

        def retain_primary_context(self):
            return Context()

        def compute_capability(self):
            return gpu.capability

        def get_attribute(self, attribute):
            return {"INTEGRATED": int(gpu.integrated)}[attribute]

    for value in (init, Context, Device, Error, MemoryError, LogicError):
        setattr(driver, value.__name__, value)
    driver.device_attribute = types.SimpleNamespace(INTEGRATED="INTEGRATED")
    driver.event_flags = types.SimpleNamespace(DEFAULT=0, BLOCKING_SYNC=1, DISABLE_TIMING=2)
    driver.host_alloc_flags = types.SimpleNamespace(PORTABLE=1, DEVICEMAP=2, WRITECOMBINED=4)
    _add_memory(driver, gpu)
    _add_streams(driver, gpu)
    _add_kernels(driver, gpu)
    return driver


def _add_memory(driver, gpu):
    class DeviceAllocation:
        def __init__(self, address):
            self._address = address

        def __int__(self):
            return self._address

        __index__ = __int__

        def free(self):
            gpu.free(self._address)

    class PagelockedHostAllocation:
        def __init__(self, array, flags):
            self.array, self._flags = array, flags
            self.__array_interface__ = array.__array_interface__

        def get_device_pointer(self):
            if not self._flags & 2:
                raise LogicError("cuMemHostGetDevicePointer failed: invalid argument")
            return address_of(self.array)

    class _Pagelocked(np.ndarray):
        """An array whose base is the allocation, as pycuda's is."""

        base = None

    def mem_alloc(nbytes):
        if nbytes > 1 << 33:
            raise MemoryError("cuMemAlloc failed: out of memory")
        return DeviceAllocation(gpu.alloc(nbytes))

    def pagelocked_empty(shape, dtype, order="C", mem_flags=0):
        assert order == "C"
        array = gpu.pagelocked(shape, dtype)
        if not mem_flags:
            return array
        held = array.view(_Pagelocked)
        held.base = PagelockedHostAllocation(array, mem_flags)
        return held

    def memcpy_htod_async(dest, src, stream=None):
        _check_array(src)
        source, nbytes, address = src, src.nbytes, int(dest)
        if not gpu.is_pinned(src):  # the driver has its copy before it returns
            source = src.copy()
        gpu.view(address, nbytes)
        gpu.uploads += 1

        def work():
            gpu.view(address, nbytes)[:] = source.tobytes()
        _put(gpu, stream, Item(work))

    def memcpy_dtoh_async(dest, src, stream=None):
        _check_array(dest)
        address, nbytes = int(src), dest.nbytes
        gpu.view(address, nbytes)
        gpu.downloads += 1
        bytes_of = dest.reshape(-1).view(np.uint8)

        def spoil():
            bytes_of[...] = GARBAGE

        def work():
            bytes_of[...] = np.frombuffer(bytes(gpu.view(address, nbytes)), np.uint8)
        _put(gpu, stream, Item(work, on_stream=spoil))
        if not gpu.is_pinned(dest):
            stream.synchronize()

    def memset_d8_async(dest, data, size, stream=None):
        address = int(dest)
        gpu.view(address, size)

        def work():
            gpu.view(address, size)[:] = bytes([data]) * size
        _put(gpu, stream, Item(work))

    def memcpy_dtod_async(dest, src, size, stream=None):
        target, source = int(dest), int(src)
        gpu.view(target, size)
        gpu.view(source, size)

        def work():
            gpu.view(target, size)[:] = bytes(gpu.view(source, size))
        _put(gpu, stream, Item(work))

    def mem_get_info():
        gpu.check_active()
        with gpu.lock:
            return gpu.total_bytes - sum(nbytes for _, nbytes in gpu.blocks.values()), gpu.total_bytes

    for value in (DeviceAllocation, PagelockedHostAllocation, mem_alloc, pagelocked_empty, memcpy_htod_async,
                  memcpy_dtoh_async, memset_d8_async, memcpy_dtod_async, mem_get_info):
        setattr(driver, value.__name__, value)


def _add_streams(driver, gpu):
    class Event:
        def __init__(self, flags=0):
            gpu.check_active()
            self._mark, self._timed = None, not flags & 2

        def record(self, stream=None):
            self._mark = Mark()
            _put(gpu, stream, Item(marks=self._mark))
            return self

        def synchronize(self):
            mark = self._recorded()
            gpu.run_until(lambda: mark.done, "an event")
            return self

        def time_till(self, other):
            if not (self._timed and self._recorded().done and other._recorded().done):
                raise LogicError("cuEventElapsedTime failed: device not ready")
            return float(other._mark.time - self._mark.time)

        def _recorded(self):
            if self._mark is None:
                raise DeviceMisuse("an event that was never recorded is waited for")
            return self._mark

    class Stream:
        def __init__(self, flags=0):
            self.handle = gpu.new_stream()

        def synchronize(self):
            gpu.run_until(lambda: not gpu.queues[self.handle], "a stream")

        def wait_for_event(self, event):
            _put(gpu, self, Item(waits_for=event._recorded()))

    driver.Event, driver.Stream = Event, Stream


def _add_kernels(driver, gpu):
    class Function:
        def __init__(self, shim, name):
            self._shim, self._name, self.arg_format = shim, name, None

        def prepare(self, arg_types, texrefs=None):
            self.arg_format = "".join(arg_types)
            return self

        def prepared_async_call(self, grid, block, stream, *args, **kwargs):
            shared = kwargs.pop("shared_size", 0)
            if kwargs:
                raise TypeError("unknown keyword arguments: " + ", ".join(kwargs))
            for sizes in (grid, block):
                assert isinstance(sizes, tuple), sizes
                assert len(sizes) == 3, sizes
                assert min(sizes) >= 1, sizes
            assert block[0] * block[1] * block[2] <= 1024, block
            assert shared <= 48 * 1024, shared
            assert [len(argument) for argument in args] == [struct.calcsize(self.arg_format)], args
            arguments = struct.pack(self.arg_format, *args)
            gpu.launches += 1
            _put(gpu, stream, Item(lambda: run_kernel(self._shim, self._name, grid, block, shared, arguments)))

    class Module:
        def __init__(self, shim):
            self._shim = shim

        def get_function(self, name):
            return Function(self._shim, name)

    def module_from_buffer(buffer, options=(), message_handler=None):
        gpu.check_active()
        shim = shim_of(buffer)
        if shim is None:
            raise LogicError("cuModuleLoadDataEx failed: device kernel image is invalid - error: ")
        return Module(shim)

    driver.Module, driver.Function, driver.module_from_buffer = Module, Function, module_from_buffer


class Libcuda:
    """What the project asks of libcuda.so.1 itself. Pointers are those of ctypes."""

    def __init__(self, gpu):
        self._gpu = gpu
        if gpu.driver_version >= 11040:
            self.cuGraphInstantiateWithFlags = self._with_flags

    def cuDriverGetVersion(self, version):
        version._obj.value = self._gpu.driver_version
        return 0

    def cuGetErrorName(self, status, text):
        names = {400: b"CUDA_ERROR_INVALID_HANDLE", 900: b"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"}
        text._obj.value = names.get(status.value)
        return 0 if status.value in names else 1

    def cuStreamBeginCapture_v2(self, stream, mode):
        self._gpu.check_active()
        assert mode.value == 1
        if stream.value not in self._gpu.queues or stream.value in self._gpu.captures:
            return 400
        self._gpu.captures[stream.value] = (threading.get_ident(), [])
        return 0

    def cuStreamEndCapture(self, stream, graph):
        thread, items = self._gpu.captures.pop(stream.value, (None, None))
        if thread != threading.get_ident():
            return 400
        graph._obj.value = self._keep(items)
        return 0

    def cuGraphInstantiate(self, executable, graph, error_node, log, log_bytes):
        executable._obj.value = self._keep(self._gpu.graphs[graph.value])
        return 0

    def _with_flags(self, executable, graph, flags):
        assert flags.value == 0
        return self.cuGraphInstantiate(executable, graph, None, None, None)

    def cuGraphDestroy(self, graph):
        del self._gpu.graphs[graph.value]
        return 0

    cuGraphExecDestroy = cuGraphDestroy

    def cuGraphLaunch(self, executable, stream):
        if executable.value not in self._gpu.graphs:
            return 400
        self._gpu.graph_launches += 1
        for item in self._gpu.graphs[executable.value]:
            self._gpu.put(stream.value, item)
        return 0

    def _keep(self, items):
        self._gpu._handles += 1
        self._gpu.graphs[self._gpu._handles] = items
        return self._gpu._handles


def _put(gpu, stream, item):
    if stream is None:
        raise DeviceMisuse("work on the default stream, which waits for every other")
    gpu.put(stream.handle, item)


def _check_array(array):
    if not array.flags.c_contiguous:
        raise ValueError("ndarray is not contiguous")
