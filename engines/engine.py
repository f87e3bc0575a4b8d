"""Engine: a network that is open and can be run, whatever runs it."""
import abc
from typing import TYPE_CHECKING, Dict, NamedTuple, Optional, Tuple, Type, Union

from wholebody.card import ModelCard

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

Dim = Union[int, str, None]  # a size, the name of a dynamic size, or unknown


class TensorInfo(NamedTuple):
    """Name, shape and NumPy type of an input or output."""

    name: str
    shape: Tuple[Dim, ...]
    dtype: str

    def __str__(self) -> str:
        return "%s [%s] %s" % (self.name, ", ".join("?" if d is None else str(d) for d in self.shape), self.dtype)


class Engine(abc.ABC):
    """Named tensors in, named tensors out. A context manager: closing frees the network."""

    path: str
    card: Optional[ModelCard]
    inputs: Tuple[TensorInfo, ...]
    outputs: Tuple[TensorInfo, ...]

    @abc.abstractmethod
    def infer(self, feeds: "Dict[str, npt.NDArray[np.float32]]") -> "Dict[str, npt.NDArray[np.float32]]":
        """Run once. The arrays returned are valid until the next call."""

    @abc.abstractmethod
    def close(self) -> None:
        """Free the network; closing twice is allowed."""

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: "Optional[TracebackType]") -> None:
        self.close()
