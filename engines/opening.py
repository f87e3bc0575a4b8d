"""Which class opens a model file: decided here and nowhere else."""
import difflib
import logging
import pathlib
from typing import Callable, Dict, NamedTuple, Optional

from wholebody.engines.device import DeviceMemory
from wholebody.engines.engine import Engine
from wholebody.engines.engine_pair import manifest_path
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.engines.rebuilding import rebuild_engine
from wholebody.engines.trt_opening import open_trt_engine
from wholebody.errors import EngineMismatch, ModelError

_log = logging.getLogger(__name__)


class OpenOptions(NamedTuple):
    """How to open; each backend takes what concerns it."""

    threads: int = 0                                      # of ONNX Runtime; 0 takes every core
    device: Optional[Callable[[], DeviceMemory]] = None   # memory of the GPU that a TensorRT engine runs on
    trust: str = ""                                       # a file of sha256: no other TensorRT engine is opened
    rebuild: bool = False                                 # an engine that does not fit, if its network lies beside it


def _open_onnx(path: str, options: OpenOptions) -> Engine:
    return OnnxRuntimeEngine(path, threads=options.threads)


def _open_trt(path: str, options: OpenOptions) -> Engine:
    try:
        return open_trt_engine(path, options.device, options.trust)
    except EngineMismatch as error:
        if not options.rebuild:
            raise
        _log.warning("%s", error)
    rebuild_engine(path)
    return open_trt_engine(path, options.device)  # built here, a moment ago


BACKENDS: Dict[str, Callable[[str, OpenOptions], Engine]] = {".onnx": _open_onnx, ".engine": _open_trt}


def open_engine(path: str, options: OpenOptions = OpenOptions()) -> Engine:
    """The engine for a model file, chosen by its ending."""
    file = pathlib.Path(path)
    try:
        if not file.exists() and not manifest_path(file).exists():
            raise ModelError("no model at %s%s" % (path, _did_you_mean(file)))
    except OSError as error:
        raise ModelError("cannot open model %s: %s" % (path, error.strerror or error))
    if file.is_dir() or file.suffix.lower() not in BACKENDS:
        raise ModelError("%s: this version opens %s files; got %s"
                         % (path, " and ".join(BACKENDS), "a folder" if file.is_dir() else file.suffix or "no ending"))
    return BACKENDS[file.suffix.lower()](str(path), options)


def _did_you_mean(file: pathlib.Path) -> str:
    if not file.parent.is_dir():
        return ": there is no folder %s" % file.parent
    models = sorted(p.name for p in file.parent.iterdir() if p.suffix.lower() in BACKENDS)
    close = difflib.get_close_matches(file.name, models, 1) or models[:3]
    return "; did you mean %s?" % ", ".join(str(file.parent / name) for name in close) if close else ""
