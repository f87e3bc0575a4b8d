"""What every way of decoding PAFs offers."""
import abc
from typing import TYPE_CHECKING, List

from wholebody.poses import Poses

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Backend(abc.ABC):
    """Made once per skeleton, stride and options, then called with maps that `inputs.py` has checked."""

    @abc.abstractmethod
    def decode(self, heatmaps: "npt.NDArray[np.float32]", pafs: "npt.NDArray[np.float32]") -> Poses:
        """Poses in pixels of the network input."""

    @abc.abstractmethod
    def candidates(self, heatmaps: "npt.NDArray[np.float32]") -> "List[npt.NDArray[np.float32]]":
        """Peaks (n, 3) x, y, score of every keypoint."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Give back what the backend holds; it is not used afterwards."""


class HostBackend(Backend):
    """A backend on the CPU, which also goes on from where the CUDA kernels stop."""

    @abc.abstractmethod
    def assemble(self, block: "npt.NDArray[np.int32]") -> Poses:
        """Poses from peaks and connections as runtime/native/paf.h lays them out."""
