"""TensorRT 8.2 to 8.4: an engine's tensors are bindings, numbered."""
from typing import Any, Dict, List, Tuple

from wholebody.engines.engine import TensorInfo
from wholebody.engines.trt_engine import Shape, TrtEngine
from wholebody.engines.trt_module import TensorRT
from wholebody.engines.trt_types import dtype_name


class TrtBindingsEngine(TrtEngine):
    """Runs by execute_async_v2 over a list of addresses."""

    @staticmethod
    def tensors(engine: Any, trt: TensorRT) -> Tuple[Tuple[TensorInfo, ...], Tuple[TensorInfo, ...]]:
        """The inputs and outputs of a deserialised engine."""
        del trt  # nothing of the module itself is needed
        inputs: List[TensorInfo] = []
        outputs: List[TensorInfo] = []
        for index in range(engine.num_bindings):
            info = TensorInfo(engine.get_binding_name(index), dims(engine.get_binding_shape(index)),
                              dtype_name(engine.get_binding_dtype(index)))
            (inputs if engine.binding_is_input(index) else outputs).append(info)
        return tuple(inputs), tuple(outputs)

    def _set_shape(self, name: str, shape: Shape) -> bool:
        return bool(self._context.set_binding_shape(self._index(name), shape))

    def _shape_of(self, name: str) -> Shape:
        return tuple(int(dim) for dim in self._context.get_binding_shape(self._index(name)))

    def _enqueue(self, addresses: Dict[str, int], stream: int) -> bool:
        return bool(self._context.execute_async_v2([addresses[name] for name in self._names()], stream))

    def _names(self) -> List[str]:
        if not hasattr(self, "_ordered"):
            self._ordered = [str(self._engine.get_binding_name(i)) for i in range(self._engine.num_bindings)]
        return self._ordered

    def _index(self, name: str) -> int:
        return self._names().index(name)


def dims(shape: Any) -> Tuple[Any, ...]:
    """-1 is a size that varies."""
    return tuple(None if dim < 0 else int(dim) for dim in shape)
