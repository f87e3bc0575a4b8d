"""Engine: a network that is open and can be run, whatever runs it."""
import abc
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional, Tuple, Type, Union

import numpy as np

from wholebody.card import ModelCard
from wholebody.engines.layer_times import LayersTimed
from wholebody.errors import ModelError

if TYPE_CHECKING:
    from types import TracebackType

    import numpy.typing as npt

Dim = Union[int, str, None]  # a size, the name of a dynamic size, or unknown


class TensorInfo(NamedTuple):
    """Name, shape and NumPy type of an input or output."""

    name: str
    shape: Tuple[Dim, ...]
    dtype: str

    def __str__(self) -> str:
        return "%s [%s] %s" % (self.name, ", ".join("?" if d is None else str(d) for d in self.shape), self.dtype)


class RunMemory:
    """Output arrays of one caller, reused from run to run, and what an engine notes about them."""

    __slots__ = ("arrays", "bound", "bound_to")

    def __init__(self) -> None:
        self.arrays: "Dict[str, npt.NDArray[np.float32]]" = {}
        self.bound: Any = None                  # an engine's own
        self.bound_to: Tuple[Any, ...] = ()     # the inputs that `bound` was made for


class Engine(abc.ABC):
    """Named tensors in, named tensors out. A context manager: closing frees the network."""

    path: str
    card: Optional[ModelCard]
    inputs: Tuple[TensorInfo, ...]
    outputs: Tuple[TensorInfo, ...]

    @abc.abstractmethod
    def infer(self, feeds: "Dict[str, npt.NDArray[np.float32]]") -> "Dict[str, npt.NDArray[np.float32]]":
        """Run once. The arrays returned are valid until the next call."""

    def infer_into(self, feeds: "Dict[str, npt.NDArray[np.float32]]",
                   memory: RunMemory) -> "Dict[str, npt.NDArray[np.float32]]":
        """Run once. The arrays returned are `memory`'s own: valid until the next call with the same memory."""
        for name, array in self.infer(feeds).items():
            held = memory.arrays.get(name)
            if held is None or held.shape != array.shape or held.dtype != array.dtype:
                memory.arrays[name] = np.array(array)
            else:
                np.copyto(held, array)
        return memory.arrays

    def time_layers(self, feeds: "Dict[str, npt.NDArray[np.float32]]",  # noqa: ARG002 - for those that can
                    seconds: float) -> LayersTimed:  # noqa: ARG002
        """Milliseconds of every layer in runs over these feeds; ModelError where nobody tells them."""
        raise ModelError("%s: %s does not tell the times of layers" % (self.path, type(self).__name__))

    @property
    def max_batch(self) -> Optional[int]:
        """The most pictures that one run takes; None is any number."""
        first = self.inputs[0].shape[0] if self.inputs[0].shape else 1
        return first if isinstance(first, int) else None

    @property
    def least_sides(self) -> Tuple[int, int]:
        """The smallest (width, height) of a picture that it takes, where its input may have several."""
        return 1, 1

    @abc.abstractmethod
    def close(self) -> None:
        """Free the network; closing twice is allowed."""

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: "Optional[TracebackType]") -> None:
        self.close()
