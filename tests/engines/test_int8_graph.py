"""INT8 for strongly typed builders, from a table: what it keeps computes in FP16, and NVIDIA's builder takes it."""
import json

import numpy as np
import onnx_bytes
import pytest
from onnx_bytes import ints, model, node, weights
from real_builders import TARGET, need_asset, need_rtx

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.calibration_table import CalibrationTable, read_table, table_to_json
from wholebody.engines.inspection import inspect_onnx
from wholebody.engines.int8_graph import to_int8
from wholebody.engines.onnx_graph import HALF, read_graph
from wholebody.engines.onnxfile import graph_sha256
from wholebody.engines.qdq_graph import candidates, graph_of
from wholebody.errors import BuildError

KERNEL = np.random.RandomState(0).normal(0, 1, (4, 4, 3, 3)).astype(np.float32)
PADDED = ints("pads", [1, 1, 1, 1])
CHAIN = model([node("Conv", ["x", "k"], ["a"], PADDED), node("Relu", ["a"], ["b"]),
               node("Conv", ["b", "k"], ["c"], PADDED), node("Relu", ["c"], ["d"]),
               node("Conv", ["d", "k"], ["y"], PADDED)],
              [weights("k", KERNEL.shape, KERNEL.ravel())], [("x", (1, 4, 8, 8))], [("y", (1, 4, 8, 8))])
RANGES = {"x": 4.0, "b": 60.0, "d": 600.0}


def table(data=CHAIN, ranges=None, **more):
    return CalibrationTable(graph_sha256(data), dict(ranges or RANGES), **more)


def types_read(data):
    """By node, the type of what it reads first."""
    graph = read_graph(graph_of(data).message)
    return {one.name: graph.types[one.inputs[0]] for one in graph.nodes if one.operator == "Conv"}


def test_kept_nodes_compute_in_fp16_between_casts_and_the_others_in_int8():
    made = to_int8(CHAIN, table(keep=("c",)))
    assert {name: dtype == HALF for name, dtype in types_read(made.data).items()} == {
        "a": False, "c": True, "y": False}
    assert [kept.name for kept in made.kept] == ["c"]
    ort = pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    x = {"x": np.random.RandomState(1).normal(0, 1, (1, 4, 8, 8)).astype(np.float32)}
    expected, found = (ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, x)[0]
                       for data in (CHAIN, made.data))
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("more, keep_fp32", [
    ({"keep": ("c",)}, ("c",)), ({"keep": ("c",), "statistics": {"max": {"b": 70000.0}}}, ())],
    ids=["the user says so", "it reads what FP16 cannot hold"])
def test_a_kept_node_is_fp32_where(more, keep_fp32):
    assert HALF not in types_read(to_int8(CHAIN, table(**more), keep_fp32).data).values()


def test_a_table_is_the_same_after_writing_and_reading(tmp_path):
    made = table(method="max", statistics={"max": RANGES}, channels={"k": [1.0, 2.0]}, keep=("c",),
                 pictures={"count": 3}, preprocessing={"scale": 0.5})
    path = tmp_path / "t.json"
    path.write_text(table_to_json(made))
    again = read_table(str(path), made.graph_sha256, "chain.onnx")
    assert again._replace(sha256="") == made
    assert json.loads(path.read_text())["wholebody_calibration"] == 1


def test_tensorrt_rtx_builds_it_and_the_manifest_names_what_is_kept(tmp_path, monkeypatch):
    need_rtx()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.onnx").write_bytes(CHAIN)
    (tmp_path / "t.json").write_text(table_to_json(table(keep=("c",))))
    manifest = build_engine("chain.onnx", "chain.engine", BuildSpec("int8", target=TARGET, calibration="t.json"))
    assert (manifest.strategy, manifest.kept_fp32) == ("graph", ("c",))
    assert manifest.calibration_sha256
    (tmp_path / "t.json").write_text(table_to_json(table(onnx_bytes.stick_net())))
    with pytest.raises(BuildError, match="was measured on another network"):
        build_engine("chain.onnx", "other.engine", BuildSpec("int8", target=TARGET, calibration="t.json"))


@pytest.mark.parametrize("name", ["human-pose-estimation-0001.fp32.onnx", "tfpose_mnv2small_coco18.onnx",
                                  "hand_landmark_full.onnx"])
def test_a_real_network_with_every_third_node_kept_becomes_a_plan(tmp_path, monkeypatch, name):
    path = need_asset(name)
    need_rtx()
    monkeypatch.chdir(tmp_path)
    with open(path, "rb") as file:
        data = file.read()
    graph = graph_of(data)
    found = candidates(graph)
    made = table(data, {graph.nodes[one.place].inputs[0]: 6.0 for one in found}, keep=tuple(c.name for c in found[::3]))
    (tmp_path / "t.json").write_text(table_to_json(made))
    free = not all(isinstance(dim, int) for dim in inspect_onnx(path).inputs[0].shape[1:])
    spec = BuildSpec("int8", target=TARGET, calibration="t.json")
    if free:
        spec = spec._replace(min_size=(64, 96), opt_size=(64, 96), max_size=(64, 96))
    assert len(build_engine(path, "net.engine", spec).kept_fp32) == len(made.keep)
