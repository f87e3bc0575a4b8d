"""What a GPU tells beside its times: how much of its memory a model takes, and how fast it copies."""
import contextlib
import pathlib
from typing import Any, Dict, Iterator, List, Optional

from wholebody.engines.device import Device
from wholebody.engines.trt_engine import TrtEngine
from wholebody.errors import MissingPackage, ModelError
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.profile.networks import Model, bodies_of
from wholebody.runtime.profile.rounds import timed

_COPIED = 64 << 20      # bytes; beyond any cache
_COPIES = 8
_MB = 1e6


class GpuMemory:
    """Looks at the memory of the first GPU, first before a model is opened."""

    def __init__(self, device: Optional[Device]) -> None:
        self._device = device
        self._free: List[int] = []
        self._total = 0
        self.look()

    def look(self) -> None:
        """Once more; any thread may call."""
        if self._device is None:
            return
        with self._device.active():
            free, self._total = self._device.memory()
        self._free.append(free)

    def told(self) -> Optional[Dict[str, float]]:
        """MB of the GPU: all, and taken since the first look, now and at most; None without one."""
        if len(self._free) < 2:
            return None
        before = self._free[0]
        return {"total": round(self._total / _MB, 1), "now": round(max(0, before - self._free[-1]) / _MB, 1),
                "peak": round(max(0, before - min(self._free)) / _MB, 1)}


@contextlib.contextmanager
def gpu_memory(model: str) -> Iterator[GpuMemory]:
    """For a model that may run on a GPU: an ONNX file does not, and where there is none nothing is looked at."""
    device: Optional[Device] = None
    if pathlib.Path(model).suffix.lower() != ".onnx":
        with contextlib.suppress(ModelError, MissingPackage):  # opening the model says so
            device = CudaDevice()
    try:
        yield GpuMemory(device)
    finally:
        if device is not None:
            device.close()


def gpu_of(estimate: Model) -> Optional[Device]:
    """The GPU that the network for bodies runs on."""
    engine = bodies_of(estimate).engine
    return engine.device if isinstance(engine, TrtEngine) and isinstance(engine.device, Device) else None


def copy_rate(device: Device) -> float:
    """GB/s of a copy within its memory, read and written: the best of a few."""
    with device.active(), contextlib.ExitStack() as after:
        buffers: List[Any] = []
        for _ in range(2):
            buffers.append(device.alloc(_COPIED))
            after.callback(device.free, buffers[-1])
        stream, begun, done = device.new_stream(), device.new_event(), device.new_event()
        after.callback(device.synchronize, stream)

        def once() -> float:
            device.record(begun, stream)
            device.copy(buffers[1], buffers[0], _COPIED, stream)
            device.record(done, stream)
            device.wait_host(done)
            return device.elapsed_ms(begun, done)
        took = [timed(once) for _ in range(_COPIES)]
        return 2e-6 * _COPIED / max(min(took), 1e-6)
