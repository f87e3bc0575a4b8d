"""FP32 networks become FP16 ones: equal answers, the same face, and what cannot be FP16 stays FP32."""
import struct

import numpy as np
import onnx_bytes
import pytest
from onnx_bytes import encode_bytes, ints, node, number, text, weights
from real_builders import ASSETS, need_asset

from wholebody.engines.fp16_graph import convert, to_fp16
from wholebody.engines.onnx_graph import read_graph
from wholebody.engines.onnx_nodes import attribute_int
from wholebody.engines.onnxfile import graph_sha256, parse_onnx
from wholebody.errors import BuildError, ModelError, WholebodyError
from wholebody.protobuf import nested

FLOAT, HALF, UINT8 = 1, 10, 2
RANDOM = np.random.RandomState(7)


def w(name, *shape):
    return weights(name, shape, RANDOM.uniform(-1, 1, int(np.prod(shape))).astype(np.float32).tolist())


def i64(name, *values):
    data = struct.pack("<%dq" % len(values), *values)
    return number(1, len(values)) + number(2, 7) + text(8, name) + encode_bytes(9, data)


def word(name, value):
    return text(1, name) + text(4, value) + number(20, 3)


def one(name, value):
    return text(1, name) + number(3, value) + number(20, 2)


def net(nodes, constants=(), out=("n", "c", "h", "w"), shape=(1, 4, 8, 8)):
    return onnx_bytes.model(nodes, list(constants), [("x", shape)], [("y", out)])


def held_in_attribute(tensor):
    return text(1, "value") + encode_bytes(5, tensor) + number(20, 4)


def old_float_data(name, *values):
    """Weights in the typed field of a TensorProto, packed."""
    data = struct.pack("<%df" % len(values), *values)
    return number(1, len(values)) + number(2, FLOAT) + text(8, name) + encode_bytes(4, data)


def scalar(name, value):
    return number(2, FLOAT) + text(8, name) + encode_bytes(9, struct.pack("<f", value))


def int8_zero(name):
    return number(2, 3) + text(8, name) + encode_bytes(9, b"\0")


