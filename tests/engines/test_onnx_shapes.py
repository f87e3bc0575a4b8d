"""Shapes and costs told from the operators, without the onnx package."""
import onnx_bytes as ox
import pytest
from onnx_bytes import integers, signed, word, zeros

from wholebody.engines.network_cost import load_graph, network_cost
from wholebody.engines.onnx_shapes import broadcast, shapes_of
from wholebody.errors import ModelError
from wholebody.protobuf import nested


def floats(name, values):
    return ox.weights(name, (len(values),), values)


CASES = [
    ("Conv", [zeros("w", (8, 6, 3, 3))], [ox.ints("strides", [2, 2]), ox.ints("pads", [1, 1, 1, 1])], (1, 8, 5, 8)),
    ("Conv", [zeros("w", (8, 6, 3, 3))], [ox.ints("dilations", [2, 2])], (1, 8, 6, 12)),
    ("Conv", [zeros("w", (8, 6, 3, 3))], [ox.ints("strides", [2, 2]), word("auto_pad", "SAME_UPPER")],
     (1, 8, 5, 8)),
    ("ConvTranspose", [zeros("w", (6, 8, 4, 4))], [ox.ints("strides", [2, 2]), ox.ints("pads", [1, 1, 1, 1])],
     (1, 8, 20, 32)),
    ("MaxPool", [], [ox.ints("kernel_shape", [3, 3]), ox.ints("strides", [2, 2])], (1, 6, 4, 7)),
    ("MaxPool", [], [ox.ints("kernel_shape", [3, 3]), ox.ints("strides", [2, 2]), signed("ceil_mode", 1)],
     (1, 6, 5, 8)),
    ("GlobalAveragePool", [], [], (1, 6, 1, 1)),
    ("Transpose", [], [ox.ints("perm", [0, 2, 3, 1])], (1, 10, 16, 6)),
    ("Reshape", [integers("s", [0, -1, 16])], [], (1, 60, 16)),
    ("Flatten", [], [signed("axis", 2)], (6, 160)),
    ("Unsqueeze", [integers("a", [0, -1])], [], (1, 1, 6, 10, 16, 1)),
    ("Squeeze", [integers("a", [0])], [], (6, 10, 16)),
    ("ReduceMean", [], [ox.ints("axes", [2, 3])], (1, 6, 1, 1)),
    ("ReduceMean", [], [ox.ints("axes", [1]), signed("keepdims", 0)], (1, 10, 16)),
    ("ArgMax", [], [signed("axis", -1), signed("keepdims", 0)], (1, 6, 10)),
    ("Slice", [integers("b", [1, 0]), integers("e", [5, 1 << 40]), integers("ax", [2, 3]), integers("st", [1, 3])], [],
     (1, 6, 4, 6)),
    ("Slice", [integers("b", [-1]), integers("e", [-(1 << 62)]), integers("ax", [3]), integers("st", [-1])], [],
     (1, 6, 10, 16)),
    ("Gather", [integers("i", [0, 2])], [signed("axis", 1)], (1, 2, 10, 16)),
    ("Pad", [integers("p", [0, 0, 1, 2, 0, 0, 3, 4])], [], (1, 6, 14, 22)),
    ("Resize", [floats("r", []), floats("s", [1, 1, 2, 1.5])], [], (1, 6, 20, 24)),
    ("Resize", [floats("r", []), floats("s", []), integers("z", [1, 6, 30, 48])], [], (1, 6, 30, 48)),
    ("Tile", [integers("t", [1, 2, 1, 1])], [], (1, 12, 10, 16)),
    ("Expand", [integers("t", [3, 1, 10, 16])], [], (3, 6, 10, 16)),
    ("DepthToSpace", [], [signed("blocksize", 1)], (1, 6, 10, 16)),
    ("MatMul", [zeros("w", (16, 5))], [], (1, 6, 10, 5)),
    ("Softmax", [], [], (1, 6, 10, 16)),
    ("Add", [zeros("b", (6, 1, 1))], [], (1, 6, 10, 16)),
]


@pytest.mark.parametrize("operator, constants, attributes, expected", CASES,
                         ids=["%s-%d" % (case[0], number) for number, case in enumerate(CASES)])
def test_an_operator_makes_the_shape_that_onnx_says(operator, constants, attributes, expected):
    names = [bytes(ox_name(constant)).decode() for constant in constants]
    data = ox.model([ox.node(operator, ["x"] + names, ["y"], *attributes)], constants, [("x", (1, 6, 10, 16))],
                    [("y", ())])
    assert shapes_of(load_graph(data, "net"), {"x": (1, 6, 10, 16)}, "net")["y"] == expected


def ox_name(tensor):
    return nested(memoryview(tensor), 8)[-1]


