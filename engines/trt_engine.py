"""What both ways of running a TensorRT engine share: opening, buffers, copies."""
import abc
import copy
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from wholebody.engines.device import Buffer, Device, DeviceMemory
from wholebody.engines.engine import Engine, TensorInfo
from wholebody.engines.layer_times import LayersTimed
from wholebody.engines.manifest import Manifest
from wholebody.engines.trt_layer_times import time_layers
from wholebody.engines.trt_logger import LogBook, make_logger
from wholebody.engines.trt_module import TensorRT, init_plugins
from wholebody.engines.trt_refit import refit
from wholebody.errors import ModelError

if TYPE_CHECKING:
    import numpy.typing as npt

Shape = Tuple[int, ...]


class Parts(NamedTuple):
    """An engine that is deserialised, and what it came with."""

    path: str
    manifest: Manifest
    trt: TensorRT
    engine: Any
    book: LogBook
    keep_alive: Tuple[Any, ...]  # runtime and logger: the engine refers to them


class TrtEngine(Engine):
    """A TensorRT engine with one execution context and one stream: one object serves one thread at a time."""

    def __init__(self, parts: Parts, device: DeviceMemory) -> None:
        """Takes over the device's memory and closes it."""
        self.path, self.manifest, self.card = parts.path, parts.manifest, parts.manifest.card
        self.inputs, self.outputs = self.tensors(parts.engine, parts.trt)
        self.trt, self._book, self._keep_alive = parts.trt, parts.book, parts.keep_alive
        self._engine: Any = parts.engine
        self._device = device
        self._make_context()

    def _make_context(self) -> None:
        """A new one, with nothing in it, and its stream."""
        self._buffers: Dict[str, Buffer] = {}
        self._shapes: Dict[str, Shape] = {}
        self._hosts: "Dict[str, npt.NDArray[Any]]" = {}
        self._fitted = False
        with self._device.active():
            self._context: Any = self._engine.create_execution_context()
            if self._context is None:
                raise ModelError("%s: TensorRT cannot make an execution context: %s"
                                 % (self.path, self._book.last_errors()))
            self._stream = self._device.new_stream()

    @staticmethod
    @abc.abstractmethod
    def tensors(engine: Any, trt: TensorRT) -> Tuple[Tuple[TensorInfo, ...], Tuple[TensorInfo, ...]]:
        """The inputs and outputs of a deserialised engine."""

    @abc.abstractmethod
    def _set_shape(self, name: str, shape: Shape) -> bool:
        """Tell the context the shape of an input; False when it does not take it."""

    @abc.abstractmethod
    def _shape_of(self, name: str) -> Shape:
        """The shape of an output, once all inputs have one."""

    @abc.abstractmethod
    def _enqueue(self, addresses: Dict[str, int], stream: int) -> bool:
        """Put one run on a stream."""

    def infer(self, feeds: "Dict[str, npt.NDArray[Any]]") -> "Dict[str, npt.NDArray[Any]]":
        """Copy in, run once, copy out. The arrays returned are valid until the next call."""
        if self._context is None:
            raise ModelError("%s is closed; open it again" % self.path)
        self._check(feeds)
        # Held until the stream is done: a copy that is made here must outlive its upload.
        arrays = {name: np.ascontiguousarray(array) for name, array in feeds.items()}
        with self._device.active():
            self.set_shapes({name: array.shape for name, array in arrays.items()})
            self._fit_buffers()
            for name, array in arrays.items():
                self._device.upload(self._buffers[name], array, self._stream)
            self._run({name: buffer.address for name, buffer in self._buffers.items()}, self._stream)
            for info in self.outputs:
                self._device.download(self._hosts[info.name], self._buffers[info.name], self._stream)
            self._device.synchronize(self._stream)
        return {info.name: self._hosts[info.name] for info in self.outputs}

    @property
    def device(self) -> DeviceMemory:
        """The GPU it runs on."""
        return self._device

    @property
    def max_batch(self) -> Optional[int]:
        """The most pictures that one run takes, as the engine was built."""
        return self.manifest.inputs[0].max[0]

    @property
    def least_sides(self) -> Tuple[int, int]:
        """As the engine was built."""
        least = self.manifest.inputs[0].min
        if len(least) != 4:
            return 1, 1
        nhwc = self.card is not None and self.card.input.layout == "NHWC"
        return (least[2], least[1]) if nhwc else (least[3], least[2])

    def enqueue(self, addresses: Dict[str, int], stream: int) -> None:
        """Run over device buffers of the caller, on the caller's stream; `set_shapes` first, within `active()`."""
        if self._context is None:
            raise ModelError("%s is closed; open it again" % self.path)
        self._run(addresses, stream)

    def set_shapes(self, shapes: Dict[str, Shape]) -> Dict[str, Shape]:
        """Fixes the input shapes of the runs that follow; the output shapes. Free of cost when nothing changed."""
        if shapes != {info.name: self._shapes.get(info.name) for info in self.inputs}:
            self._device.synchronize(self._stream)  # buffers in use must not be replaced
            for name, shape in shapes.items():
                if not self._set_shape(name, tuple(shape)):
                    self._shapes = {}
                    raise ModelError("%s cannot run on %s %s: %s" % (self.path, name, list(shape),
                                                                     self._book.last_errors()))
            self._shapes = {name: tuple(shape) for name, shape in shapes.items()}
            for info in self.outputs:
                self._shapes[info.name] = self._shape_of(info.name)
            self._fitted = False
        return {info.name: self._shapes[info.name] for info in self.outputs}

    @property
    def handle(self) -> Any:
        """TensorRT's own engine object, to be inspected while this is open."""
        return self._engine

    def time_layers(self, feeds: "Dict[str, npt.NDArray[Any]]", seconds: float) -> LayersTimed:
        """In a second context of the same engine, as a profiler stays with its context."""
        if self._context is None:
            raise ModelError("%s is closed; open it again" % self.path)
        second = copy.copy(self)
        second._make_context()
        try:
            return time_layers(second, lambda profiler: setattr(second._context, "profiler", profiler),
                               lambda: second.infer(feeds), second._stopwatch(feeds), seconds)
        finally:
            second._free_buffers()

    def _stopwatch(self, feeds: "Dict[str, npt.NDArray[Any]]") -> Callable[[], Optional[float]]:
        """Runs it once over `feeds`; the milliseconds between events around the run, None on a GPU without events."""
        self.infer(feeds)
        device = self._device
        if not isinstance(device, Device):
            return lambda: None
        with device.active():
            begun, done = device.new_event(), device.new_event()

        def bare() -> float:
            with device.active():
                device.record(begun, self._stream)
                self._run({name: buffer.address for name, buffer in self._buffers.items()}, self._stream)
                device.record(done, self._stream)
                device.wait_host(done)
                return device.elapsed_ms(begun, done)
        return bare

    def _free_buffers(self) -> None:
        with self._device.active():
            self._device.synchronize(self._stream)
            self._context = None
            for buffer in self._buffers.values():
                self._device.free(buffer)
            self._buffers, self._hosts = {}, {}

    def close(self) -> None:
        """Free the context, the engine and the device memory; closing twice is allowed."""
        if self._context is None:
            return
        self._free_buffers()
        self._engine = None
        self._device.close()
        self._keep_alive = ()

    def _run(self, addresses: Dict[str, int], stream: int) -> None:
        if not self._enqueue(addresses, stream):
            raise ModelError("%s: TensorRT cannot run it: %s" % (self.path, self._book.last_errors()))

    def _fit_buffers(self) -> None:
        """Buffers only grow; host arrays fit exactly. Who brings buffers of his own never needs these."""
        if self._fitted:
            return
        for info in self.inputs + self.outputs:
            shape = self._shapes[info.name]
            nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(info.dtype).itemsize
            held = self._buffers.get(info.name)
            if held is None or held.nbytes < nbytes:
                if held is not None:
                    self._device.free(self._buffers.pop(info.name))
                self._buffers[info.name] = self._device.alloc(max(nbytes, 1))
        self._hosts = {info.name: self._device.host_array(self._shapes[info.name], info.dtype)
                       for info in self.outputs}
        self._fitted = True

    def _check(self, feeds: "Dict[str, npt.NDArray[Any]]") -> None:
        """Names, types and limits, before anything is copied."""
        known = {shape.name: shape for shape in self.manifest.inputs}
        wrong = set(feeds) ^ set(known)
        for name, array in feeds.items():
            if name in known and array.shape != self._shapes.get(name):
                low, high = known[name].min, known[name].max
                wrong |= set() if len(array.shape) == len(low) and all(
                    a <= b <= c for a, b, c in zip(low, array.shape, high)) else {name}
            wrong |= {name} if name in known and array.dtype.name != known[name].dtype else set()
        if wrong:
            raise ModelError("%s cannot run on %s: it takes %s" % (
                self.path, ", ".join("%s %s %s" % (n, a.dtype, list(a.shape)) for n, a in feeds.items()) or "nothing",
                "; ".join("%s %s" % (shape.dtype, shape) for shape in self.manifest.inputs)))


def deserialize(path: str, plan: bytes, manifest: Manifest, trt: TensorRT, onnx: Optional[bytes]) -> Parts:
    """Hands checked bytes to TensorRT; `onnx` has the weights of a stripped engine."""
    book = LogBook()
    logger = make_logger(trt.module, book)
    init_plugins(trt, logger)
    runtime = trt.module.Runtime(logger)
    if manifest.spec.version_compatible and trt.features.host_code_allowed:
        runtime.engine_host_code_allowed = True  # its hash was checked against the manifest
    if manifest.spec.dla_core is not None:
        runtime.DLA_core = manifest.spec.dla_core
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise ModelError("%s: %s cannot open it: %s" % (path, trt, book.last_errors()))
    keep: List[Any] = [runtime, logger]
    if manifest.spec.strip:
        assert onnx is not None
        keep.append(refit(trt, engine, logger, book, onnx, path))
    return Parts(path, manifest, trt, engine, book, tuple(keep))
