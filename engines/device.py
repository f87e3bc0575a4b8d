"""Memory and streams of a GPU, as engines need them; runtime/cuda.py has the real ones."""
import abc
from typing import TYPE_CHECKING, Any, ContextManager, NamedTuple, Sequence

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]


class Buffer(NamedTuple):
    """A piece of device memory."""

    address: int
    nbytes: int


class DeviceMemory(abc.ABC):
    """One GPU. Copies are asynchronous: host arrays are to be left alone until `synchronize`."""

    @abc.abstractmethod
    def active(self) -> ContextManager[Any]:
        """For as long as the block runs, this GPU is the calling thread's; any thread may call."""

    @abc.abstractmethod
    def alloc(self, nbytes: int) -> Buffer:
        """New memory, aligned to 256 bytes."""

    @abc.abstractmethod
    def free(self, buffer: Buffer) -> None:
        """Give it back."""

    @abc.abstractmethod
    def host_array(self, shape: Sequence[int], dtype: str) -> "Array":
        """An array in host memory that copies run fast from and to."""

    @abc.abstractmethod
    def new_stream(self) -> int:
        """Handle of a new stream."""

    @abc.abstractmethod
    def upload(self, buffer: Buffer, array: "Array", stream: int) -> None:
        """Copy a contiguous host array to the start of a buffer."""

    @abc.abstractmethod
    def download(self, array: "Array", buffer: Buffer, stream: int) -> None:
        """Fill a contiguous host array from the start of a buffer."""

    @abc.abstractmethod
    def synchronize(self, stream: int) -> None:
        """Wait for all that was put on a stream."""

    @abc.abstractmethod
    def close(self) -> None:
        """Free everything; closing twice is allowed."""
