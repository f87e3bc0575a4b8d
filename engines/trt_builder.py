"""From an ONNX file to the bytes of an engine: what TensorRT itself is asked to do. Runs in the build's own process."""
import pathlib
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from wholebody.card import METADATA_KEY, ModelCard
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.calibration_table import CalibrationTable, read_table
from wholebody.engines.fp16_nodes import kept_notes
from wholebody.engines.inspection import inspect_onnx
from wholebody.engines.onnxfile import card_of, graph_sha256, parse_onnx, read_bytes
from wholebody.engines.precision import FLAGS, graph_precision, plan_precision, prepare_graph
from wholebody.engines.shapes import InputShape
from wholebody.engines.timing_cache import default_cache, load_cache, save_cache
from wholebody.engines.trt_config import check_supported, keep_layers, make_config, set_ranges, set_shapes
from wholebody.engines.trt_logger import LogBook, make_logger
from wholebody.engines.trt_module import TensorRT, init_plugins
from wholebody.engines.trt_operators import check_operators
from wholebody.engines.trt_parsing import parse_network
from wholebody.engines.trt_progress import make_monitor
from wholebody.engines.trt_types import dtype_name
from wholebody.errors import BuildError
from wholebody.jetson.identity import Board

Say = Callable[[str, Any], None]  # kind of event, its value


class BuildJob(NamedTuple):
    """All that the building process needs to know."""

    model: str
    graph_sha256: str  # of the model when the manifest was begun
    spec: BuildSpec
    shapes: Tuple[InputShape, ...]
    board: Board
    workspace_mb: int


class BuiltPlan(NamedTuple):
    """What came out."""

    data: memoryview
    facts: Dict[str, Any]  # for the manifest, as JSON takes them


def build_plan(trt: TensorRT, job: BuildJob, say: Say) -> BuiltPlan:
    """Builds, or BuildError with TensorRT's own reason."""
    started, spec, book = time.monotonic(), job.spec, LogBook()
    inspection = inspect_onnx(job.model)
    check_supported(trt, spec, job.shapes)
    check_operators(trt, inspection, job.model)
    table = read_table(spec.calibration, job.graph_sha256, job.model, _card(job)) if spec.calibration else None
    precision = plan_precision(trt.features, spec, graph_precision(inspection), str(trt), bool(table and table.keep))
    say("note", precision.explanation)
    logger = make_logger(trt.module, book)
    init_plugins(trt, logger)
    builder = _builder(trt, logger, book)
    graph = prepare_graph(_read_model(job), precision, spec.keep_fp32, job.model, table)
    kept = [node.name for node in graph.kept] + list(spec.keep_fp32 if precision.builder_flags else ())
    notes = kept_notes(graph.kept)
    network, parser = parse_network(trt, builder, logger, book, graph.data, job.model, precision.strongly_typed_flag)
    del graph  # memory is what small boards lack
    config = make_config(trt, builder, spec, precision, job.workspace_mb)
    set_shapes(builder, network, config, job.shapes)
    notes += _precision_notes(trt, builder, spec)
    if precision.strategy == FLAGS and precision.builder_flags:
        keep_layers(network, spec.keep_fp32, trt.module.DataType.FLOAT)
        if table is not None:
            keep_layers(network, _only_by_table(table, spec), trt.module.DataType.HALF)
            kept += _only_by_table(table, spec)
    notes += _give_ranges(network, table if precision.needs_ranges else None)
    if trt.features.progress_monitor:
        config.progress_monitor = make_monitor(trt.module, say)
    plan, cache = _build(trt, builder, network, config, job, say)
    if plan is None:
        raise BuildError("%s: %s cannot build it: %s" % (job.model, trt, book.last_errors()))
    del parser  # lives until here: the network holds weights that belong to it
    facts = {
        "tensorrt": trt.features.version, "product": trt.name, "strategy": precision.strategy,
        "builder_flags": list(precision.builder_flags), "outputs": _outputs(network),
        "notes": notes + book.summary(), "kept_fp32": kept, "calibration_sha256": table.sha256 if table else "",
        "seconds": round(time.monotonic() - started, 3)}
    return BuiltPlan(memoryview(plan), dict(facts, **cache))


def _build(trt: TensorRT, builder: Any, network: Any, config: Any, job: BuildJob,
           say: Say) -> Tuple[Any, Dict[str, str]]:
    """The long part, with the timing cache around it; what is built for other GPUs is not timed here."""
    if job.spec.target:
        return builder.build_serialized_network(network, config), {"timing_cache": "", "timing_cache_sha256": ""}
    path = pathlib.Path(job.spec.timing_cache) if job.spec.timing_cache else default_cache(job.board, str(trt))
    cache = load_cache(config, path)
    say("timing_cache", str(path))
    plan = builder.build_serialized_network(network, config)
    kept = {"timing_cache": str(path), "timing_cache_sha256": save_cache(config, path) if plan is not None else ""}
    del cache  # the configuration refers to it
    return plan, kept


def _read_model(job: BuildJob) -> bytes:
    """The bytes to build from: those that the manifest will name."""
    data = read_bytes(job.model)
    beside = [pathlib.Path(job.model).parent / name for name in parse_onnx(data, job.model).external_files]
    if graph_sha256(data, beside) != job.graph_sha256:
        raise BuildError("%s changed while it was being built: build it again" % job.model)
    return data


def _builder(trt: TensorRT, logger: Any, book: LogBook) -> Any:
    try:
        builder = trt.module.Builder(logger)
    except TypeError:  # what the bindings raise when the library returns nothing, as without a GPU
        builder = None
    if builder is None:
        raise BuildError("%s makes no builder (%s): is there an NVIDIA GPU with its driver on this machine?"
                         % (trt, book.last_errors()))
    return builder


def _precision_notes(trt: TensorRT, builder: Any, spec: BuildSpec) -> List[str]:
    if not trt.features.reports_fast_precisions:
        return []
    if spec.precision == "int8" and not builder.platform_has_fast_int8:
        raise BuildError("this GPU has no fast INT8: it would be slower than FP16; build with --fp16")
    if spec.precision == "fp16" and not builder.platform_has_fast_fp16:
        return ["this GPU has no fast FP16: the engine will hardly be faster than FP32"]
    return []


def _only_by_table(table: CalibrationTable, spec: BuildSpec) -> List[str]:
    return [name for name in table.keep if name not in spec.keep_fp32]


def _card(job: BuildJob) -> Optional[ModelCard]:
    model = parse_onnx(read_bytes(job.model), job.model)
    return card_of(model, job.model) if METADATA_KEY in model.metadata else None


def _give_ranges(network: Any, table: Optional[CalibrationTable]) -> List[str]:
    if table is None:
        return []
    without = set_ranges(network, table)
    return ["%d tensors have no range in the table: their layers run in FP16" % without] if without else []


def _outputs(network: Any) -> List[Dict[str, Any]]:
    tensors = [network.get_output(i) for i in range(network.num_outputs)]
    return [{"name": t.name, "dtype": dtype_name(t.dtype), "shape": [None if d < 0 else int(d) for d in t.shape]}
            for t in tensors]
