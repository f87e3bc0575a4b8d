"""NVIDIA's real parser and builder, without a GPU: the networks of ../shared become plans, bad graphs one line."""
import hashlib

import numpy as np
import onnx_bytes
import pytest
from real_builders import TARGET, need_asset, need_rtx, quantise
from tensorrt_setting import write_stick_network

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.engine_pair import read_manifest, read_plan
from wholebody.engines.inspection import inspect_onnx
from wholebody.engines.onnxfile import graph_sha256
from wholebody.engines.trt_features import ALWAYS
from wholebody.engines.trt_module import RTX, load_tensorrt
from wholebody.errors import BuildError, EngineMismatch

SMALL = BuildSpec("fp32", (64, 96), (64, 96), (64, 96), target=TARGET)


@pytest.fixture
def place(tmp_path, monkeypatch):
    need_rtx()
    monkeypatch.chdir(tmp_path)
    write_stick_network(tmp_path)
    return tmp_path


def test_it_is_strongly_typed_and_builds_for_gpus_that_are_not_here(place):
    features = load_tensorrt(RTX).features
    assert (features.strongly_typed, features.compute_capabilities, features.named_tensors) == (ALWAYS, True, True)


NETWORKS = ["human-pose-estimation-0001.fp32.onnx", "human-pose-estimation-0001.int8-qdq.onnx",
            "hand_landmark_full.onnx", "pfld.onnx", "rtmdet-nano.onnx", "tfpose_mnv2small_coco18.onnx",
            "ultralight_simplepose_coco17.onnx", "yolox_nano.onnx"]


def spec_for(path):
    """In INT8 where the network has such nodes, at 96x64 where it takes any size."""
    found = inspect_onnx(path)
    free = not all(isinstance(dim, int) for dim in found.inputs[0].shape[1:])
    spec = SMALL if free else BuildSpec("fp32", target=TARGET)
    return spec._replace(precision="int8") if "QuantizeLinear" in dict(found.operators) else spec


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_the_assets_becomes_a_plan(place, name):
    path = need_asset(name)
    manifest = build_engine(path, "net.engine", spec_for(path))
    assert manifest.product == "TensorRT-RTX"
    assert len(manifest.outputs) == len(inspect_onnx(path).outputs)
    assert all(isinstance(dim, int) for info in manifest.outputs for dim in info.shape)
    assert read_plan("net.engine", read_manifest("net.engine"))[:4] != b"\0\0\0\0"
    assert manifest.engine_sha256 == hashlib.sha256((place / "net.engine").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", [n for n in NETWORKS if "int8" not in n])
def test_a_network_of_the_assets_becomes_a_plan_in_fp16(place, name):
    path = need_asset(name)
    assert build_engine(path, "net.engine", spec_for(path)._replace(precision="fp16")).strategy == "graph"


@pytest.mark.parametrize("name", [n for n in NETWORKS if "int8" not in n])
def test_a_network_of_the_assets_becomes_a_plan_with_qdq_nodes(place, name):
    path = need_asset(name)
    assert quantise(path, "quantised.onnx") > 10
    manifest = build_engine("quantised.onnx", "net.engine", spec_for(path)._replace(precision="int8"))
    assert "INT8" in manifest.spec.precision.upper()


def test_one_plan_serves_several_gpus_and_a_range_of_sizes(place):
    spec = BuildSpec("fp32", (64, 64), (64, 96), (128, 128), 1, 2, target="rtx:8.6,8.9,12.0")
    manifest = build_engine("net.onnx", "net.engine", spec)
    assert manifest.outputs[0].shape == (None, 3, None, None)
    assert manifest.spec.capabilities == ("8.6", "8.9", "12.0")


def test_weights_in_a_file_beside_the_network_are_found(place, monkeypatch):
    (place / "w.bin").write_bytes(np.full(192, 5, np.float32).tobytes())
    where = onnx_bytes.text(1, "location") + onnx_bytes.text(2, "w.bin")
    w = (b"".join(onnx_bytes.number(1, d) for d in (1, 3, 8, 8)) + onnx_bytes.number(2, 1) + onnx_bytes.text(8, "w")
         + onnx_bytes.encode_bytes(13, where) + onnx_bytes.number(14, 1))
    add = onnx_bytes.node("Add", ["x", "w"], ["y"])
    (place / "far.onnx").write_bytes(onnx_bytes.model([add], [w], [("x", (1, 3, 8, 8))], [("y", (1, 3, 8, 8))]))
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    assert build_engine("../far.onnx", "far.engine", BuildSpec("fp32", target=TARGET)).onnx_file == "far.onnx"


def bad(name, nodes, shape=(1, 3, 8, 8)):
    return onnx_bytes.model(nodes, [], [("x", shape)], [("y", shape)])


def one(operator, *attributes):
    return [onnx_bytes.node("Relu", ["x"], ["a"]), onnx_bytes.node(operator, ["a"], ["y"], *attributes)]


BAD = [
    ("an unknown operator", one("NoSuchOp"), r"refuses node 'y' \(NoSuchOp\): .*Plugin not found"),
    ("a missing input", [onnx_bytes.node("Relu", ["nobody"], ["y"])], "refuses .*(nobody|Relu)"),
    ("a convolution without weights", one("Conv"), r"refuses node 'y' \(Conv\): "),
    ("a transposition that is none", one("Transpose", onnx_bytes.ints("perm", [0, 0])), "'y'|Transpose"),
]


@pytest.mark.parametrize("nodes, message", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_the_real_parser_refuses_is_one_line_that_names_the_node(place, nodes, message):
    (place / "bad.onnx").write_bytes(bad("bad", nodes))
    with pytest.raises(BuildError, match=message) as caught:
        build_engine("bad.onnx", "bad.engine", BuildSpec("fp32", target=TARGET))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("bad.onnx: ")
    assert not (place / "bad.engine").exists()


def test_a_dynamic_size_without_a_range_is_refused_by_us_and_by_the_real_builder(place, monkeypatch):
    with pytest.raises(BuildError, match="input image .* takes any size, an engine needs one: add --size"):
        build_engine("net.onnx", "net.engine", BuildSpec("fp32", target=TARGET))
    from wholebody.engines import trt_builder
    from wholebody.engines.shapes import input_shapes
    from wholebody.jetson.identity import Board
    monkeypatch.setattr(trt_builder, "set_shapes", lambda *args: None)
    shapes = input_shapes(inspect_onnx("net.onnx").inputs, None, SMALL, "net.onnx")
    digest = graph_sha256((place / "net.onnx").read_bytes())
    job = trt_builder.BuildJob("net.onnx", digest, SMALL, shapes, Board(), 64)
    with pytest.raises(BuildError, match="net.onnx: TensorRT-RTX .* cannot build it: .*(profile|dynamic)"):
        trt_builder.build_plan(load_tensorrt(RTX), job, print)


def test_a_gpu_it_does_not_build_for_is_refused_with_those_it_does(place):
    with pytest.raises(BuildError, match=r"does not build for compute capability 9.0; it builds for 7.5, 8.0, 8.6"):
        build_engine("net.onnx", "net.engine", SMALL._replace(target="rtx:9.0"))


def test_it_does_not_open_on_a_machine_without_that_gpu(place):
    from wholebody.engines import trt_opening
    from wholebody.jetson.identity import Board
    build_engine("net.onnx", "net.engine", SMALL)
    with pytest.raises(EngineMismatch, match="was built by TensorRT-RTX .* for rtx:8.6; .*it was built for compute"):
        trt_opening.open_trt_engine("net.engine", None, board=Board())
