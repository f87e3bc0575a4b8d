"""What a deep-learning accelerator takes of a network, kernel by kernel."""
import onnx_bytes as ox
import pytest
from onnx_bytes import word, zeros

from wholebody.engines.dla_coverage import dla_coverage, largest_on_gpu, reasons
from wholebody.engines.network_cost import load_graph, network_cost
from wholebody.jetson.boards import board_named

ORIN, XAVIER = board_named("agx-orin"), board_named("agx-xavier")


def coverage(nodes, constants=(), board=ORIN, last="y"):
    data = ox.model(nodes, list(constants), [("x", (1, 3, "h", "w"))], [(last, ())])
    graph = load_graph(data, "net")
    return dla_coverage(graph, network_cost(graph, 32, 64, "NCHW", "net"), board)


def conv(given, made, *attributes, **more):
    return ox.node("Conv", [given, more.get("weight", "w")], [made], *attributes)


RULES = [
    ([conv("x", "y")], ""),
    ([conv("x", "y", ox.ints("strides", [9, 9]))], "Conv with strides 9, beyond 1 to 8"),
    ([conv("x", "y", ox.ints("dilations", [40, 1]), ox.ints("pads", [40, 0, 40, 0]))],
     "Conv with pads 40, beyond 0 to 31"),
    ([ox.node("MaxPool", ["x"], ["y"], ox.ints("kernel_shape", [9, 9]))], "MaxPool with kernel_shape 9, beyond 1 to 8"),
    ([ox.node("Elu", ["x"], ["y"])], "Elu is not on its list"),
    ([ox.node("MatMul", ["x", "t"], ["y"]), ox.node("Transpose", ["x"], ["t"], ox.ints("perm", [0, 1, 3, 2]))][::-1],
     "MatMul of two computed tensors"),
    ([ox.node("Softmax", ["x"], ["y"])], ""),
    ([ox.node("Resize", ["x", "", "s"], ["y"], word("mode", "nearest"))], ""),
    ([ox.node("Resize", ["x", "", "s"], ["y"], word("mode", "cubic"))], "Resize by cubic"),
    ([ox.node("Resize", ["x", "", "half"], ["y"], word("mode", "linear"))],
     "Resize by linear with a scale that is no whole number of 1 to 4"),
]
CONSTANTS = (zeros("w", (4, 3, 3, 3)), ox.weights("s", (4,), [1, 1, 2, 2]), ox.weights("half", (4,), [1, 1, 1.5, 1.5]))


@pytest.mark.parametrize("nodes, reason", RULES, ids=[reason or "taken-%d" % n for n, (_, reason) in enumerate(RULES)])
def test_each_rule_is_kept(nodes, reason):
    found = coverage(nodes, CONSTANTS)
    assert found.kernels[-1].reason == reason
    assert found.whole == (reason == "")


def test_xavier_takes_less_than_orin():
    nodes = [ox.node("Softmax", ["x"], ["y"])]
    assert coverage(nodes, board=ORIN).whole
    assert coverage(nodes, board=XAVIER).kernels[0].reason == "Softmax is not taken by this chip"


def test_pieces_switches_and_reasons_are_counted():
    nodes = [conv("x", "a"), ox.node("Elu", ["a"], ["b"]), conv("b", "c", weight="v"), ox.node("Relu", ["c"], ["d"]),
             ox.node("Softplus", ["d"], ["e"]), ox.node("MaxPool", ["e"], ["y"], ox.ints("kernel_shape", [2, 2]))]
    found = coverage(nodes, (zeros("w", (4, 3, 3, 3)), zeros("v", (4, 4, 3, 3))))
    assert [bool(one_.reason) for one_ in found.kernels] == [True, True, False]
    assert (found.loadables, found.switches, found.flop_share) == (1, 1, 0.0)
    assert reasons(found) == [("Elu is not on its list", 1), ("Softplus is not on its list", 1)]
    assert largest_on_gpu(found).kernel.operator == "Conv"
