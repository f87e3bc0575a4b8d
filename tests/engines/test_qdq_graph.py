"""A float network becomes one with QuantizeLinear and DequantizeLinear nodes, without the onnx package."""
import numpy as np
import onnx_bytes
import pytest
from onnx_bytes import ints, model, node, number, text, weights

from wholebody.engines.bias_folding import fold_biases
from wholebody.engines.inspection import inspect_onnx
from wholebody.engines.onnx_weights import float_weights
from wholebody.engines.onnxfile import parse_onnx, with_card
from wholebody.engines.qdq_graph import candidates, graph_of, quantise
from wholebody.errors import BuildError, ModelError

RNG = np.random.RandomState(0)
KERNEL, DEPTH, DENSE = (RNG.normal(0, 1, shape).astype(np.float32) for shape in ((6, 3, 3, 3), (6, 1, 3, 3), (6, 2)))
KERNEL[2] *= 20   # one channel far larger than the others
DEPTH[4] = 0      # and one that is nothing


def network(opset=13):
    """Convolution, depth-wise convolution and a product, with a sum beside them."""
    nodes = [node("Conv", ["x", "kernel", "bias"], ["a"], ints("pads", [1, 1, 1, 1])),
             node("Relu", ["a"], ["b"]),
             node("Conv", ["b", "depth"], ["c"], ints("pads", [1, 1, 1, 1]), one_number("group", 6)),
             node("Add", ["b", "c"], ["sum"]),
             node("ReduceMean", ["sum"], ["mean"], ints("axes", [2, 3]), one_number("keepdims", 0)),
             node("MatMul", ["mean", "dense"], ["y"])]
    made = model(nodes, [weights("kernel", KERNEL.shape, KERNEL.ravel()), weights("depth", DEPTH.shape, DEPTH.ravel()),
                         weights("dense", DENSE.shape, DENSE.ravel()), weights("bias", (6,), range(6))],
                 [("x", (1, 3, 8, 8))], [("y", (1, 2)), ("sum", (1, 6, 8, 8))])
    return made.replace(number(2, 13), number(2, opset), 1) if opset != 13 else made


def one_number(name, value):
    return text(1, name) + number(3, value) + number(20, 2)


def run(data, feeds):
    ort = pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds)))


X = {"x": RNG.normal(0, 1, (1, 3, 8, 8)).astype(np.float32)}
RANGES = {"x": 4.0, "a": 250.0, "b": 250.0, "c": 900.0, "sum": 900.0, "mean": 250.0, "y": 200.0}


def test_all_that_has_weights_may_be_quantised():
    assert [(one.name, one.weights, one.axis) for one in candidates(graph_of(network()))] == [
        ("a", "kernel", 0), ("c", "depth", 0), ("y", "dense", 1)]


def test_the_quantised_network_gives_nearly_what_the_float_one_gives():
    made = quantise(network(), RANGES)
    assert (made.nodes, made.floats) == (("a", "c", "y"), ())
    expected, found = run(network(), X), run(made.data, X)
    for name, values in expected.items():
        assert np.abs(found[name] - values).max() < 0.05 * np.abs(values).max()
        assert np.abs(found[name] - values).max() > 0


def test_numbers_are_rounded_to_the_grid_of_each_channel_and_cut_at_its_range():
    onnx = pytest.importorskip("onnx", reason="looks inside: pip install '.[export]'")
    loaded = onnx.load_from_string(quantise(network(), RANGES).data)
    onnx.checker.check_model(loaded)
    held = {i.name: onnx.numpy_helper.to_array(i) for i in loaded.graph.initializer}
    assert "kernel" not in held
    assert held["kernel/quantised"].dtype == np.int8
    np.testing.assert_array_equal(np.abs(held["kernel/quantised"].reshape(6, -1)).max(1), 127)
    np.testing.assert_allclose(held["kernel/scale"], np.abs(KERNEL.reshape(6, -1)).max(1) / 127, rtol=1e-6)
    assert held["x/scale"] == np.float32(4 / 127)
    assert held["depth/scale"][4] > 0
    assert not held["depth/quantised"][4].any()


def test_what_is_kept_and_what_has_no_range_stays_as_it_is():
    made = quantise(network(), {"x": 4.0, "mean": 900.0}, keep=("y",))
    assert (made.nodes, made.floats) == (("a",), ("c", "y"))
    inner = parse_onnx(made.data, "it")
    assert [info.name for info in inner.outputs] == ["y", "sum"]
    assert np.abs(run(made.data, X)["y"] - run(network(), X)["y"]).max() > 0


def test_ranges_of_channels_may_be_given():
    narrow = {"kernel": [1e-3] * 6}
    assert np.abs(run(quantise(network(), RANGES, channels=narrow).data, X)["sum"] - run(network(), X)["sum"]).max() > 1
    with pytest.raises(BuildError, match="'kernel' have 6 channels, and the table has ranges of 5"):
        quantise(network(), RANGES, channels={"kernel": [1.0] * 5})


def test_the_file_becomes_smaller_and_keeps_its_card(tmp_path):
    from wholebody.card import card_from_json
    from wholebody.engines.onnxfile import card_of
    card = card_from_json(onnx_bytes.STICK_CARD)
    data = with_card(onnx_bytes.stick_net(), card)
    made = quantise(data, {"image": 1.0})
    assert len(made.data) < 0.6 * len(data)
    assert card_of(parse_onnx(made.data, "it"), "it") == card
    (tmp_path / "q.onnx").write_bytes(made.data)
    assert dict(inspect_onnx(str(tmp_path / "q.onnx")).operators)["QuantizeLinear"] == 1


