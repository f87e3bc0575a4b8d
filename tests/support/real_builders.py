"""NVIDIA's real builders, where they are installed; and graphs with Q/DQ nodes to give them."""
import importlib.util
import pathlib

import numpy as np
import pytest

ASSETS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "assets" / "weights"
TARGET = "rtx:8.6"


def need_rtx():
    """Skips where TensorRT-RTX is not installed."""
    for package in ("tensorrt_rtx_bindings", "onnxruntime_ep_nv_tensorrt_rtx"):
        if importlib.util.find_spec(package) is None:
            pytest.skip("TensorRT-RTX is not here: pip install '.[rtx]' (300 MB)")


def need_asset(name):
    """Path of a network of ../shared; skips where it is missing."""
    path = ASSETS / name
    if not path.is_file():
        pytest.skip("%s is missing" % path)
    return str(path)


def quantise(source, target):
    """Writes `source` with a QuantizeLinear and a DequantizeLinear before every convolution; how many of them.

    Scales are made up: such a network says nothing, it only has the form that a builder must take.
    """
    onnx = pytest.importorskip("onnx", reason="inserts nodes: pip install '.[export]'")
    model = onnx.load(source)
    graph, nodes, count = model.graph, [], 0
    weights = {initializer.name: initializer for initializer in graph.initializer}

    def constant(name, values):
        graph.initializer.append(onnx.numpy_helper.from_array(values, name))
        return name

    for node in graph.node:
        # Convolutions with weights in the file; a transposed one has its channels elsewhere.
        if node.op_type == "Conv" and node.input[1] in weights:
            values = onnx.numpy_helper.to_array(weights[node.input[1]])
            largest = np.maximum(np.abs(values.reshape(len(values), -1)).max(1), 1e-6) / 127
            for place, scale, axis in ((0, np.float32(0.1), {}), (1, largest.astype(np.float32), {"axis": 0})):
                name = "q%d_%d" % (count, place)
                scale = constant(name + "_scale", np.asarray(scale))
                zero = constant(name + "_zero", np.zeros(() if place == 0 else len(values), np.int8))
                nodes.append(onnx.helper.make_node("QuantizeLinear", [node.input[place], scale, zero], [name + "_q"],
                                                   name + "_quantize", **axis))
                nodes.append(onnx.helper.make_node("DequantizeLinear", [name + "_q", scale, zero], [name + "_d"],
                                                   name + "_dequantize", **axis))
                node.input[place] = name + "_d"
            count += 1
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, target)
    return count
