"""How a precision is told to TensorRT: by builder flags where it has them, else by the graph itself."""
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.calibration_table import CalibrationTable
from wholebody.engines.fp16_graph import HalfModel, convert
from wholebody.engines.inspection import Inspection
from wholebody.engines.int8_graph import to_int8
from wholebody.engines.trt_features import ALWAYS, NEVER, Features
from wholebody.errors import BuildError

FLAGS, GRAPH = "builder flags", "graph"
AS_IT_IS, TO_FP16, TO_INT8 = "as it is", "to fp16", "to int8"
_QDQ = ("QuantizeLinear", "DequantizeLinear")


class GraphPrecision(NamedTuple):
    """What an ONNX graph says of its own precision."""

    quantised: bool  # holds QuantizeLinear and DequantizeLinear
    half: bool       # holds FP16 weights


class PrecisionPlan(NamedTuple):
    """The strategy, made once before a build."""

    strategy: str                  # FLAGS or GRAPH
    builder_flags: Tuple[str, ...]
    strongly_typed_flag: bool      # the network is to be created with STRONGLY_TYPED
    conversion: str                # AS_IT_IS, TO_FP16 or TO_INT8
    needs_ranges: bool             # INT8 from a calibration table, set tensor by tensor
    explanation: str               # one line for the user


def graph_precision(found: Inspection) -> GraphPrecision:
    """Told by the operators and weights in the file."""
    operators = {name for name, _ in found.operators}
    return GraphPrecision(all(name in operators for name in _QDQ), "float16" in dict(found.weight_types))


def plan_precision(features: Features, spec: BuildSpec, graph: GraphPrecision, trt_name: str,
                   keeps: bool = False) -> PrecisionPlan:
    """The strategy for this TensorRT, this graph and this wish; BuildError where there is none.

    `keeps`: the calibration table names nodes that do not compute in INT8.
    """
    if spec.strongly_typed and features.strongly_typed == NEVER:
        raise BuildError("%s has no strongly typed networks: leave --strongly-typed out" % trt_name)
    _check_graph(spec, graph)
    if features.strongly_typed == ALWAYS or spec.strongly_typed:
        why = "it has no precision flags" if features.strongly_typed == ALWAYS else "as --strongly-typed asks"
        return _by_graph(features, spec, graph, "%s takes precision from the graph (%s)" % (trt_name, why))
    return _by_flags(features, spec, graph, trt_name, keeps)


def prepare_graph(data: bytes, plan: PrecisionPlan, keep_fp32: Sequence[str], where: str,
                  table: Optional[CalibrationTable] = None) -> HalfModel:
    """The bytes that TensorRT is to parse, and the nodes that stay in FP32 in them; `where` names them in errors."""
    if plan.conversion == TO_INT8 and table is not None:
        return to_int8(data, table, keep_fp32, where)
    return HalfModel(data, ()) if plan.conversion == AS_IT_IS else convert(data, keep_fp32, where)


def _check_graph(spec: BuildSpec, graph: GraphPrecision) -> None:
    if graph.quantised and spec.precision != "int8":
        raise BuildError("the graph is quantised (QuantizeLinear nodes): build it with --int8, or build the float "
                         "network with --%s" % spec.precision)
    if graph.half and spec.precision == "fp32":
        raise BuildError("the graph holds FP16 weights: build it with --fp16, or build the FP32 network with --fp32")
    if spec.precision == "int8" and graph.quantised and spec.calibration:
        raise BuildError("the graph carries its own ranges (QuantizeLinear nodes): leave --calibration out")


def _by_flags(features: Features, spec: BuildSpec, graph: GraphPrecision, trt_name: str,
              keeps: bool) -> PrecisionPlan:
    names: Dict[str, Tuple[str, ...]] = {"fp32": (), "fp16": ("FP16",), "int8": ("INT8", "FP16")}
    flags, from_table = names[spec.precision], spec.precision == "int8" and not graph.quantised
    if from_table and not spec.calibration:
        raise BuildError(_no_ranges())
    if from_table and not features.dynamic_range:
        raise BuildError("%s takes no ranges from a table: give a graph with QuantizeLinear nodes" % trt_name)
    if (spec.keep_fp32 or keeps and from_table) and flags:
        if not features.precision_constraints:
            raise BuildError("%s cannot hold single layers in another precision, as --keep-fp32 or the calibration "
                             "table asks" % trt_name)
        flags += ("OBEY_PRECISION_CONSTRAINTS",)
    said = " and ".join(flags[:2]) if flags else "none, TF32 off"
    ranges = ", ranges from %s" % (spec.calibration if from_table else "the graph") if spec.precision == "int8" else ""
    return PrecisionPlan(FLAGS, flags, False, AS_IT_IS, from_table,
                         "%s: %s has builder flags for it: %s%s" % (spec.precision.upper(), trt_name, said, ranges))


def _by_graph(features: Features, spec: BuildSpec, graph: GraphPrecision, why: str) -> PrecisionPlan:
    conversion, how = AS_IT_IS, "every tensor stays FP32, TF32 off"
    if spec.keep_fp32 and (graph.quantised or graph.half):
        raise BuildError("%s: it is taken as it is: leave --keep-fp32 out, or give the FP32 network with --fp16" % why)
    if spec.precision == "int8":
        if not graph.quantised and not spec.calibration:
            raise BuildError("%s: %s" % (why, _no_ranges()))
        conversion = AS_IT_IS if graph.quantised else TO_INT8
        how = ("INT8 where it has QuantizeLinear nodes, the rest as it is" if graph.quantised else
               "QuantizeLinear nodes put in by the ranges of %s" % spec.calibration)
    elif spec.precision == "fp16":
        conversion = AS_IT_IS if graph.half else TO_FP16
        how = "it is FP16 already" if graph.half else "converted to FP16 first%s" % (
            ", %d nodes kept in FP32" % len(spec.keep_fp32) if spec.keep_fp32 else "")
    flag = features.strongly_typed != ALWAYS
    return PrecisionPlan(GRAPH, (), flag, conversion, False, "%s: %s: %s" % (spec.precision.upper(), why, how))


def _no_ranges() -> str:
    return ("INT8 needs ranges, and the graph has no QuantizeLinear nodes: give --images DIR to measure them, "
            "--calibration TABLE.json or a quantised graph, or build with --fp16")