FLAT = node("Flatten", ["x"], ["flat"])
KINDS = [
    ("Conv", net([node("Conv", ["x", "w", "b"], ["y"], ints("kernel_shape", [3, 3]), ints("pads", [1] * 4))],
                 [w("w", 4, 4, 3, 3), w("b", 4)])),
    ("ConvTranspose", net([node("ConvTranspose", ["x", "w"], ["y"], ints("strides", [2, 2]))], [w("w", 4, 4, 2, 2)])),
    ("PRelu", net([node("PRelu", ["x", "w"], ["y"])], [w("w", 4, 1, 1)])),
    ("Clip", net([node("Clip", ["x", "low", "high"], ["y"])], [scalar("low", -0.5), scalar("high", 3e38)])),
    ("BatchNormalization", net([node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])],
                               [w("s", 4), w("b", 4), w("m", 4), weights("v", (4,), [1.0, 2.0, 3.0, 0.5])])),
    ("Resize", net([node("Resize", ["x", "", "scales"], ["y"], word("mode", "linear"))],
                   [weights("scales", (4,), [1.0, 1.0, 2.0, 2.0])])),
    ("Concat", net([node("Concat", ["x", "w", "x"], ["y"], one("axis", 1))], [w("w", 1, 2, 8, 8)])),
    ("MaxPool", net([node("MaxPool", ["x"], ["y"], ints("kernel_shape", [2, 2]))])),
    ("Gemm", net([FLAT, node("Gemm", ["flat", "w", "b"], ["y"])], [w("w", 256, 5), w("b", 5)], ("n", "c"))),
    ("Softmax", net([node("Softmax", ["x"], ["y"], one("axis", 1))])),
    ("Sigmoid", net([node("Sigmoid", ["x"], ["y"])])),
    ("ReduceMean", net([node("ReduceMean", ["x"], ["y"], ints("axes", [2, 3]))])),
    ("Transpose", net([node("Transpose", ["x"], ["y"], ints("perm", [0, 2, 3, 1]))])),
    ("Constant", net([node("Constant", [], ["c"], held_in_attribute(w("", 4, 8, 8))), node("Mul", ["x", "c"], ["y"])])),
    ("Constant of one float", net([node("Constant", [], ["c"], text(1, "value_float") + b"\x15" + struct.pack("<f", 3.5)
                                        + number(20, 1)), node("Mul", ["x", "c"], ["y"])])),
    ("Constant of floats", net([node("Constant", [], ["c"], text(1, "value_floats") + encode_bytes(
        7, struct.pack("<f", 3.5)) + number(20, 6)), node("Mul", ["x", "c"], ["y"])])),
    ("ConstantOfShape", net([node("ConstantOfShape", ["s"], ["c"], held_in_attribute(weights("", (1,), [2.5]))),
                             node("Add", ["x", "c"], ["y"])], [i64("s", 4, 8, 8)])),
    ("ConstantOfShape of nothing", net([node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])],
                                       [i64("s", 4, 8, 8)])),
    ("weights in float_data", net([node("Mul", ["x", "w"], ["y"])], [old_float_data("w", *range(8))])),
    ("Cast", net([node("Greater", ["x", "zero"], ["is"]), node("Cast", ["is"], ["y"], one("to", FLOAT))],
                 [scalar("zero", 0.0)])),
    ("sizes as floats", net([node("Shape", ["x"], ["s"]), node("Cast", ["s"], ["f"], one("to", FLOAT)),
                             node("ReduceProd", ["f"], ["count"]), node("Div", ["x", "count"], ["y"])])),
    ("TopK", net([node("TopK", ["x", "k"], ["y", "places"])], [i64("k", 3)])),
    ("Where", net([node("Less", ["x", "zero"], ["is"]), node("Where", ["is", "x", "zero"], ["y"])],
                  [scalar("zero", 0)])),
    ("Split and Identity", net([node("Split", ["x"], ["a", "b"], one("axis", 1)), node("Identity", ["b"], ["y"])])),
    ("QuantizeLinear", net([node("QuantizeLinear", ["x", "s", "z"], ["q"]),
                            node("DequantizeLinear", ["q", "s", "z"], ["d"]),
                            node("Conv", ["d", "w"], ["y"])],
                           [scalar("s", 0.01), int8_zero("z"), w("w", 4, 4, 1, 1)])),
]


def graph_of(data):
    """Names, types and nodes, by our own reader."""
    return read_graph(nested(memoryview(data), 7)[0])