def test_shapes_that_a_graph_computes_are_followed():
    """x -> Shape -> half of its sides -> Resize to them: what detectors' necks do."""
    nodes = [ox.node("Shape", ["x"], ["shape"]),
             ox.node("Slice", ["shape", "two", "four", "zero"], ["sides"]),
             ox.node("Div", ["sides", "halves"], ["half"]),
             ox.node("Slice", ["shape", "zero", "two", "zero"], ["head"]),
             ox.node("Concat", ["head", "half"], ["wanted"], signed("axis", 0)),
             ox.node("Resize", ["x", "", "", "wanted"], ["y"])]
    data = ox.model(nodes, [integers("two", [2]), integers("four", [4]), integers("zero", [0]),
                            integers("halves", [2, 2])], [("x", (1, 6, "h", "w"))], [("y", ())])
    assert shapes_of(load_graph(data, "net"), {"x": (1, 6, 30, 44)}, "net")["y"] == (1, 6, 15, 22)


@pytest.mark.parametrize("nodes, message", [
    ([ox.node("Einsum", ["x"], ["y"])], r"net: the cost of node y \(Einsum\) cannot be told: there is no rule for it"),
    ([ox.node("NonZero", ["x"], ["n"]), ox.node("Relu", ["n"], ["y"])], "NonZero"),
    ([ox.node("Reshape", ["x", "x"], ["y"])], "the shape it makes is unknown"),
    ([ox.node("MaxPool", ["x"], ["y"], ox.ints("kernel_shape", [30, 30]))], "too small for it"),
    ([ox.node("Add", ["x", "w"], ["y"])], "do not go together")])
def test_what_cannot_be_told_names_the_node(nodes, message):
    data = ox.model(nodes, [zeros("w", (5,))], [("x", (1, 3, 10, 16))], [("y", ())])
    with pytest.raises(ModelError, match=message):
        network_cost(load_graph(data, "net"), 10, 16, "NCHW", "net")


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not go together"):
        broadcast([(2, 3), (4, 3)])


def chain(*operators):
    """x -> Conv -> the operators -> y, each of one input."""
    nodes, last = [ox.node("Conv", ["x", "w"], ["c"], ox.ints("pads", [1, 1, 1, 1]))], "c"
    for place, operator in enumerate(operators):
        nodes.append(ox.node(operator, [last], ["t%d" % place]))
        last = "t%d" % place
    return ox.model(nodes, [zeros("w", (4, 3, 3, 3))], [("x", (1, 3, "h", "w"))], [(last, ())])


def test_activations_join_the_convolution_before_them():
    cost = network_cost(load_graph(chain("Relu", "Clip"), "net"), 8, 16, "NCHW", "net")
    assert [kernel.nodes for kernel in cost.kernels] == [(0, 1, 2)]
    assert cost.flop == 2 * 4 * 27 * 8 * 16
    assert cost.traffic == 2 * 4 * 8 * 16 + 4 * 27
    assert cost.parameters == 4 * 27


def test_an_activation_of_two_nodes_joins_too_and_a_sum_reads_the_other_side():
    nodes = [ox.node("Conv", ["x", "w"], ["c"], ox.ints("pads", [1, 1, 1, 1])), ox.node("Sigmoid", ["c"], ["s"]),
             ox.node("Mul", ["c", "s"], ["m"]), ox.node("MaxPool", ["x"], ["p"], ox.ints("kernel_shape", [1, 1])),
             ox.node("Add", ["m", "p"], ["y"])]
    data = ox.model(nodes, [zeros("w", (3, 3, 3, 3))], [("x", (1, 3, "h", "w"))], [("y", ())])
    cost = network_cost(load_graph(data, "net"), 8, 16, "NCHW", "net")
    assert [kernel.operator for kernel in cost.kernels] == ["Conv", "MaxPool"]
    assert cost.kernels[0].nodes == (0, 1, 2)
    assert cost.kernels[1].inputs == 2 * 3 * 8 * 16


def test_a_tensor_that_two_kernels_read_is_written():
    nodes = [ox.node("Conv", ["x", "w"], ["c"], ox.ints("pads", [1, 1, 1, 1])), ox.node("Relu", ["c"], ["r"]),
             ox.node("Concat", ["r", "c"], ["y"], signed("axis", 1))]
    data = ox.model(nodes, [zeros("w", (4, 3, 3, 3))], [("x", (1, 3, "h", "w"))], [("y", ())])
    cost = network_cost(load_graph(data, "net"), 8, 16, "NCHW", "net")
    assert [kernel.operator for kernel in cost.kernels] == ["Conv", "Relu"]


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_network_is_one_line_or_a_plan(seed):
    import random
    chance, data = random.Random(seed), bytearray(chain("Relu", "Sigmoid", "Softmax"))
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)):]
    try:
        network_cost(load_graph(bytes(data), "net"), 8, 16, "NCHW", "net")
    except ModelError as error:
        assert "\n" not in str(error)