TWICE = model([node("Conv", ["x", "w"], ["a"]), node("Conv", ["x", "w"], ["b"]), node("Add", ["a", "w"], ["y"]),
               node("Sub", ["b", "y"], ["z"])], [weights("w", (1, 1, 1, 1), [0.5])], [("x", (1, 1, 4, 4))],
              [("z", (1, 1, 4, 4))])


def test_what_several_nodes_read_is_quantised_once_and_kept_for_those_that_do_not():
    made = quantise(TWICE, {"x": 2.0})
    operators = [one.operator for one in graph_of(made.data).nodes]
    assert operators == ["QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv", "Conv", "Add", "Sub"]
    feeds = {"x": np.linspace(-2, 2, 16, dtype=np.float32).reshape(1, 1, 4, 4)}
    np.testing.assert_allclose(run(made.data, feeds)["z"], run(TWICE, feeds)["z"], atol=0.02)


BIASED = model(
    [node("Conv", ["x", "kernel"], ["a"], ints("pads", [1, 1, 1, 1])), node("Add", ["a", "bias"], ["b"]),
     node("Relu", ["b"], ["c"]), node("Conv", ["c", "depth"], ["d"], one_number("group", 6)),
     node("Add", ["away", "d"], ["e"]), node("Clip", ["e", "low", "high"], ["f"]),
     node("Conv", ["f", "depth"], ["g"], one_number("group", 6)), node("Add", ["g", "map"], ["y"])],
    [weights("kernel", KERNEL.shape, KERNEL.ravel()), weights("depth", DEPTH.shape, DEPTH.ravel()),
     weights("bias", (1, 6, 1, 1), range(6)), weights("away", (6, 1, 1), [-1, 2, -3, 4, -5, 6]),
     weights("map", (1, 6, 4, 4), range(96)), weights("low", (), [0]), weights("high", (), [6])],
    [("x", (1, 3, 8, 8))], [("y", (1, 6, 4, 4))])
BIASED_RANGES = {"x": 4.0, "c": 200.0, "f": 6.0}


def unoptimised(data):
    ort = pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"]).run(None, X)[0]


def test_biases_are_folded_where_they_are_one_number_a_channel():
    graph = graph_of(BIASED)
    folded = fold_biases(BIASED, graph, {name: float_weights(tensor).values
                                         for name, tensor in graph.initializers.items()})
    operators = [one.operator for one in graph_of(folded).nodes]
    assert operators == ["Conv", "Relu", "Conv", "Clip", "Conv", "Add"]
    np.testing.assert_allclose(unoptimised(folded), unoptimised(BIASED), rtol=1e-5, atol=1e-4)
    plain = onnx_bytes.stick_net()
    assert fold_biases(plain, graph_of(plain), {}) is plain


def test_what_integer_kernels_need_changes_no_number():
    plain, fast = quantise(BIASED, BIASED_RANGES), quantise(BIASED, BIASED_RANGES, for_cpu=True)
    operators = [one.operator for one in graph_of(fast.data).nodes]
    assert operators.count("QuantizeLinear") == 5
    assert [one.operator for one in graph_of(plain.data).nodes].count("QuantizeLinear") == 3
    assert fast.nodes == plain.nodes == ("a", "d", "g")
    assert quantise(BIASED, BIASED_RANGES, ("d",), for_cpu=True).nodes == ("a", "g")
    np.testing.assert_allclose(unoptimised(fast.data), unoptimised(plain.data), rtol=1e-5, atol=1e-4)
    assert np.abs(unoptimised(plain.data) - unoptimised(BIASED)).max() > 1e-3


def test_what_something_else_reads_too_is_not_rounded_early():
    kept = quantise(network(), RANGES, for_cpu=True)  # a sum reads the activation as well
    assert [one.operator for one in graph_of(kept.data).nodes].count("QuantizeLinear") == 3


def damaged_weights():
    return model([node("Conv", ["x", "w"], ["y"])], [weights("w", (1, 1, 1, 1), [float("nan")])],
                 [("x", (1, 1, 4, 4))], [("y", (1, 1, 4, 4))])


@pytest.mark.parametrize("data, ranges, keep, error, message", [
    (network(11), RANGES, (), BuildError, "opset 11, and scales for each channel came with 13"),
    (network(), {}, (), BuildError, "no node is left to quantise: of 3"),
    (network(), RANGES, ("a", "c", "y"), BuildError, "no node is left to quantise: of 3"),
    (network(), RANGES, ("aa",), BuildError, "no node 'aa': did you mean 'a'"),
    (quantise(network(), RANGES).data, RANGES, (), BuildError, "quantised already"),
    (damaged_weights(), {"x": 1.0}, (), BuildError, "weights 'w' are not all finite"),
    (network()[:300], RANGES, (), ModelError, "not a readable ONNX file")],
    ids=["an old opset", "no ranges", "all kept", "no such node", "twice", "nan", "cut off"])
def test_what_cannot_be_quantised_is_one_line(data, ranges, keep, error, message):
    with pytest.raises(error, match=message) as caught:
        quantise(data, ranges, keep)
    assert "\n" not in str(caught.value)
