"""A TensorRT engine as the lanes of one estimator share it: one stream, one input and one set of outputs."""
import logging
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

from wholebody.engines.device import Buffer, Device, Launch
from wholebody.engines.trt_engine import TrtEngine
from wholebody.errors import ModelError
from wholebody.runtime.kernels.compiling import load_kernels
from wholebody.runtime.kernels.preprocess import bytes_of

if TYPE_CHECKING:
    import numpy.typing as npt

_log = logging.getLogger(__name__)
Shape = Tuple[int, ...]


class CudaNetwork:
    """Runs go on one stream, one after the other, so lanes can share its buffers: whoever reads them is on it too.

    One thread calls everything but `close`, within `device.active()`.
    """

    def __init__(self, engine: TrtEngine, device: Device, input_name: str) -> None:
        self.device, self.input_name = device, input_name
        self.changes = 0          # of shapes and addresses: a graph captured before a change is of no use after it
        self.shape: Shape = ()    # of the input
        self.outputs: "Dict[str, Tuple[Shape, str]]" = {}
        self._engine = engine
        self._buffers: Dict[str, Buffer] = {}
        self._input_bytes = 0
        self._graphs = device.has_graphs
        with device.active():
            self.module = load_kernels(device)
            self.stream = device.new_stream()

    def fit(self, shape: Shape) -> None:
        """Inputs have this shape from now on."""
        if shape == self.shape:
            return
        self.device.synchronize(self.stream)  # the buffers are in use until then
        shapes = self._engine.set_shapes({self.input_name: shape})
        self.shape, self.changes = shape, self.changes + 1
        types = {info.name: info.dtype for info in self._engine.inputs + self._engine.outputs}
        self.outputs = {name: (dims, types[name]) for name, dims in shapes.items()}
        for name, (dims, dtype) in self.outputs.items():
            self._make_room(name, bytes_of(dims, dtype))
        self._input_bytes = bytes_of(shape, types[self.input_name])
        self._make_room(self.input_name, self._input_bytes)

    def buffer(self, name: str) -> Buffer:
        """Where an input or output lies."""
        return self._buffers[name]

    def input_of(self, place: int) -> Buffer:
        """Where the input of one picture of a batch lies."""
        whole = self._buffers[self.input_name]
        nbytes = self._input_bytes // self.shape[0]
        return Buffer(whole.address + place * nbytes, nbytes)

    def launch(self, launch: Launch) -> None:
        """One of our own kernels, in the stream's order."""
        self.device.launch(self.module, launch, self.stream)

    def run(self) -> None:
        """The network, from its input to its outputs."""
        self._engine.enqueue({name: buffer.address for name, buffer in self._buffers.items()}, self.stream)

    def captured(self, work: Callable[[], None]) -> Optional[int]:
        """A graph of `work`, which has run on the stream before; None where it cannot be one."""
        if not self._graphs:
            return None
        try:
            return self.device.capture(self.stream, work)
        except ModelError as error:  # some layers of old TensorRT synchronise
            self._graphs = False
            _log.info("runs without a CUDA graph: %s", error)
            return None

    def download(self, name: str, array: "npt.NDArray[Any]") -> None:
        """An output to the host, as soon as the stream gets there."""
        self.device.download(array, self._buffers[name], self.stream)

    def close(self) -> None:
        """Free the buffers; the engine is not this object's. Closing twice is allowed."""
        with self.device.active():
            self.device.synchronize(self.stream)
            for buffer in self._buffers.values():
                self.device.free(buffer)
        self._buffers = {}

    def _make_room(self, name: str, nbytes: int) -> None:
        held = self._buffers.get(name)
        if held is None or held.nbytes < nbytes:
            if held is not None:
                self.device.free(self._buffers.pop(name))
            self._buffers[name] = self.device.alloc(max(nbytes, 1))
