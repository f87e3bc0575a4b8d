"""CUDA through pycuda: the device's primary context, memory, streams, events and kernels. Nothing else imports it."""
import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Sequence, Tuple

from wholebody.engines.device import Buffer, Device, Launch
from wholebody.errors import ModelError
from wholebody.packages import require
from wholebody.runtime.cuda_graphs import open_graph_driver

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]

NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: work of other libraries on the default stream is not waited for


class CudaDevice(Device):
    """The first GPU, by its primary context, which TensorRT and other libraries share."""

    def __init__(self, ordinal: int = 0) -> None:
        # JetPack 4 has no pip package of wholebody, and so no extra.
        self._driver = require("pycuda.driver", "tensorrt" if sys.version_info >= (3, 8) else None)
        try:
            self._driver.init()
            self._device = self._driver.Device(ordinal)
            self._context: Any = self._device.retain_primary_context()
        except self._driver.Error as error:
            raise ModelError("no GPU can be used: %s; an ONNX file runs on the CPU" % _one_line(error))
        self._graphs = open_graph_driver()
        self._allocations: Dict[int, Any] = {}
        self._streams: Dict[int, Any] = {}
        self._events: List[Any] = []
        self._modules: List[Any] = []
        self._kernels: Dict[Tuple[int, str], Any] = {}
        self._mapped: Dict[int, Any] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Pushes the context on this thread, and pops it again: none is left behind."""
        self._context.push()
        try:
            yield
        finally:
            self._driver.Context.pop()

    @property
    def compute_capability(self) -> Tuple[int, int]:
        """Of the GPU."""
        major, minor = self._device.compute_capability()
        return int(major), int(minor)

    @property
    def shares_memory(self) -> bool:
        """True where the GPU has no memory of its own."""
        return bool(self._device.get_attribute(self._driver.device_attribute.INTEGRATED))

    @property
    def has_graphs(self) -> bool:
        """By the driver's version."""
        return self._graphs.available

    def memory(self) -> Tuple[int, int]:
        """As the driver tells."""
        free, total = self._driver.mem_get_info()
        return int(free), int(total)

    def alloc(self, nbytes: int) -> Buffer:
        """New memory."""
        try:
            allocation = self._driver.mem_alloc(nbytes)
        except self._driver.Error as error:
            raise ModelError("no %.0f MB of GPU memory left: %s; try a smaller size or batch"
                             % (nbytes / 1e6, _one_line(error)))
        self._allocations[int(allocation)] = allocation
        return Buffer(int(allocation), nbytes)

    def free(self, buffer: Buffer) -> None:
        """Give it back."""
        if self._mapped.pop(buffer.address, None) is None:  # mapped memory goes with the last array that shows it
            self._allocations.pop(buffer.address).free()

    def host_array(self, shape: Sequence[int], dtype: str) -> "Array":
        """Page-locked memory."""
        array: "Array" = self._driver.pagelocked_empty(tuple(shape), dtype)
        return array

    def mapped_array(self, shape: Sequence[int], dtype: str) -> "Tuple[Array, Buffer]":
        """Page-locked memory that the GPU sees, until `free`."""
        array: Any = self._driver.pagelocked_empty(tuple(shape), dtype,
                                                   mem_flags=self._driver.host_alloc_flags.DEVICEMAP)
        buffer = Buffer(int(array.base.get_device_pointer()), int(array.nbytes))
        self._mapped[buffer.address] = array
        return array, buffer

    def new_stream(self) -> int:
        """Handle of a new stream."""
        stream = self._driver.Stream(NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def upload(self, buffer: Buffer, array: "Array", stream: int) -> None:
        """Copy in; from pageable memory the driver copies before it returns."""
        self._driver.memcpy_htod_async(buffer.address, array, self._streams[stream])

    def download(self, array: "Array", buffer: Buffer, stream: int) -> None:
        """Copy out."""
        self._driver.memcpy_dtoh_async(array, buffer.address, self._streams[stream])

    def fill(self, buffer: Buffer, value: int, nbytes: int, stream: int) -> None:
        """Set bytes."""
        self._driver.memset_d8_async(buffer.address, value, nbytes, self._streams[stream])

    def copy(self, target: Buffer, source: Buffer, nbytes: int, stream: int) -> None:
        """Copy within the GPU."""
        self._driver.memcpy_dtod_async(target.address, source.address, nbytes, self._streams[stream])

    def load(self, image: bytes) -> int:
        """Handle of a module."""
        try:
            module = self._driver.module_from_buffer(image)
        except self._driver.Error as error:
            raise ModelError("the GPU (sm_%d%d) does not take these compiled kernels: %s"
                             % (self.compute_capability + (_one_line(error),)))
        with self._lock:
            self._modules.append(module)
            return len(self._modules) - 1

    def launch(self, module: int, launch: Launch, stream: int) -> None:
        """Put one kernel on a stream."""
        self._kernel(module, launch).prepared_async_call(
            launch.grid, launch.block, self._streams[stream], launch.arguments, shared_size=launch.shared_bytes)

    def new_event(self) -> int:
        """Handle of a new event; a thread that waits for it sleeps."""
        event = self._driver.Event(self._driver.event_flags.BLOCKING_SYNC)
        with self._lock:
            self._events.append(event)
            return len(self._events) - 1

    def record(self, event: int, stream: int) -> None:
        """Mark this place of a stream."""
        self._events[event].record(self._streams[stream])

    def wait(self, stream: int, event: int) -> None:
        """Make a stream wait."""
        self._streams[stream].wait_for_event(self._events[event])

    def wait_host(self, event: int) -> None:
        """Wait for an event."""
        self._checked(self._events[event].synchronize)

    def elapsed_ms(self, start: int, end: int) -> float:
        """By the GPU's own clock."""
        return float(self._events[start].time_till(self._events[end]))

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Handle of a graph."""
        return self._graphs.capture(stream, work)

    def launch_graph(self, graph: int, stream: int) -> None:
        """Put a graph on a stream."""
        self._graphs.launch(graph, stream)

    def drop_graph(self, graph: int) -> None:
        """Destroy a graph."""
        self._graphs.drop(graph)

    def synchronize(self, stream: int) -> None:
        """Wait for a stream; what went wrong on the GPU since the last time shows here."""
        self._checked(self._streams[stream].synchronize)

    def close(self) -> None:
        """Free everything; closing twice is allowed."""
        if self._context is None:
            return
        with self.active():
            self._graphs.close()
            for allocation in self._allocations.values():
                allocation.free()
            self._allocations.clear()
            for held in (self._kernels, self._modules, self._events, self._mapped, self._streams):
                held.clear()
        self._context.detach()
        self._context = None

    def _kernel(self, module: int, launch: Launch) -> Any:
        """The function, told once how long its arguments are."""
        key = (module, launch.kernel)
        if key not in self._kernels:
            try:
                function = self._modules[module].get_function(launch.kernel)
            except self._driver.Error as error:
                raise ModelError("these compiled kernels have no %s: %s" % (launch.kernel, _one_line(error)))
            self._kernels[key] = function.prepare(["%ds" % len(launch.arguments)])
        return self._kernels[key]

    def _checked(self, wait: Callable[[], Any]) -> None:
        try:
            wait()
        except self._driver.Error as error:
            raise ModelError("the GPU failed: %s; close and open the engine again" % _one_line(error))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