def run(folder, data, feeds):
    onnxruntime = pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    path = folder / "net.onnx"
    path.write_bytes(data)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def largest_difference(expected, found):
    """In parts of the largest magnitude."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    return np.abs(expected - found).max() / max(np.abs(expected).max(), 1e-9)


@pytest.mark.parametrize("data", [case[1] for case in KINDS], ids=[case[0] for case in KINDS])
def test_a_network_of_each_kind_of_operator_gives_the_same_answers_in_fp16(tmp_path, data):
    half, feeds = to_fp16(data), {"x": RANDOM.uniform(-1, 1, (1, 4, 8, 8)).astype(np.float32)}
    assert HALF in graph_of(half).types.values()
    for expected, found in zip(run(tmp_path, data, feeds), run(tmp_path, half, feeds)):
        assert largest_difference(expected, found) < 1e-2


@pytest.mark.parametrize("data", [case[1] for case in KINDS], ids=[case[0] for case in KINDS])
def test_inputs_and_outputs_stay_and_a_second_conversion_changes_nothing(data):
    half = to_fp16(data)
    before, after = parse_onnx(data, "net"), parse_onnx(half, "net")
    assert (before.inputs, before.outputs, before.opset) == (after.inputs, after.outputs, after.opset)
    assert to_fp16(data) == half
    assert to_fp16(half) == half


def types_at(data, output):
    """Types of the float inputs of the node that makes this tensor, and of its outputs."""
    graph = graph_of(data)
    for found in graph.nodes:
        if output in found.outputs:
            return ({graph.types[name] for name in found.inputs if graph.types.get(name) in (FLOAT, HALF)},
                    {graph.types[name] for name in found.outputs})
    raise AssertionError("no node makes %r" % output)


TWO_CONVS = net([node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["r"]), node("Conv", ["r", "w"], ["b"]),
                 node("Relu", ["b"], ["y"])], [w("w", 4, 4, 1, 1)])


def test_a_node_that_is_kept_computes_in_fp32_on_its_own_copy_of_shared_weights(tmp_path):
    model = convert(TWO_CONVS, ["a"])
    assert model.kept == (("a", "as asked"),)
    assert types_at(model.data, "a") == ({FLOAT}, {FLOAT})
    assert types_at(model.data, "b") == ({HALF}, {HALF})
    assert types_at(to_fp16(TWO_CONVS), "a") == ({HALF}, {HALF})
    graph = graph_of(model.data)
    assert {name: graph.types[name] for name in graph.initializers} == {"w": HALF, "w/fp32": FLOAT}
    assert [found.operator for found in graph.nodes] == ["Conv", "Cast", "Relu", "Conv", "Relu", "Cast"]
    assert [attribute_int(found, "to", 0) for found in graph.nodes if found.operator == "Cast"] == [HALF, FLOAT]
    feeds = {"x": RANDOM.uniform(-1, 1, (1, 4, 8, 8)).astype(np.float32)}
    assert largest_difference(run(tmp_path, TWO_CONVS, feeds)[0], run(tmp_path, model.data, feeds)[0]) < 1e-2


def test_with_every_node_kept_the_answers_are_those_of_fp32(tmp_path):
    model = convert(TWO_CONVS, ["a", "r", "b", "y"])
    feeds = {"x": RANDOM.uniform(-1, 1, (1, 4, 8, 8)).astype(np.float32)}
    np.testing.assert_array_equal(run(tmp_path, TWO_CONVS, feeds)[0], run(tmp_path, model.data, feeds)[0])


def test_weights_halve_the_file():
    data = onnx_bytes.paf_net(stride=32, heatmaps=50)
    assert len(to_fp16(data)) < 0.51 * len(data)


EPSILON = text(1, "epsilon") + b"\x15" + struct.pack("<f", 1e-7) + number(20, 1)
BEYOND = [
    ("too large", net([node("Mul", ["x", "w"], ["y"])], [scalar("w", 70000.0)]), "weights too large for FP16"),
    ("nothing left", net([node("Mul", ["x", "w"], ["y"])], [scalar("w", 1e-8)]), "weights too small for FP16"),
    ("a summand that is as good as none", net([node("Conv", ["x", "w", "b"], ["y"])],
                                              [w("w", 4, 4, 1, 1), weights("b", (4,), [1e-6] * 4)]), None),
    ("a variance that epsilon covers", net([node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])],
                                           [w("s", 4), w("b", 4), w("m", 4), weights("v", (4,), [1e-6] * 4)]), None),
    ("a variance that matters", net([node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], EPSILON)],
                                    [w("s", 4), w("b", 4), w("m", 4), weights("v", (4,), [1e-6] * 4)]),
     "weights too small for FP16"),
    ("all zeros", net([node("Mul", ["x", "w"], ["y"])], [scalar("w", 0.0)]), None),
    ("minus infinity", net([node("Max", ["x", "w"], ["y"])], [scalar("w", -np.inf)]), None),
    ("a bound that is none", net([node("Clip", ["x", "", "w"], ["y"])], [scalar("w", 3.4e38)]), None),
]


@pytest.mark.parametrize("data, why", [case[1:] for case in BEYOND], ids=[case[0] for case in BEYOND])
def test_a_node_whose_weights_fp16_cannot_hold_stays_in_fp32_and_is_named(tmp_path, data, why):
    model = convert(data)
    assert model.kept == ((("y", why),) if why else ())
    feeds = {"x": RANDOM.uniform(0.1, 0.9, (1, 4, 8, 8)).astype(np.float32)}
    with np.errstate(invalid="ignore"):
        assert largest_difference(run(tmp_path, data, feeds)[0], run(tmp_path, model.data, feeds)[0]) < 1e-2


def test_pixels_go_in_as_they_are(tmp_path):
    x = text(1, "x") + encode_bytes(2, encode_bytes(1, number(1, UINT8) + encode_bytes(2, b"".join(
        encode_bytes(1, number(1, d)) for d in (1, 3, 4, 4)))))
    nodes = [node("Cast", ["x"], ["f"], one("to", FLOAT)), node("Mul", ["f", "s"], ["y"])]
    graph = (b"".join(encode_bytes(1, n) for n in nodes) + text(2, "g") + encode_bytes(5, scalar("s", 1 / 255.0))
             + encode_bytes(11, x) + encode_bytes(12, onnx_bytes.value_info("y", (1, 3, 4, 4))))
    data = number(1, 7) + encode_bytes(8, number(2, 13)) + encode_bytes(7, graph)
    half = to_fp16(data)
    assert parse_onnx(half, "net").inputs == parse_onnx(data, "net").inputs
    assert [found.operator for found in graph_of(half).nodes] == ["Cast", "Mul", "Cast"]
    feeds = {"x": RANDOM.randint(0, 256, (1, 3, 4, 4)).astype(np.uint8)}
    assert largest_difference(run(tmp_path, data, feeds)[0], run(tmp_path, half, feeds)[0]) < 1e-3


def test_an_output_that_other_nodes_read_too_keeps_its_name(tmp_path):
    data = onnx_bytes.model([node("Relu", ["x"], ["y"]), node("Relu", ["y"], ["y/fp16"])], [], [("x", (1, 4))],
                            [("y", (1, 4)), ("y/fp16", (1, 4)), ("x", (1, 4))])
    half, feeds = to_fp16(data), {"x": np.array([[-1, 0.5, 1, 2]], np.float32)}
    assert [info.name for info in parse_onnx(half, "net").outputs] == ["y", "y/fp16", "x"]
    np.testing.assert_array_equal(run(tmp_path, data, feeds)[0], run(tmp_path, half, feeds)[0])


def test_weights_that_old_files_list_as_inputs_are_weights_only(tmp_path):
    data = onnx_bytes.model([node("Mul", ["x", "w"], ["y"])], [scalar("w", 2.0)], [("x", (1, 4)), ("w", ())],
                            [("y", (1, 4))])
    old = number(1, 3) + data[2:]
    model = parse_onnx(to_fp16(old), "net")
    assert (model.ir_version, [info.name for info in model.inputs]) == (4, ["x"])
    assert list(graph_of(to_fp16(old)).inputs) == ["x"]


def test_the_network_is_another_one():
    assert graph_sha256(to_fp16(TWO_CONVS)) != graph_sha256(TWO_CONVS)


BRANCH = node("If", ["x"], ["y"], text(1, "then_branch") + encode_bytes(6, text(2, "inner")) + number(20, 5))
FAR = (number(1, 4) + number(2, FLOAT) + text(8, "w") + encode_bytes(13, text(1, "location") + text(2, "w.bin"))
       + number(14, 1))
REFUSED = [
    ("a branch", net([BRANCH]), (), BuildError, r"node 'y' \(If\) is not converted to FP16: branches, loops"),
    ("weights elsewhere", net([node("Mul", ["x", "w"], ["y"])], [FAR]), (), BuildError, r"weights in a file .*\(w\)"),
    ("a sequence", net([node("SplitToSequence", ["x"], ["y"])]), (), BuildError, "SplitToSequence"),
    ("no such node", TWO_CONVS, ("nobody",), BuildError, "--keep-fp32: the network has no node 'nobody'$"),
    ("functions", net([node("Relu", ["x"], ["y"])]) + encode_bytes(25, text(1, "f")), (), BuildError, "inline them"),
    ("weights of another size", net([node("Mul", ["x", "w"], ["y"])], [w("w", 4) + number(1, 3)]), (), ModelError,
     r"weights 'w' of shape \[4, 3\] have 16 bytes, expected 48"),
    ("weights of an impossible shape", net([node("Mul", ["x", "w"], ["y"])], [
        number(1, 0) + number(1, 2 ** 63) + number(2, FLOAT) + text(8, "w")]), (), ModelError, "the impossible shape"),
    ("an input from nowhere", net([node("Relu", ["z"], ["y"])]), (), ModelError, "reads 'z', which nothing before it"),
    ("a name that two nodes make", net([node("Relu", ["x"], ["y"])] * 2), (), ModelError, "makes 'y', which is there"),
    ("no graph", b"\x08\x07", (), ModelError, "expected one graph in it, found 0"),
]


@pytest.mark.parametrize("data, keep, error, message", [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_cannot_be_converted_is_refused_in_one_line(data, keep, error, message):
    with pytest.raises(error, match=message) as caught:
        convert(data, keep, "some.onnx")
    assert str(caught.value).startswith("some.onnx")
    assert "\n" not in str(caught.value)


def test_damaged_bytes_are_one_line_or_a_network():
    whole = KINDS[0][1] + b""
    for length in range(0, len(whole), 7):
        assert_one_line(whole[:length])
    for data in (TWO_CONVS, KINDS[0][1], KINDS[13][1], KINDS[-1][1]):
        for _ in range(400):
            hurt = bytearray(data)
            for position in RANDOM.randint(0, len(data), size=3):
                hurt[position] = RANDOM.randint(256)
            assert_one_line(bytes(hurt))


def assert_one_line(data):
    try:
        to_fp16(data)
    except WholebodyError as error:
        assert "\n" not in str(error)


def photograph(side):
    """(side, side, 3) float32, 0 to 255, BGR."""
    cv2 = pytest.importorskip("cv2", reason="reads a photograph: pip install opencv-python-headless")
    paths = sorted((ASSETS.parent / "images" / "coco_val2017").glob("*.jpg"))
    if not paths:
        pytest.skip("%s holds no photographs" % (ASSETS.parent / "images" / "coco_val2017"))
    return cv2.resize(cv2.imread(str(paths[3])), (side, side)).astype(np.float32)


# Mean and largest difference; a detector's boxes are pixels.
# (ultralight_simplepose normalises per pixel, which ONNX Runtime knows only where it is fused away, in FP32.)
REAL = [("human-pose-estimation-0001.fp32.onnx", 1, 1e-4, 1e-2), ("hand_landmark_full.onnx", 1 / 255, 1e-2, 1e-2),
        ("pfld.onnx", 1 / 255, 2e-3, 1e-2), ("tfpose_mnv2small_coco18.onnx", 1 / 128, 1e-3, 3e-2),
        ("yolox_nano.onnx", 1, 1e-3, 5e-2), ("rtmdet-nano.onnx", 1 / 64, 3e-3, 5e-2)]


@pytest.mark.parametrize("name, scale, mean, most", REAL, ids=[case[0] for case in REAL])
def test_a_real_network_answers_nearly_as_in_fp32_on_a_photograph(tmp_path, name, scale, mean, most):
    with open(need_asset(name), "rb") as file:
        data = file.read()
    info = parse_onnx(data, name).inputs[0]
    channels_last = info.shape[-1] == 3
    side = info.shape[2] if isinstance(info.shape[2], int) else 256
    picture = photograph(side) * np.float32(scale)
    feeds = {info.name: picture[None] if channels_last else np.ascontiguousarray(picture.transpose(2, 0, 1))[None]}
    half = to_fp16(data)
    assert to_fp16(half) == half
    for expected, found in zip(run(tmp_path, data, feeds), run(tmp_path, half, feeds)):
        assert largest_difference(expected, found) < most
        assert np.abs(expected - found).mean() / np.abs(expected).max() < mean


@pytest.mark.parametrize("name", sorted(path.name for path in ASSETS.glob("*.onnx")) or ["none"])
def test_every_real_network_is_converted_but_for_what_has_no_fp16_form(name):
    with open(need_asset(name), "rb") as file:
        model = convert(file.read())
    graph = graph_of(model.data)
    kept = {node.why for node in model.kept}
    assert kept <= {"no FP16 form", "computes with whole numbers", "weights too small for FP16"}
    floats = [name for name in graph.initializers if graph.types[name] == FLOAT]
    assert not floats or kept or "Resize" in {found.operator for found in graph.nodes}
