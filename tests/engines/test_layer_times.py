"""Layer times: ONNX Runtime's own profile on the CPU, TensorRT's profiler on the fakes of every version."""
import json
import os
import tempfile

import fake_device
import numpy as np
import pytest
from tensorrt_double import VERSIONS
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.layer_times import LEAST_RUNS
from wholebody.engines.onnxruntime_layer_times import read_nodes
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.engines.trt_layer_times import Reports
from wholebody.errors import ModelError

pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")


@pytest.fixture
def feeds():
    return {"picture": np.random.RandomState(0).rand(1, 3, 64, 112).astype(np.float32)}


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_stick_network(tmp_path)


def test_onnx_runtime_tells_every_node_of_every_run_and_leaves_no_file(network, feeds, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with open_engine(str(network), OpenOptions(threads=1)) as engine:
        feeds = {engine.inputs[0].name: feeds["picture"]}
        before = engine.infer(feeds)
        timed = engine.time_layers(feeds, 0.05)
        after = engine.infer(feeds)
    assert "Conv" in " ".join(layer.kind for layer in timed.layers)
    runs = len(timed.run_ms)
    assert runs >= LEAST_RUNS
    assert {len(layer.ms) for layer in timed.layers} == {runs}
    for run, whole in enumerate(timed.run_ms):
        assert sum(layer.ms[run] for layer in timed.layers) <= whole
    for name, array in before.items():
        assert (after[name] == array).all()
    assert os.listdir(str(tmp_path / "temporary")) == []
    assert sorted(os.listdir(str(tmp_path))) == ["net.onnx", "temporary"]


def test_nodes_of_one_name_are_two_and_runs_before_the_last_ones_do_not_count():
    def node(index, name, us, **more):
        return {"cat": "Node", "name": name + "_kernel_time", "dur": us, "args": dict(
            more, op_name="Conv", node_index=index)}

    fence = {"cat": "Node", "name": "a_fence_before", "dur": 7, "args": {}}
    events = [{"cat": "Session", "name": "model_loading_array", "dur": 5}]
    for us in (900, 10, 20):
        events += [node("0", "a", us, output_type_shape=[{"float16": [1]}]), fence, node("1", "a", 2 * us),
                   {"cat": "Session", "name": "model_run", "dur": 4 * us}]
    timed = read_nodes(json.dumps(events), 2)
    assert [(layer.name, layer.precision) for layer in timed.layers] == [("a", "FP16"), ("a", "unknown")]
    assert [layer.ms for layer in timed.layers] == [pytest.approx((0.01, 0.02)), pytest.approx((0.02, 0.04))]
    assert timed.run_ms == pytest.approx((0.04, 0.08))


@pytest.mark.parametrize("text, said", [("{", "cannot be read"), ("[]", "names no node")], ids=["cut short", "empty"])
def test_a_profile_without_nodes_is_one_line(text, said):
    with pytest.raises(ModelError, match=said):
        read_nodes(text, 5)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_profiler_of_every_tensorrt_tells_layers_that_the_inspector_knows(network, feeds, monkeypatch, tmp_path,
                                                                               version):
    use_tensorrt(monkeypatch, tmp_path, version)
    build_engine("net.onnx", "net.engine", BuildSpec("fp32", (32, 32), (64, 112), (128, 128), 1, 4))
    with open_engine("net.engine", OpenOptions(device=fake_device.FakeDevice)) as engine:
        feeds = {engine.inputs[0].name: feeds["picture"]}
        before = {name: array.copy() for name, array in engine.infer(feeds).items()}
        timed = engine.time_layers(feeds, 0.02)
        assert timed.by == "TensorRT's profiler"
        assert timed.layers[0].kind == "Reformat"
        assert {layer.kind for layer in timed.layers[1:]} == {"CaskConvolution"}
        assert {layer.precision for layer in timed.layers} == {"FP32"}
        assert sum(layer.ms[0] for layer in timed.layers) == pytest.approx(1.0)
        assert {len(layer.ms) for layer in timed.layers} == {len(timed.layers[0].ms)}
        assert timed.run_ms == (), "this fake has no events"
        for name, array in engine.infer(feeds).items():
            assert (array == before[name]).all()
    assert fake_device.FakeDevice.open_devices == 0


def test_a_name_that_is_told_twice_in_a_run_is_both_together():
    reports = Reports()
    for _ in range(2):
        reports.next_run()
        for name, ms in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
            reports.add(name, ms)
    assert reports.times == {"a": [4.0, 4.0], "b": [2.0, 2.0]}
