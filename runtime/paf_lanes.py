"""Where the lanes of a PAF network run: decided here, once, when a network is opened."""
import abc
import functools
import logging
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from wholebody.card import InputSpec
from wholebody.engines.device import Device
from wholebody.engines.engine import Engine
from wholebody.engines.trt_engine import TrtEngine
from wholebody.errors import MissingPackage, ModelError
from wholebody.runtime.cuda_network import CudaNetwork
from wholebody.runtime.cuda_paf_lane import CudaPafLane
from wholebody.runtime.geometry import Resolution, Shrink
from wholebody.runtime.heads import PafHead
from wholebody.runtime.kernels.preprocessor import GpuPreprocessor
from wholebody.runtime.lane import Lane
from wholebody.runtime.paf import PafDecoder, PafOptions
from wholebody.runtime.paf.cuda_backend import CudaBackend
from wholebody.runtime.paf.decoder import host_backend
from wholebody.runtime.paf_lane import PafLane
from wholebody.runtime.preprocess import Preprocessor

_log = logging.getLogger(__name__)


class PafWay(NamedTuple):
    """What the lanes of one network have in common."""

    input: InputSpec
    head: PafHead
    resolution: Resolution
    decoder: str        # as the user chose it
    decoding: PafOptions
    keep_maps: bool     # the network's maps are wanted on the host
    least: Tuple[int, int] = (1, 1)  # (width, height) of its input

    def preprocessor(self) -> Preprocessor:
        """A new one."""
        made = Preprocessor(self.input, self.resolution)
        made.shrink = Shrink(least=self.least)
        return made


class Lanes(abc.ABC):
    """Makes lanes; closed after them."""

    @abc.abstractmethod
    def new(self, resolution: Optional[Resolution] = None) -> Lane:
        """A lane for one batch in flight; `resolution`: another than theirs."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Free what the lanes shared."""


class HostLanes(Lanes):
    """Preprocessing and decoding on the CPU, whatever runs the network."""

    def __init__(self, way: PafWay) -> None:
        self._way = way

    def new(self, resolution: Optional[Resolution] = None) -> PafLane:
        """A lane on the CPU."""
        way = self._way._replace(resolution=resolution or self._way.resolution)
        return PafLane(way.preprocessor, PafDecoder(way.head.skeleton, way.head.head.stride, way.decoder, way.decoding))


class CudaLanes(Lanes):
    """Everything but putting people together on the GPU that runs the network."""

    def __init__(self, way: PafWay, engine: TrtEngine, device: Device) -> None:
        self._way, self._device = way, device
        self._network = CudaNetwork(engine, device, way.input.name)

    def new(self, resolution: Optional[Resolution] = None) -> CudaPafLane:
        """A lane on the GPU."""
        preprocessor = functools.partial(self._preprocessor, resolution or self._way.resolution)
        return CudaPafLane(self._network, self._way.head, preprocessor, self._decoder, self._way.keep_maps)

    def close(self) -> None:
        """Free the network's buffers."""
        self._network.close()

    def _decoder(self) -> CudaBackend:
        way = self._way
        skeleton, stride = way.head.skeleton, way.head.head.stride
        return CudaBackend(skeleton, stride, way.decoding, host_backend(skeleton, stride, way.decoding), self._device,
                           self._network.module)

    def _preprocessor(self, resolution: Resolution) -> GpuPreprocessor:
        made = GpuPreprocessor(self._device, self._way.input, resolution, module=self._network.module)
        made.shrink = Shrink(least=self._way.least)
        return made


def _on_host(way: PafWay, engine: Engine) -> Lanes:
    del engine
    return HostLanes(way)


def _on_gpu(way: PafWay, engine: Engine) -> Lanes:
    """On the engine's own GPU; an ONNX file has none, and its maps are copied there."""
    if isinstance(engine, TrtEngine) and isinstance(engine.device, Device):
        return CudaLanes(way, engine, engine.device)
    return HostLanes(way)


def _on_gpu_if_possible(way: PafWay, engine: Engine) -> Lanes:
    """Where the network is; on the CPU where no kernels can be had, said once."""
    try:
        return _on_gpu(way, engine)
    except (ModelError, MissingPackage) as error:
        _log.warning("frames are prepared and decoded on the CPU: %s", error)
        return HostLanes(way)


LANES: Dict[str, Callable[[PafWay, Engine], Lanes]] = {
    "auto": _on_gpu_if_possible, "cuda": _on_gpu, "native": _on_host, "numpy": _on_host}


def open_lanes(way: PafWay, engine: Engine) -> Lanes:
    """The lanes for this network and choice."""
    if way.decoder not in LANES:
        raise ValueError("unknown decoder %r; known: %s" % (way.decoder, ", ".join(LANES)))
    return LANES[way.decoder](way, engine)
