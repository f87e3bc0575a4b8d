"""Converted networks, looked at by the onnx package: its checker takes them and infers the types they should have."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from real_builders import ASSETS, need_asset

from wholebody.engines.fp16_graph import convert

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def inferred_types(data):
    """Element types of every tensor; any disagreement between types in the graph is an error."""
    onnx.checker.check_model(data)
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(data), check_type=True, strict_mode=True).graph
    types = {info.name: info.type.tensor_type.elem_type for info in [*graph.value_info, *graph.input, *graph.output]}
    return {**types, **{weights.name: weights.data_type for weights in graph.initializer}}, graph


@pytest.mark.parametrize("name", sorted(path.name for path in ASSETS.glob("*.onnx")) or ["none"])
def test_a_real_network_is_a_valid_fp16_one(name):
    with open(need_asset(name), "rb") as file:
        data = file.read()
    before = onnx.load_from_string(data)
    model = convert(data)
    types, graph = inferred_types(model.data)
    after = onnx.load_from_string(model.data)
    assert after.opset_import == before.opset_import
    assert list(after.graph.output) == list(before.graph.output)
    kept = {node.name for node in model.kept}
    floats = [n for n in graph.node if any(types.get(name) in (FLOAT, HALF) for name in n.output)]
    in_fp32 = [n for n in floats if n.op_type != "Cast" and any(types.get(name) == FLOAT for name in n.output)]
    assert {n.name or n.output[0] for n in in_fp32} <= kept
    assert len(floats) > 2 * len(in_fp32) or "int8" in name


def test_a_kept_node_between_others_has_fp32_inputs_weights_and_output():
    random = np.random.default_rng(0)
    names = ["first", "second", "third"]
    nodes = [helper.make_node("Conv", ["xab"[place], "w"], ["aby"[place]], name) for place, name in enumerate(names)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", FLOAT, [1, 4, 8, 8])],
                              [helper.make_tensor_value_info("y", FLOAT, [1, 4, 8, 8])],
                              [onnx.numpy_helper.from_array(random.random((4, 4, 1, 1), np.float32), "w")])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7).SerializeToString()
    types, graph = inferred_types(convert(data, ["second"]).data)
    found = {node.name: {types[name] for name in [*node.input, *node.output]} for node in graph.node
             if node.op_type == "Conv"}
    assert found == {"first": {HALF}, "second": {FLOAT}, "third": {HALF}}
    assert [(weights.name, weights.data_type) for weights in graph.initializer] == [("w/fp32", FLOAT), ("w", HALF)]
