"""A fake GPU memory over host bytes: asynchronous like the real one, and strict where the real one is silent.

Work put on a stream is done when the stream is synchronised, never earlier: a result that is read too soon is
garbage, an input that is changed too soon is seen changed. Out of bounds, use after free, a stream that is not
there, calls without `active()`: each raises DeviceMisuse.
"""
import contextlib
import threading

import numpy as np

from wholebody.engines.device import Buffer, DeviceMemory

GARBAGE = 0xA5
_LOCAL = threading.local()
_STREAMS = {}  # handle -> (device, list of work)
_COUNTER = [0x1000]


class DeviceMisuse(AssertionError):
    """What would corrupt memory or results on a real GPU."""


class FakeDevice(DeviceMemory):
    """One fake GPU; `enqueue` and `view` are for what runs on it."""

    open_devices = 0

    def __init__(self):
        self._blocks, self._freed, self._streams, self.closed = {}, set(), [], False
        self.allocations = 0
        FakeDevice.open_devices += 1

    @contextlib.contextmanager
    def active(self):
        self._check_open()
        stack = _LOCAL.__dict__.setdefault("stack", [])
        stack.append(self)
        try:
            yield
        finally:
            assert stack.pop() is self

    def alloc(self, nbytes):
        self._check_active()
        if nbytes <= 0:
            raise DeviceMisuse("allocation of %d bytes" % nbytes)
        address = _COUNTER[0]
        _COUNTER[0] += (nbytes + 511) // 256 * 256  # a gap after each block
        self._blocks[address] = bytearray([GARBAGE]) * nbytes
        self.allocations += 1
        return Buffer(address, nbytes)

    def free(self, buffer):
        self._check_active()
        if self._blocks.pop(buffer.address, None) is None:
            raise DeviceMisuse("free of %#x, which is not allocated%s"
                               % (buffer.address, " any more" if buffer.address in self._freed else ""))
        if any(_STREAMS[stream][1] for stream in self._streams):
            raise DeviceMisuse("free while a stream has work left")
        self._freed.add(buffer.address)

    def host_array(self, shape, dtype):
        self._check_active()
        array = np.empty(tuple(shape), dtype)
        array.view(np.uint8).fill(GARBAGE)
        return array

    def new_stream(self):
        self._check_active()
        _COUNTER[0] += 1
        _STREAMS[_COUNTER[0]] = (self, [])
        self._streams.append(_COUNTER[0])
        return _COUNTER[0]

    def upload(self, buffer, array, stream):
        self._check_copy(buffer, array)

        def work():
            self.view(buffer.address, array.nbytes)[:] = array.tobytes()
        enqueue(stream, self, work)

    def download(self, array, buffer, stream):
        self._check_copy(buffer, array)
        array.reshape(-1).view(np.uint8).fill(GARBAGE)

        def work():
            data = bytes(self.view(buffer.address, array.nbytes))
            array[...] = np.frombuffer(data, array.dtype).reshape(array.shape)
        enqueue(stream, self, work)

    def synchronize(self, stream):
        self._check_active()
        work = _stream(stream, self)
        while work:
            work.pop(0)()

    def close(self):
        if self.closed:
            return
        for stream in self._streams:
            if _STREAMS.pop(stream)[1]:
                raise DeviceMisuse("closed while a stream has work left")
        FakeDevice.open_devices -= 1
        self.closed, leaked = True, len(self._blocks)
        self._blocks.clear()
        if leaked:
            raise DeviceMisuse("closed with %d buffers never freed" % leaked)

    def view(self, address, nbytes):
        """Writable bytes of this memory."""
        for start, block in self._blocks.items():
            if start <= address < start + len(block):
                if address + nbytes > start + len(block):
                    raise DeviceMisuse("%d bytes at %#x of a block of %d" % (nbytes, address, len(block)))
                return memoryview(block)[address - start:address - start + nbytes]
        raise DeviceMisuse("%#x is not allocated" % address)

    def _check_copy(self, buffer, array):
        self._check_active()
        if buffer.address not in self._blocks:
            raise DeviceMisuse("copy of a freed buffer")
        if not array.flags.c_contiguous or array.nbytes > buffer.nbytes:
            raise DeviceMisuse("copy of %d bytes (contiguous: %s) and a buffer of %d"
                               % (array.nbytes, array.flags.c_contiguous, buffer.nbytes))

    def _check_open(self):
        if self.closed:
            raise DeviceMisuse("the device is closed")

    def _check_active(self):
        self._check_open()
        if current() is not self:
            raise DeviceMisuse("the device is not this thread's: call it within active()")


def current():
    """The device that is this thread's; None without one, where TensorRT would find no CUDA context."""
    stack = getattr(_LOCAL, "stack", None)
    return stack[-1] if stack else None


def enqueue(stream, device, work):
    """Puts work on a stream of this device."""
    _stream(stream, device).append(work)


def _stream(handle, device):
    if handle not in _STREAMS or _STREAMS[handle][0] is not device:
        raise DeviceMisuse("no stream %r of this device" % (handle,))
    return _STREAMS[handle][1]
