"""A fake GPU in host memory, strict where a real one is silent.

Work put on a stream is done as late as the host allows and in any order that events allow: only when the host waits
for something, and then work of other streams may come first (by seed). So a result that is read too soon is garbage, an
input that is changed too soon is seen changed, and a wait that is missing shows. Kernels are the real ones, compiled
for the host (see cuda_shim): an address of the fake GPU is an address of this process.
"""
import ctypes
import random
import threading

import fake_device
import numpy as np
from fake_device import DeviceMisuse

GARBAGE = 0xA5
GUARD = 256        # bytes before and after each block, that nobody may write to
ALIGNED = 256
IMAGE = b"FAKE CUBIN "
_SHIMS = {}


class Mark:
    """An event as it was recorded once."""

    def __init__(self):
        self.done, self.time = False, None


class Item:
    """One piece of work; `waits_for` and `marks` are what makes a stream wait and an event happen.

    `on_stream` happens as it is put on a stream: what it will write to is garbage until it is done.
    """

    def __init__(self, run=None, waits_for=None, marks=None, on_stream=None):
        self.run, self.waits_for, self.marks, self.on_stream = run, waits_for, marks, on_stream


class FakeGpu:
    """Memory, streams and the order in which their work is done."""

    def __init__(self, seed=0, driver_version=12020, integrated=False, capability=(8, 7)):
        self.driver_version, self.integrated, self.capability = driver_version, integrated, capability
        self.lock, self.random = threading.RLock(), random.Random(seed)
        self.blocks, self.freed, self.pinned = {}, set(), []
        self.queues, self.captures, self.graphs, self.clock = {}, {}, {}, 0
        self.allocations = self.launches = self.graph_launches = self.uploads = self.downloads = 0
        self.total_bytes = 1 << 33
        self.failure = None  # raised by the next wait of the host
        self._handles = 0x7F00

    # ---- memory ----

    def alloc(self, nbytes):
        self.check_active()
        if nbytes <= 0:
            raise DeviceMisuse("allocation of %d bytes" % nbytes)
        block = np.full(nbytes + 2 * GUARD + ALIGNED, GARBAGE, np.uint8)
        start = -(-(address_of(block) + GUARD) // ALIGNED) * ALIGNED
        with self.lock:
            self.blocks[start] = (block, nbytes)
            self.allocations += 1
        return start

    def free(self, address):
        self.check_active()
        if address not in self.blocks:
            raise DeviceMisuse("free of %#x, which is not allocated%s"
                               % (address, " any more" if address in self.freed else ""))
        self.run_until(lambda: not self.work_left(), "all work, before memory is freed")  # as the driver does
        with self.lock:
            self.check_guards(address)
            del self.blocks[address]
            self.freed.add(address)

    def check_guards(self, address):
        block, nbytes = self.blocks[address]
        offset = address - address_of(block)
        if (block[:offset] != GARBAGE).any() or (block[offset + nbytes:] != GARBAGE).any():
            raise DeviceMisuse("something wrote beside the block at %#x of %d bytes" % (address, nbytes))

    def view(self, address, nbytes):
        """Writable bytes of this memory, mapped host memory included."""
        for start, (block, size) in list(self.blocks.items()) + self.pinned:
            if start <= address < start + size:
                if address + nbytes > start + size:
                    raise DeviceMisuse("%d bytes at %#x of a block of %d" % (nbytes, address, size))
                offset = address - address_of(block)
                return memoryview(block)[offset:offset + nbytes]
        raise DeviceMisuse("%#x is not allocated" % address)

    def pagelocked(self, shape, dtype):
        self.check_active()
        dtype = np.dtype(dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        raw = np.full(max(nbytes, 1), GARBAGE, np.uint8)
        self.pinned.append((address_of(raw), (raw, max(nbytes, 1))))
        self.allocations += 1
        return raw[:nbytes].view(dtype).reshape(shape)

    def is_pinned(self, array):
        start = address_of(array)
        return any(address <= start < address + size for address, (_, size) in self.pinned)

    # ---- streams ----

    def new_stream(self):
        self.check_active()
        self._handles += 1
        self.queues[self._handles] = []
        fake_device._STREAMS[self._handles] = (self, _Queue(self, self._handles))
        return self._handles

    def put(self, stream, item):
        self.check_active()
        with self.lock:
            if stream in self.captures:
                if self.captures[stream][0] != threading.get_ident():
                    raise DeviceMisuse("work of another thread on a stream that is captured")
                if item.waits_for or item.marks:
                    raise DeviceMisuse("an event within a capture")
                self.captures[stream][1].append(item)
            else:
                if item.on_stream:
                    item.on_stream()
                self.queues[stream].append(item)

    def run_until(self, done, what):
        """Does work until `done()`, of any stream that may go on."""
        self.check_active()
        with self.lock:
            if threading.get_ident() in [thread for thread, _ in self.captures.values()]:
                raise DeviceMisuse("the host waits for %s while it captures a stream" % what)
            while not done():
                ready = [s for s, queue in self.queues.items() if queue and _ready(queue[0])]
                if not ready:
                    raise DeviceMisuse("the host waits for %s, which nothing will bring about" % what)
                stream = self.random.choice(ready)
                for _ in range(self.random.choice((1, 1, 2, 100))):
                    queue = self.queues[stream]
                    if done() or not queue or not _ready(queue[0]):
                        break
                    self._do(queue.pop(0))
            for address in self.blocks:
                self.check_guards(address)
            if self.failure:
                failure, self.failure = self.failure, None
                raise failure

    def _do(self, item):
        self.clock += 1
        if item.run:
            item.run()
        if item.marks:
            item.marks.done, item.marks.time = True, self.clock

    def work_left(self):
        return any(self.queues.values())

    def close(self):
        for stream in self.queues:
            fake_device._STREAMS.pop(stream, None)
        left, self.queues = self.work_left(), {}
        if left:
            raise DeviceMisuse("closed while a stream has work left")
        if self.blocks:
            raise DeviceMisuse("closed with %d buffers never freed" % len(self.blocks))

    # ---- who may call ----

    def push(self):
        fake_device._LOCAL.__dict__.setdefault("stack", []).append(self)

    def pop(self):
        assert fake_device._LOCAL.stack.pop() is self

    def check_active(self):
        if fake_device.current() is not self:
            raise DeviceMisuse("no context is current on this thread: call it within active()")


class _Queue:
    """The end of a stream that the fake TensorRT puts its work on."""

    def __init__(self, gpu, stream):
        self.gpu, self.stream = gpu, stream

    def append(self, work):
        self.gpu.put(self.stream, Item(work))


def _ready(item):
    return item.waits_for is None or item.waits_for.done


def address_of(array):
    return array.__array_interface__["data"][0]


def fake_cubin(library):
    """The image of a module whose kernels are in a shared library of the shim."""
    return IMAGE + str(library).encode()


def shim_of(image):
    """The kernels of an image."""
    if not bytes(image).startswith(IMAGE):
        return None
    path = bytes(image)[len(IMAGE):].decode()
    if path not in _SHIMS:
        _SHIMS[path] = ctypes.CDLL(path)
        _SHIMS[path].wb_shim_launch.argtypes = [
            ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint32), ctypes.POINTER(ctypes.c_uint32), ctypes.c_uint32,
            ctypes.c_char_p, ctypes.c_uint64]
    return _SHIMS[path]


def run_kernel(shim, name, grid, block, shared_bytes, arguments):
    """One launch, all of it."""
    three = ctypes.c_uint32 * 3
    status = shim.wb_shim_launch(name.encode(), three(*grid), three(*block), shared_bytes, arguments, len(arguments))
    if status:
        raise DeviceMisuse("kernel %s with %d bytes of arguments: status %d" % (name, len(arguments), status))
