"""One input through two of polygraphy's runners, and how far each output of the second is from the first's."""
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from wholebody.engines.onnxfile import read_bytes
from wholebody.engines.onnxruntime_engine import open_session
from wholebody.errors import ModelError
from wholebody.export.model_file import Model, Size
from wholebody.export.onnx_graph import Array
from wholebody.packages import require


@dataclass(frozen=True)
class Row:
    """One output at one size."""

    output: str
    size: Size
    batch: int
    error: float      # largest difference; infinite where there is none to take
    relative: float   # of the range of the reference's output
    passed: bool
    reason: str = ""  # why there is no number


def onnx_runner(model: Model) -> Any:
    """ONNX Runtime on the CPU; the session is opened once, when first used."""
    require("polygraphy", "export")
    from polygraphy.backend.onnxrt import OnnxrtRunner
    data: Any = model.path if model.file.external_files else read_bytes(model.path)
    return OnnxrtRunner(functools.cache(lambda: open_session(data, model.path)[0]), name=model.path)


def compare(reference: Any, runner: Any, picture: Array, model: Model, tolerance: float) -> list[Row]:
    """One row an output, for one input."""
    require("polygraphy", "export")
    from polygraphy.comparator import Comparator, SimpleCompareFunc
    from polygraphy.logger import G_LOGGER
    feeds, size = {model.source.name: picture}, model.size_of(picture)
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
        try:
            expected = Comparator.run([reference], data_loader=[feeds])
        except Exception as error:  # whatever torch or ONNX Runtime raises
            raise ModelError(f"{reference.name} does not run on {size[1]}x{size[0]} pictures: {_one_line(error)}")
        try:
            got = Comparator.run([runner], data_loader=[feeds])
        except Exception as error:  # a file that does not run is not the same
            reason = _one_line(error)
            return [_no_number(info.name, size, len(picture), reason) for info in model.file.outputs]
        maps = dict(expected[0][1][0].items())
        ranges = {name: float(array.max() - array.min()) for name, array in maps.items()}
        limits = {name: tolerance * spread for name, spread in ranges.items()}
        results = Comparator.compare_accuracy(
            [expected, got], compare_func=SimpleCompareFunc(check_error_stat="max", atol=limits, rtol=0.0))
    by_output = next(iter(results[0].values()))[0]
    shapes = {name: list(array.shape) for name, array in got[0][1][0].items()}
    return [_row(name, result, ranges[name], size, len(picture), f"{shapes[name]}, expected {list(maps[name].shape)}")
            for name, result in by_output.items()]


def _row(name: str, result: Any, spread: float, size: Size, batch: int, shapes: str) -> Row:
    if isinstance(result, bool):  # polygraphy's way to say that the shapes differ
        return _no_number(name, size, batch, f"its shape is {shapes}")
    error = float(result.max_absdiff)
    if not np.isfinite(error):
        return _no_number(name, size, batch, "not all numbers are finite")
    relative = error / spread if spread else float("inf") if error else 0.0
    return Row(name, size, batch, error, relative, bool(result))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _no_number(name: str, size: Size, batch: int, reason: str) -> Row:
    return Row(name, size, batch, float("inf"), float("inf"), False, reason)
