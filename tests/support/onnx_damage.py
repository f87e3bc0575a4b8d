"""ONNX graphs with one thing wrong."""
import numpy as np
import onnx
from onnx import numpy_helper


def damaged(source, target, change):
    """Writes `source` to `target` after change(graph), which gives the name of the node it spoilt."""
    model = onnx.load(str(source))
    name = change(model.graph)
    onnx.save(model, str(target))
    return name


def one_weight(operator, which=0, grouped=False, by=1.0):
    """One number of the weights of the n-th node of an operator; `grouped` counts depthwise convolutions only."""
    def change(graph):
        node = _node(graph, operator, which, grouped)
        tensor = next(t for t in graph.initializer if t.name == node.input[1])
        values = numpy_helper.to_array(tensor).copy()
        values.flat[values.size // 2] += np.float32(by)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return node.name
    return change


def attribute(operator, name, values, which=0, grouped=False):
    """Other integers in an attribute."""
    def change(graph):
        node = _node(graph, operator, which, grouped)
        next(a for a in node.attribute if a.name == name).ints[:] = values
        return node.name
    return change


def another_operator(operator, becomes, which=0):
    """The operator exchanged."""
    def change(graph):
        node = _node(graph, operator, which)
        node.op_type = becomes
        return node.name
    return change


def turned_inputs(operator, which=0):
    """The inputs in reverse order."""
    def change(graph):
        node = _node(graph, operator, which)
        names = list(node.input)[::-1]
        del node.input[:]
        node.input.extend(names)
        return node.name
    return change


def put_in(operator, before, which=0):
    """A node more, in front of the n-th of an operator; that one's name is given back."""
    def change(graph):
        node = _node(graph, before, which)
        place = next(n for n, other in enumerate(graph.node) if other is node)
        more = onnx.helper.make_node(operator, [node.input[0]], ["put_in"], name="put_in")
        node.input[0] = "put_in"
        graph.node.insert(place, more)
        return graph.node[place + 1].name
    return change


def nameless(graph):
    """Every node and inner tensor under another name, as simplifiers leave them; the weights too."""
    outside = {value.name for value in (*graph.input, *graph.output)}
    new = {}
    for tensor in graph.initializer:
        tensor.name = new.setdefault(tensor.name, f"w{len(new)}")
    for n, node in enumerate(graph.node):
        node.name = f"n{n}"
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name and name not in outside:
                    names[i] = new.setdefault(name, f"t{len(new)}")
    del graph.value_info[:]


def _node(graph, operator, which, grouped=False):
    nodes = [node for node in graph.node if node.op_type == operator
             and (not grouped or next(a.i for a in node.attribute if a.name == "group") > 1)]
    return nodes[which]
