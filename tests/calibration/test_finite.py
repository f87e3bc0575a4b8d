"""Numbers beyond FP16 are found by running the network, and the nodes around them stay in FP32."""
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from real_builders import need_asset

from wholebody.calibration.finite import check_before_build, check_half, nodes_beyond_half, noise, tensors_beyond_half
from wholebody.card import card_from_json
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.fp16_graph import convert
from wholebody.engines.shapes import InputShape
from wholebody.errors import ModelError

FEEDS = {"x": np.full((1, 2, 4, 4), 200, np.float32)}


def model(nodes, **weights):
    """x (1, 2, 4, 4) -> y, opset 13."""
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7).SerializeToString()


def node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs, outputs, f"the {operator} of {outputs[0]}", **attributes)


SQUARES = model([node("Mul", ["x", "gain"], ["a"]), node("Mul", ["a", "a"], ["square"]),
                 node("Mul", ["square", "less"], ["b"]), node("Relu", ["b"], ["y"])], gain=2.0, less=0.001)


def test_the_nodes_that_make_or_read_a_number_beyond_fp16_are_named():
    found = tensors_beyond_half(SQUARES, FEEDS)
    assert [tuple(tensor) for tensor in found] == [("the Mul of square", "square", 160000.0)]
    assert str(found[0]) == "the Mul of square reaches 1.6e+05"
    assert nodes_beyond_half(SQUARES, FEEDS) == ["the Mul of square", "the Mul of b"]
    assert nodes_beyond_half(SQUARES, {"x": FEEDS["x"] / 10}) == []


def test_with_those_nodes_kept_fp16_is_finite_and_right():
    report = check_half(SQUARES, FEEDS)
    assert report.keep_fp32 == ("the Mul of square", "the Mul of b")
    assert report.error < 1e-3
    assert [kept.name for kept in convert(SQUARES, report.keep_fp32).kept] == list(report.keep_fp32)


def test_an_input_beyond_fp16_is_read_in_fp32():
    report = check_half(SQUARES, {"x": FEEDS["x"] * 1000})
    assert report.beyond[0].tensor == "x"
    assert report.keep_fp32[0] == "the Mul of a"


@pytest.mark.parametrize(("operator", "largest"), [("Log", "nan"), ("Reciprocal", "inf")])
def test_what_is_not_finite_in_fp32_is_named_and_nothing_is_promised(operator, largest):
    made = model([node("Sub", ["x", "off"], ["a"]), node(operator, ["a"], ["b"]), node("Neg", ["b"], ["y"])],
                 off=200.0 if operator == "Reciprocal" else 300.0)
    assert str(tensors_beyond_half(made, FEEDS)[0]) == f"the {operator} of b reaches {largest}"
    with pytest.raises(ModelError, match=f"output y is not finite even in FP32: the {operator} of b reaches {largest}"):
        check_half(made, FEEDS)


LESS = node("Sub", ["x", "off"], ["a"])  # 200.01 is 200 in FP16
HIDDEN = [
    ("a division by what FP16 rounds to nothing",
     model([LESS, node("Reciprocal", ["a"], ["b"]), node("Relu", ["b"], ["y"])], off=200.01),
     ("the Reciprocal of b", "the Sub of a")),
    ("one with a node in between",
     model([LESS, node("Mul", ["a", "half"], ["b"]), node("Reciprocal", ["b"], ["y"])], off=200.01, half=0.5),
     ("the Reciprocal of y", "the Mul of b", "the Sub of a"))]


@pytest.mark.parametrize("data, keep", [case[1:] for case in HIDDEN], ids=[case[0] for case in HIDDEN])
def test_what_only_fp16_makes_infinite_is_found_node_by_node_and_kept(data, keep):
    assert tensors_beyond_half(data, FEEDS) == []
    report = check_half(data, FEEDS)
    assert report.keep_fp32 == keep
    assert report.error < 0.02
    assert not np.isfinite(run_one(convert(data).data)).all()
    assert np.isfinite(run_one(convert(data, report.keep_fp32).data)).all()


def run_one(data):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, FEEDS)[0]


def test_a_damaged_network_and_a_wrong_feed_are_one_line():
    for data, feeds in ((SQUARES[:50], FEEDS), (SQUARES, {"x": np.zeros((2, 2), np.float32)})):
        with pytest.raises(ModelError) as caught:
            nodes_beyond_half(data, feeds)
        assert "\n" not in str(caught.value)


def test_before_a_build_one_run_on_noise_adds_the_nodes_to_keep(tmp_path):
    path = tmp_path / "squares.onnx"
    path.write_bytes(model([node("Mul", ["x", "gain"], ["a"]), node("Mul", ["a", "less"], ["y"])],
                           gain=60000.0, less=0.01))
    big = model([node("Mul", ["x", "gain"], ["a"]), node("Mul", ["a", "gain"], ["b"]),
                 node("Mul", ["b", "less"], ["y"])], gain=1000.0, less=1e-3)
    spec, said = check_before_build(str(path), BuildSpec())
    assert spec.keep_fp32 == ()
    assert said == ("FP16 check by one run on noise of [1, 2, 4, 4] from 0 to 1, as it has no card: no tensor goes "
                    "beyond it, all outputs are finite")
    path.write_bytes(big)
    spec, said = check_before_build(str(path), BuildSpec(keep_fp32=("the Mul of a",)))
    assert spec.keep_fp32 == ("the Mul of a", "the Mul of b", "the Mul of y")
    assert said.endswith("the Mul of b reaches 9.73e+05, beyond 65504: 2 nodes around such tensors stay in FP32, with "
                         "them all outputs are finite")


def test_a_network_that_cannot_be_run_is_not_checked_and_says_so(tmp_path):
    (tmp_path / "net.onnx").write_bytes(model([node("NoSuchOp", ["x"], ["y"])]))
    spec, said = check_before_build(str(tmp_path / "net.onnx"), BuildSpec())
    assert spec == BuildSpec()
    assert said.startswith("FP16 was not checked (one run on noise of [1, 2, 4, 4] from 0 to 1, as it has no card): "
                           "ONNX Runtime")


def test_a_network_that_is_fp16_already_is_left_alone(tmp_path):
    (tmp_path / "net.onnx").write_bytes(convert(SQUARES).data)
    assert check_before_build(str(tmp_path / "net.onnx"), BuildSpec()) == (BuildSpec(), "")


def test_noise_is_prepared_as_the_card_says():
    card = card_from_json('{"name": "n", "skeleton": "COCO_18", "input": {"name": "x", "scale": 0.5, '
                          '"mean": [1, 2, 3], "std": [2, 2, 2]}, "heads": [{"kind": "paf", "stride": 8, "outputs": '
                          '{"heatmaps": {"output": "y"}, "pafs": {"output": "y"}}}]}')
    shape = InputShape("x", "float32", *[(1, 3, 32, 32)] * 3)
    prepared, pixels = noise(shape, card.input), noise(shape._replace(dtype="uint8"), None)
    np.testing.assert_allclose(prepared[0, 2], (pixels[0, 2] * 0.5 - 3) / 2, atol=1e-6)
    assert prepared.dtype == np.float32
    assert noise(shape, None).max() == 1


def test_a_real_network_stays_inside_fp16():
    with open(need_asset("human-pose-estimation-0001.fp32.onnx"), "rb") as file:
        data = file.read()
    feeds = {"data": noise(InputShape("data", "float32", *[(1, 3, 128, 160)] * 3), None) * 255}
    assert check_half(data, feeds).keep_fp32 == ()
