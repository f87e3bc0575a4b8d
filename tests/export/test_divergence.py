"""The node that was spoilt is the node that is named, whatever was spoilt and wherever it stands."""
import numpy as np
import pytest
import torch
from checkpoint_files import as_torch, official_tensors, write_official
from onnx_damage import another_operator, attribute, damaged, nameless, one_weight, put_in, turned_inputs

from wholebody.export.divergence import find_divergence, likeness
from wholebody.export.loading import load_network
from wholebody.export.module_names import module_of
from wholebody.export.onnx_export import OnnxOptions, export_onnx
from wholebody.export.onnx_graph import Graph


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Name of an architecture -> its ONNX file and its modules; each is made when first asked for."""
    folder, made = tmp_path_factory.mktemp("divergence"), {}

    def get(name):
        if name not in made:
            checkpoint = write_official(folder, name, official_tensors(name))
            loaded = load_network(str(checkpoint), name)
            checkpoint.unlink()
            made[name] = str(folder / f"{name}.onnx"), [module for module, _ in loaded.network.named_modules()]
            export_onnx(loaded, made[name][0])
        return made[name]

    yield get
    for path, _ in made.values():
        (folder / path).unlink()


LIGHT, RESNET, BODY = "lightweight-openpose-1", "trt-pose-resnet18", "openpose-body25"
SPOILT = [
    ("the first convolution", LIGHT, one_weight("Conv"), "model.0.0", "differs in 1 of 864"),
    ("the last convolution", LIGHT, one_weight("Conv", -1), "refinement_stages.0.pafs.1.0", "differs in 1 of"),
    ("a depthwise convolution", LIGHT, one_weight("Conv", 5, grouped=True), "model.6.0", "differs in 1 of 2304"),
    ("a convolution in the middle", LIGHT, one_weight("Conv", 30), "cpm.conv.0", "differs in 1 of"),
    ("a little of a weight", LIGHT, one_weight("Conv", 30, by=0.02), "cpm.conv.0", "differs in 1 of"),
    ("another stride", LIGHT, attribute("Conv", "strides", [1, 1]), "model.0.0", "strides [1, 1], expected [2, 2]"),
    ("moved pads", LIGHT, attribute("Conv", "pads", [2, 2, 0, 0], 3, grouped=True), "model.4.0",
     "pads [2, 2, 0, 0], expected [1, 1, 1, 1]"),
    ("no pads, so that shapes no longer fit", LIGHT, attribute("Conv", "pads", [0, 0, 0, 0], 8, grouped=True),
     "model.9.0", "pads [0, 0, 0, 0], expected [1, 1, 1, 1]"),
    ("a sum that subtracts", LIGHT, another_operator("Add", "Sub", 2), "refinement_stages.0.trunk.1",
     "operator Sub, expected Add"),
    ("maps in another order", LIGHT, turned_inputs("Concat"), "", ""),
    ("a node too many", LIGHT, put_in("Neg", "Conv", 20), "model.10.3", "Neg put_in in front of it"),
    ("a gate of the other kind", RESNET, another_operator("Sigmoid", "Tanh"), "1", "operator Tanh, expected Sigmoid"),
    ("a transposed convolution", RESNET, one_weight("ConvTranspose", 4, by=5.0), "1.paf_up.3", "differs in 1 of"),
    ("the slope of a PReLU", BODY, one_weight("PRelu", 40, by=2.0),
     "paf_stages.stage2_L2.Mconv2.steps.2.Mprelu2_stage2_L2_2", "differs in 1 of"),
]


def picture(size=(64, 96)):
    return {"image": np.random.default_rng(5).random((1, 3, *size), np.float32) - np.float32(0.5)}


@pytest.mark.parametrize(("network", "change", "module", "says"), [case[1:] for case in SPOILT],
                         ids=[case[0] for case in SPOILT])
def test_the_spoilt_node_is_named_with_its_module_and_what_is_wrong(networks, tmp_path, network, change, module, says):
    path, modules = networks(network)
    name = damaged(path, tmp_path / "spoilt.onnx", change)
    reference, spoilt = Graph(path), Graph(str(tmp_path / "spoilt.onnx"))
    found = find_divergence(reference, spoilt, picture(), 1e-4)
    assert found is not None
    assert found.name == name
    assert spoilt.nodes[found.index].name == name
    assert found.error > 1e-5
    assert says in "; ".join(found.differences)
    assert (module_of(reference.makers[found.reference_tensor], modules) or "").startswith(module)


def test_names_do_not_count(networks, tmp_path):
    path, _ = networks(LIGHT)

    def change(graph):
        name = one_weight("Conv", 12)(graph)
        index = next(n for n, node in enumerate(graph.node) if node.name == name)
        nameless(graph)
        return index

    index = damaged(path, tmp_path / "spoilt.onnx", change)
    found = find_divergence(Graph(path), Graph(str(tmp_path / "spoilt.onnx")), picture(), 1e-4)
    assert found is not None
    assert (found.name, found.index) == (f"n{index}", index)


def test_what_was_not_simplified_is_compared_with_what_was(networks, tmp_path):
    path, _ = networks(RESNET)
    torch.save(as_torch(official_tensors(RESNET)), tmp_path / "net.pth")
    export_onnx(load_network(str(tmp_path / "net.pth")), str(tmp_path / "plain.onnx"), OnnxOptions(simplify=False))
    name = damaged(tmp_path / "plain.onnx", tmp_path / "spoilt.onnx", one_weight("Conv", 3))
    graph, plain = Graph(path), Graph(str(tmp_path / "plain.onnx"))
    assert likeness(plain, plain) == 1 > likeness(graph, plain) > 0.9
    assert find_divergence(graph, plain, picture(), 1e-4) is None
    found = find_divergence(graph, Graph(str(tmp_path / "spoilt.onnx")), picture(), 1e-4)
    assert found is not None
    assert found.name == name


def test_equal_graphs_have_no_node_at_fault(networks):
    graph = Graph(networks(LIGHT)[0])
    assert find_divergence(graph, graph, picture(), 0.0) is None
