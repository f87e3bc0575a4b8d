"""CUDA through pycuda: the device's primary context, streams and memory. Nothing else imports pycuda."""
import contextlib
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Sequence

from wholebody.engines.device import Buffer, DeviceMemory
from wholebody.errors import ModelError
from wholebody.packages import require

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]


class CudaMemory(DeviceMemory):
    """The first GPU, by its primary context, which TensorRT and other libraries share."""

    def __init__(self, ordinal: int = 0) -> None:
        # JetPack 4 has no pip package of wholebody, and so no extra.
        self._driver = require("pycuda.driver", "tensorrt" if sys.version_info >= (3, 8) else None)
        try:
            self._driver.init()
            self._context: Any = self._driver.Device(ordinal).retain_primary_context()
        except self._driver.Error as error:
            raise ModelError("no GPU can be used: %s; an ONNX file runs on the CPU" % " ".join(str(error).split()))
        self._allocations: Dict[int, Any] = {}
        self._streams: Dict[int, Any] = {}
        self._hosts: List[Any] = []

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Pushes the context on this thread, and pops it again: none is left behind."""
        self._context.push()
        try:
            yield
        finally:
            self._driver.Context.pop()

    def alloc(self, nbytes: int) -> Buffer:
        """New memory."""
        try:
            allocation = self._driver.mem_alloc(nbytes)
        except self._driver.Error as error:
            raise ModelError("no %.0f MB of GPU memory left: %s; try a smaller size or batch" % (nbytes / 1e6, error))
        self._allocations[int(allocation)] = allocation
        return Buffer(int(allocation), nbytes)

    def free(self, buffer: Buffer) -> None:
        """Give it back."""
        self._allocations.pop(buffer.address).free()

    def host_array(self, shape: Sequence[int], dtype: str) -> "Array":
        """Page-locked memory."""
        array: "Array" = self._driver.pagelocked_empty(tuple(shape), dtype)
        return array

    def new_stream(self) -> int:
        """Handle of a new stream."""
        stream = self._driver.Stream()
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def upload(self, buffer: Buffer, array: "Array", stream: int) -> None:
        """Copy in; from pageable memory the driver copies before it returns."""
        self._driver.memcpy_htod_async(buffer.address, array, self._streams[stream])

    def download(self, array: "Array", buffer: Buffer, stream: int) -> None:
        """Copy out."""
        self._driver.memcpy_dtoh_async(array, buffer.address, self._streams[stream])

    def synchronize(self, stream: int) -> None:
        """Wait for a stream; what went wrong on the GPU since the last time shows here."""
        try:
            self._streams[stream].synchronize()
        except self._driver.Error as error:
            raise ModelError("the GPU failed: %s; close and open the engine again" % " ".join(str(error).split()))

    def close(self) -> None:
        """Free everything; closing twice is allowed."""
        if self._context is None:
            return
        with self.active():
            for allocation in self._allocations.values():
                allocation.free()
            self._allocations.clear()
            self._streams.clear()
        self._context.detach()
        self._context = None
