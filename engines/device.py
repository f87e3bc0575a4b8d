"""Memory, streams, events and kernels of a GPU; runtime/cuda.py has the real ones."""
import abc
from typing import TYPE_CHECKING, Any, Callable, ContextManager, NamedTuple, Sequence, Tuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]


class Buffer(NamedTuple):
    """A piece of device memory."""

    address: int
    nbytes: int


class Launch(NamedTuple):
    """One kernel and what it is started with: a single struct, passed by value."""

    kernel: str
    grid: Tuple[int, int, int]
    block: Tuple[int, int, int]
    arguments: bytes
    shared_bytes: int = 0


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


class Device(DeviceMemory):
    """A GPU that runs our own kernels beside a network."""

    @property
    @abc.abstractmethod
    def compute_capability(self) -> Tuple[int, int]:
        """Such as (8, 7): what kernels are compiled for."""

    @property
    @abc.abstractmethod
    def shares_memory(self) -> bool:
        """True on a Tegra, where `mapped_array` spares the copies."""

    @property
    @abc.abstractmethod
    def has_graphs(self) -> bool:
        """Whether the driver captures streams into graphs (CUDA 10.0 and later)."""

    @abc.abstractmethod
    def memory(self) -> Tuple[int, int]:
        """Bytes that are free, and all there are; on a Tegra of the memory that the CPU has too."""

    @abc.abstractmethod
    def mapped_array(self, shape: Sequence[int], dtype: str) -> "Tuple[Array, Buffer]":
        """Host memory that the GPU reads and writes itself, and where it finds it."""

    @abc.abstractmethod
    def fill(self, buffer: Buffer, value: int, nbytes: int, stream: int) -> None:
        """Set the first bytes of a buffer, all to one value."""

    @abc.abstractmethod
    def copy(self, target: Buffer, source: Buffer, nbytes: int, stream: int) -> None:
        """From one buffer to another."""

    @abc.abstractmethod
    def load(self, image: bytes) -> int:
        """Handle of a module: compiled kernels (a cubin)."""

    @abc.abstractmethod
    def launch(self, module: int, launch: Launch, stream: int) -> None:
        """Put one kernel on a stream."""

    @abc.abstractmethod
    def new_event(self) -> int:
        """Handle of a new event; nobody waits for one that was never recorded."""

    @abc.abstractmethod
    def record(self, event: int, stream: int) -> None:
        """The event happens when all that is on the stream by now is done."""

    @abc.abstractmethod
    def wait(self, stream: int, event: int) -> None:
        """What is put on the stream from now on comes after the event as it was last recorded."""

    @abc.abstractmethod
    def wait_host(self, event: int) -> None:
        """Return when the event has happened; what went wrong on the GPU shows here."""

    @abc.abstractmethod
    def elapsed_ms(self, start: int, end: int) -> float:
        """Between two events that have happened."""

    @abc.abstractmethod
    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Handle of a graph: all that `work` puts on the stream, which does not run now."""

    @abc.abstractmethod
    def launch_graph(self, graph: int, stream: int) -> None:
        """Put a whole graph on a stream; the buffers are those of its capture."""

    @abc.abstractmethod
    def drop_graph(self, graph: int) -> None:
        """A graph that is not launched any more."""
