"""A network run by ONNX Runtime on the CPU: the default without a GPU, and what CI tests."""
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from wholebody.card import METADATA_KEY, ModelCard
from wholebody.engines.engine import Engine, RunMemory, TensorInfo
from wholebody.engines.layer_times import LayersTimed
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.onnxruntime_layer_times import time_nodes
from wholebody.errors import ModelError
from wholebody.packages import require

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64",
           "tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(int32)": "int32", "tensor(int64)": "int64"}
_FATAL_ONLY = 4  # its own log repeats, over several lines, what the exception says


class OnnxRuntimeEngine(Engine):
    """One ONNX file in one session on the CPU."""

    def __init__(self, path: str, threads: int = 0, read_card: bool = True, spinning: bool = False) -> None:
        """`threads` 0 lets ONNX Runtime take every core; without `read_card` a damaged card is no hindrance.

        `spinning` threads burn their core while they wait for work: time that the pipeline's other stages need
        (benchmarks/bench_pipeline.py).
        """
        data = read_bytes(path)
        model = parse_onnx(data, path)
        self.path, self._threads, self._spinning = path, threads, spinning
        self.card: Optional[ModelCard] = (
            card_of(model, path) if read_card and METADATA_KEY in model.metadata else None)
        # A path, not bytes, when weights lie beside the file: they are found relative to it.
        self._session, self.inputs, self.outputs = open_session(path if model.external_files else data, path, threads,
                                                                 spinning)
        self._output_names = [info.name for info in self.outputs]
        # Up to 1.11.0 a bound run holds the GIL (onnxruntime#11246): the other stages' threads would stand still.
        self._binds = _version() >= (1, 12)  # and until it turns out that output shapes depend on the picture

    def infer(self, feeds: "Dict[str, npt.NDArray[np.float32]]") -> "Dict[str, npt.NDArray[np.float32]]":
        """Run once on the CPU."""
        if self._session is None:
            raise ModelError("%s is closed; open it again" % self.path)
        try:
            values = self._session.run(self._output_names, feeds)
        except Exception as error:  # ONNX Runtime's own classes derive from nothing narrower
            shapes = ", ".join("%s %s %s" % (name, array.dtype, list(array.shape)) for name, array in feeds.items())
            raise ModelError("%s cannot run on %s: %s" % (self.path, shapes, _one_line(error)))
        return dict(zip(self._output_names, values))

    def infer_into(self, feeds: "Dict[str, npt.NDArray[np.float32]]",
                   memory: RunMemory) -> "Dict[str, npt.NDArray[np.float32]]":
        """Run once; from the second run over the same feeds on, nothing is allocated for the outputs.

        Binding costs what it saves (0.1 ms for a million values), so it is done once for each memory and its feeds.
        """
        wanted = tuple((name, array.shape, array.__array_interface__["data"][0]) for name, array in feeds.items())
        if self._binds and self._session is not None and memory.bound is not None and memory.bound_to == wanted:
            try:
                self._session.run_with_iobinding(memory.bound)
                return memory.arrays
            except Exception:  # an output of another shape than last time: the arrays must be new ones each time
                self._binds, memory.bound = False, None
        memory.arrays = self.infer(feeds)
        if self._binds and all(array.flags.c_contiguous for array in feeds.values()):
            memory.bound, memory.bound_to = self._bind(feeds, memory.arrays), wanted
        return memory.arrays

    def time_layers(self, feeds: "Dict[str, npt.NDArray[np.float32]]", seconds: float) -> LayersTimed:
        """In a session of its own, as a profile costs time."""
        def open_profiled(prefix: str) -> Any:
            return open_session(self.path, self.path, self._threads, self._spinning, prefix)[0]
        try:
            return time_nodes(open_profiled, feeds, seconds)
        except OSError as error:
            raise ModelError("no room for ONNX Runtime's profile: %s" % error)

    def _bind(self, feeds: "Dict[str, npt.NDArray[np.float32]]",
              outputs: "Dict[str, npt.NDArray[np.float32]]") -> Any:
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.__array_interface__["data"][0])
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.__array_interface__["data"][0])
        return binding

    def close(self) -> None:
        """Free the session."""
        self._session = None


def open_session(model: Any, where: str, threads: int = 0, spinning: bool = False,
                 profile: str = "") -> Tuple[Any, Tuple[TensorInfo, ...], Tuple[TensorInfo, ...]]:
    """A session on the CPU with its inputs and outputs, from a path or bytes; `where` names it in errors.

    `profile`: how the name of a file begins that it writes until `end_profiling`.
    """
    ort = require("onnxruntime")
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = threads
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, profile
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    try:
        # Its fallback would print to stdout and try the same provider again.
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        return session, _infos(session.get_inputs()), _infos(session.get_outputs())
    except Exception as error:
        raise ModelError("ONNX Runtime %s cannot open %s: %s" % (ort.__version__, where, _one_line(error)))


def _version() -> Tuple[int, ...]:
    return tuple(int(part) for part in require("onnxruntime").__version__.split(".")[:2])


def _infos(values: Any) -> Tuple[TensorInfo, ...]:
    return tuple(TensorInfo(v.name, tuple(v.shape), _DTYPES.get(v.type, v.type)) for v in values)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
