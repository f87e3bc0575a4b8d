"""How frames get into a network's input on a GPU."""
import abc
from typing import TYPE_CHECKING, Any, Callable, List, Sequence, Tuple

from wholebody.engines.device import Device
from wholebody.runtime.cuda_network import CudaNetwork
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.preprocess import Preprocessor, input_shape

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class CudaInput(abc.ABC):
    """One batch of pictures of one lane. Made and called within `device.active()`."""

    shape: Tuple[int, ...]  # of the network's input

    @abc.abstractmethod
    def fill(self, images: "Sequence[npt.NDArray[np.uint8]]") -> None:
        """Take new pictures; those before are done with."""

    def wait_on(self, stream: int) -> None:  # noqa: B027 - what is in place at once needs no event
        """What is put on the stream from now on finds the pictures in place."""

    @abc.abstractmethod
    def write(self, network: CudaNetwork) -> None:
        """Put on the network's stream what makes its input of the pictures."""

    def close(self) -> None:  # noqa: B027 - host memory goes with the object
        """Free what the pictures take."""


class HostInput(CudaInput):
    """Made on the CPU, for inputs that the kernel does not make (uint8, NHWC, OpenPose's own way to resize)."""

    def __init__(self, device: Device, new_preprocessor: Callable[[], Preprocessor],
                 geometries: Sequence[Geometry]) -> None:
        self._preprocessors: List[Preprocessor] = [new_preprocessor() for _ in geometries]
        spec = self._preprocessors[0].spec
        self.shape = (len(geometries),) + input_shape(spec, geometries[0])
        self._host: Any = device.host_array(self.shape, spec.dtype)
        for place, preprocessor in enumerate(self._preprocessors):
            preprocessor.use(self._host[place:place + 1])

    def fill(self, images: "Sequence[npt.NDArray[np.uint8]]") -> None:
        """Resize and normalise."""
        for preprocessor, image in zip(self._preprocessors, images):
            preprocessor(image)

    def write(self, network: CudaNetwork) -> None:
        """Copy."""
        network.device.upload(network.buffer(network.input_name), self._host, network.stream)
