"""TensorRT 8.5 and later: an engine's tensors go by their names."""
from typing import Any, Dict, List, Tuple

from wholebody.engines.engine import TensorInfo
from wholebody.engines.trt_bindings_engine import dims
from wholebody.engines.trt_engine import Shape, TrtEngine
from wholebody.engines.trt_module import TensorRT
from wholebody.engines.trt_types import dtype_name


class TrtTensorsEngine(TrtEngine):
    """Runs by set_tensor_address and execute_async_v3."""

    _addresses: Dict[str, int] = {}

    @staticmethod
    def tensors(engine: Any, trt: TensorRT) -> Tuple[Tuple[TensorInfo, ...], Tuple[TensorInfo, ...]]:
        """The inputs and outputs of a deserialised engine."""
        inputs: List[TensorInfo] = []
        outputs: List[TensorInfo] = []
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            info = TensorInfo(name, dims(engine.get_tensor_shape(name)), dtype_name(engine.get_tensor_dtype(name)))
            is_input = engine.get_tensor_mode(name) == trt.module.TensorIOMode.INPUT
            (inputs if is_input else outputs).append(info)
        return tuple(inputs), tuple(outputs)

    def _make_context(self) -> None:
        self._addresses = {}  # a new context knows none
        super()._make_context()

    def _set_shape(self, name: str, shape: Shape) -> bool:
        return bool(self._context.set_input_shape(name, shape))

    def _shape_of(self, name: str) -> Shape:
        return tuple(int(dim) for dim in self._context.get_tensor_shape(name))

    def _enqueue(self, addresses: Dict[str, int], stream: int) -> bool:
        if addresses != self._addresses:
            for name, address in addresses.items():
                if not self._context.set_tensor_address(name, address):
                    return False
            self._addresses = dict(addresses)
        return bool(self._context.execute_async_v3(stream))
