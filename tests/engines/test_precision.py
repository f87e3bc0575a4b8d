"""Which strategy of precision is chosen, on every version, and how it is explained."""
import onnx_bytes
import pytest
from tensorrt_double import VERSIONS, tensorrt_module

from wholebody.engines import precision
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.fp16_graph import convert
from wholebody.engines.precision import FLAGS, GRAPH, GraphPrecision, plan_precision, prepare_graph
from wholebody.engines.trt_features import detect
from wholebody.errors import BuildError

FEATURES = {version: detect(tensorrt_module(version)) for version in VERSIONS}
FLOAT, HALF, QUANTISED = GraphPrecision(False, False), GraphPrecision(False, True), GraphPrecision(True, False)
WITH_FLAGS = ["8.2.1", "8.5.2.2", "8.6.0", "10.3.0", "10.13.3.9"]


def plan(version, spec, graph):
    return plan_precision(FEATURES[version], spec, graph, "TensorRT " + version)


BY_FLAGS = [
    ("fp32", FLOAT, "", (), "none, TF32 off"), ("fp16", FLOAT, "", ("FP16",), "FP16"),
    ("fp16", HALF, "", ("FP16",), "FP16"),
    ("int8", QUANTISED, "", ("INT8", "FP16"), "INT8 and FP16, ranges from the graph"),
    ("int8", FLOAT, "t.json", ("INT8", "FP16"), "INT8 and FP16, ranges from t.json")]


@pytest.mark.parametrize("version", WITH_FLAGS)
@pytest.mark.parametrize("name, graph, table, flags, said", BY_FLAGS)
def test_flags_are_used_where_there_are_any(version, name, graph, table, flags, said):
    chosen = plan(version, BuildSpec(name, calibration=table), graph)
    assert (chosen.strategy, chosen.builder_flags, chosen.needs_ranges) == (FLAGS, flags, bool(table))
    assert chosen.explanation == "%s: TensorRT %s has builder flags for it: %s" % (name.upper(), version, said)


BY_GRAPH = [
    ("fp32", FLOAT, precision.AS_IT_IS, "every tensor stays FP32, TF32 off"),
    ("fp16", HALF, precision.AS_IT_IS, "it is FP16 already"),
    ("fp16", FLOAT, precision.TO_FP16, "converted to FP16 first"),
    ("int8", QUANTISED, precision.AS_IT_IS, "INT8 where it has QuantizeLinear nodes, the rest as it is"),
    ("int8", FLOAT, precision.TO_INT8, "QuantizeLinear nodes put in by the ranges of t.json")]


@pytest.mark.parametrize("version, asked", [("11.4.0", False), ("10.3.0", True), ("10.13.3.9", True)])
@pytest.mark.parametrize("name, graph, conversion, said", BY_GRAPH)
def test_the_graph_carries_it_where_there_are_none_or_when_asked(version, asked, name, graph, conversion, said):
    table = "t.json" if conversion == precision.TO_INT8 else ""
    chosen = plan(version, BuildSpec(name, strongly_typed=asked, calibration=table), graph)
    assert (chosen.strategy, chosen.builder_flags, chosen.conversion) == (GRAPH, (), conversion)
    assert chosen.strongly_typed_flag is asked
    assert chosen.explanation.endswith(said)


REFUSED = [
    ("8.2.1", BuildSpec("fp16", strongly_typed=True), FLOAT, "no strongly typed networks: leave --strongly-typed out"),
    ("8.2.1", BuildSpec("int8"), FLOAT, "give --images DIR to measure them, --calibration TABLE.json"),
    ("11.4.0", BuildSpec("int8"), FLOAT, "INT8 needs ranges"),
    ("8.5.2.2", BuildSpec("fp16"), QUANTISED, "the graph is quantised .* build it with --int8"),
    ("11.4.0", BuildSpec("fp32"), HALF, "holds FP16 weights: build it with --fp16"),
    ("8.5.2.2", BuildSpec("int8", calibration="t.json"), QUANTISED, "leave --calibration out"),
    ("11.4.0", BuildSpec("fp16", keep_fp32=("a",)), HALF, "it is taken as it is: leave --keep-fp32 out"),
    ("11.4.0", BuildSpec("int8", keep_fp32=("a",)), QUANTISED, "leave --keep-fp32 out, or give the FP32 network")]


@pytest.mark.parametrize("version, spec, graph, message", REFUSED, ids=[case[3][:40] for case in REFUSED])
def test_what_cannot_be_had_is_refused_with_what_can(version, spec, graph, message):
    with pytest.raises(BuildError, match=message):
        plan(version, spec, graph)


def test_nodes_kept_in_fp32_are_constraints_or_the_converters_matter():
    spec = BuildSpec("fp16", keep_fp32=("a", "b"))
    assert plan("8.2.1", spec, FLOAT).builder_flags == ("FP16", "OBEY_PRECISION_CONSTRAINTS")
    assert "2 nodes kept in FP32" in plan("11.4.0", spec, FLOAT).explanation


def test_a_graph_that_stays_as_it_is_is_not_touched():
    assert prepare_graph(b"onnx", plan("8.2.1", BuildSpec("fp16"), FLOAT), (), "net.onnx") == (b"onnx", ())


def test_a_graph_is_converted_with_the_nodes_to_keep():
    chosen = plan("11.4.0", BuildSpec("fp16", keep_fp32=("all",)), FLOAT)
    graph = prepare_graph(onnx_bytes.paf_net(), chosen, ("all",), "net.onnx")
    assert graph == convert(onnx_bytes.paf_net(), ("all",))
    assert graph.kept == (("all", "as asked"),)


def test_a_graph_that_cannot_be_converted_is_named():
    with pytest.raises(BuildError, match="^net.onnx: --keep-fp32: the network has no node 'al': did you mean 'all'"):
        prepare_graph(onnx_bytes.paf_net(), plan("11.4.0", BuildSpec("fp16"), FLOAT), ("al",), "net.onnx")
