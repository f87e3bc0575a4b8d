"""What an engine became: layers, their real precision and reformats, from TensorRT's EngineInspector."""
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from wholebody.engines.trt_logger import LogBook, make_logger, one_line
from wholebody.engines.trt_module import TensorRT

# In what the inspector writes of a tensor: "Row major linear FP32", "Channel major FP16 format where channel % 8 == 0".
_TYPES = (("INT8", r"\bINT8\b"), ("FP16", r"\b(FP16|HALF)\b"), ("FP8", r"\bFP8\b"), ("BF16", r"\bBF16\b"),
          ("INT32", r"\bINT32\b"), ("FP32", r"\b(FP32|FLOAT)\b"))
_REFORMAT = re.compile(r"reformat", re.IGNORECASE)
_LONGEST_NAME = 160


class Layer(NamedTuple):
    """One layer of an engine."""

    name: str
    kind: str
    precision: str  # of what it puts out; "unknown" where the engine does not say
    reformat: bool  # moves data only


def engine_layers(trt: TensorRT, plan: Any) -> Optional[List[Dict[str, Any]]]:
    """The layers of a plan on the machine that built it; None where it cannot be opened here."""
    logger = make_logger(trt.module, LogBook())
    runtime = trt.module.Runtime(logger)
    if trt.features.host_code_allowed:
        runtime.engine_host_code_allowed = True  # it was built a moment ago, from this very process
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None or not trt.features.inspector:
        return None
    return [dict(layer._asdict()) for layer in inspect_layers(trt, engine)]


def inspect_layers(trt: TensorRT, engine: Any) -> List[Layer]:
    """The layers of an open engine."""
    inspector = engine.create_engine_inspector()
    return parse_layers(inspector.get_engine_information(trt.module.LayerInformationFormat.JSON))


def parse_layers(text: str) -> List[Layer]:
    """The inspector's JSON; TensorRT 8 to 11 differ in the keys beside "Layers" only."""
    try:
        layers = json.loads(text)["Layers"]
    except (ValueError, KeyError, TypeError):
        return []
    return [_layer(layer) for layer in layers]


def layers_from_json(data: Any) -> Optional[List[Layer]]:
    """From a manifest."""
    if data is None:
        return None
    return [Layer(str(d["name"]), str(d["kind"]), str(d["precision"]), bool(d["reformat"])) for d in data]


def count_by(layers: Sequence[Layer], field: str) -> Dict[str, int]:
    """How many layers of each precision or kind; reformats count as such."""
    counts: Dict[str, int] = {}
    for layer in layers:
        key = "reformat" if layer.reformat else str(getattr(layer, field))
        counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _layer(data: Any) -> Layer:
    if not isinstance(data, dict):  # without detailed verbosity a layer is its name
        name = one_line(str(data))[:_LONGEST_NAME]
        return Layer(name, "unknown", "unknown", bool(_REFORMAT.search(name)))
    name, kind = str(data.get("Name", "?"))[:_LONGEST_NAME], str(data.get("LayerType", "unknown"))
    outputs = data.get("Outputs") or []
    said = " ".join(str(value) for output in outputs if isinstance(output, dict)
                    for key, value in output.items() if "type" in key.lower() or "format" in key.lower())
    precision = next((label for label, pattern in _TYPES if re.search(pattern, said, re.IGNORECASE)), "unknown")
    return Layer(name, kind, precision, kind.lower() == "reformat" or bool(_REFORMAT.search(name)))
