"""Layer times of ONNX Runtime: a session of its own writes a profile, which is read and removed."""
import json
import os
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

from wholebody.engines.layer_times import LayersTimed, LayerTime, last_runs, run_for
from wholebody.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BY = "ONNX Runtime's profile"
_KERNEL = "_kernel_time"
_PRECISIONS = {"float": "FP32", "float16": "FP16", "double": "FP64", "int8": "INT8", "uint8": "INT8", "int32": "INT32",
               "int64": "INT64", "bool": "BOOL"}


def time_nodes(open_profiled: Callable[[str], Any], feeds: "Dict[str, npt.NDArray[np.float32]]",
               seconds: float) -> LayersTimed:
    """Milliseconds of every node as ONNX Runtime runs it; `open_profiled` takes the beginning of the file's name."""
    with tempfile.TemporaryDirectory(prefix="wholebody-profile-") as folder:
        session = open_profiled(os.path.join(folder, "nodes"))
        try:
            runs = run_for(seconds, lambda: session.run(None, feeds))
        finally:
            path = session.end_profiling()
        return read_nodes(pathlib.Path(path).read_text(encoding="utf-8"), runs)


def read_nodes(text: str, runs: int) -> LayersTimed:
    """From the profile's own JSON the last so many runs; ModelError where nothing of them is in it."""
    try:
        events = [event for event in json.loads(text) if isinstance(event, dict)]
    except ValueError as error:
        raise ModelError("ONNX Runtime's profile cannot be read: %s" % error)
    times: Dict[str, List[float]] = {}
    about: Dict[str, Tuple[str, str, str]] = {}
    for event in events:
        name, told = str(event.get("name", "")), event.get("args") or {}
        if event.get("cat") == "Node" and name.endswith(_KERNEL):
            key = "%s %s" % (told.get("node_index", ""), name)  # names need not be unique
            times.setdefault(key, []).append(1e-3 * float(event["dur"]))
            about[key] = name[:-len(_KERNEL)], str(told.get("op_name", "unknown")), _precision(told)
    kept = last_runs(times, runs)
    whole = [1e-3 * float(event["dur"]) for event in events if event.get("name") == "model_run"]
    if not kept:
        raise ModelError("ONNX Runtime's profile names no node that ran each time")
    return LayersTimed(BY, tuple(LayerTime(*(about[key] + (own,))) for key, own in kept.items()), tuple(whole[-runs:]))


def _precision(told: Dict[str, Any]) -> str:
    """Of the first output; [{"float": [1, 8, 16, 16]}] as ONNX Runtime writes it from 1.9 on."""
    outputs = told.get("output_type_shape") or [{}]
    return _PRECISIONS.get(next(iter(outputs[0]), ""), "unknown") if isinstance(outputs, list) else "unknown"
