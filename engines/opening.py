"""Which class opens a model file: decided here and nowhere else."""
import difflib
import pathlib
from typing import Callable, Dict

from wholebody.engines.engine import Engine
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.errors import ModelError

BACKENDS: Dict[str, Callable[..., Engine]] = {".onnx": OnnxRuntimeEngine}


def open_engine(path: str, threads: int = 0) -> Engine:
    """The engine for a model file, chosen by its ending."""
    file = pathlib.Path(path)
    try:
        if not file.exists():
            raise ModelError("no model at %s%s" % (path, _did_you_mean(file)))
    except OSError as error:
        raise ModelError("cannot open model %s: %s" % (path, error.strerror or error))
    if file.is_dir() or file.suffix.lower() not in BACKENDS:
        raise ModelError("%s: this version opens %s files; got %s"
                         % (path, ", ".join(BACKENDS), "a folder" if file.is_dir() else file.suffix or "no ending"))
    return BACKENDS[file.suffix.lower()](str(path), threads=threads)


def _did_you_mean(file: pathlib.Path) -> str:
    if not file.parent.is_dir():
        return ": there is no folder %s" % file.parent
    models = sorted(p.name for p in file.parent.iterdir() if p.suffix.lower() in BACKENDS)
    close = difflib.get_close_matches(file.name, models, 1) or models[:3]
    return "; did you mean %s?" % ", ".join(str(file.parent / name) for name in close) if close else ""
