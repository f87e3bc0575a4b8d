"""If a feature were taken for granted where a version lacks it, the strict fakes would say so: none of these passes."""
import pathlib

import numpy as np
import pytest
from fake_device import FakeDevice
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.engines import trt_opening
from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.inspection import inspect_onnx
from wholebody.engines.onnxfile import graph_sha256
from wholebody.engines.shapes import input_shapes
from wholebody.engines.trt_builder import BuildJob, build_plan
from wholebody.engines.trt_module import load_tensorrt
from wholebody.jetson.identity import Board

SPEC = BuildSpec("fp32", (64, 96), (64, 96), (64, 96))
BUILDING = [
    ("8.2.1", "memory_pools", True), ("10.3.0", "memory_pools", False), ("11.4.0", "memory_pools", False),
    ("8.2.1", "explicit_batch_flag", False), ("11.4.0", "explicit_batch_flag", True),
    ("8.6.0", "progress_monitor", True), ("11.4.0", "strongly_typed", "never"),
    ("8.5.2.2", "optimization_level", True), ("8.5.2.2", "version_compatible", True), ("8.6.0", "strip_plan", True),
    ("11.4.0", "reports_fast_precisions", True), ("8.6.0", "compute_capabilities", True),
]


def changes(feature):
    return {"optimization_level": {"optimization_level": 1}, "version_compatible": {"version_compatible": True},
            "strip_plan": {"strip": True}, "strongly_typed": {"precision": "fp16"},
            "reports_fast_precisions": {"precision": "fp16"},
            "compute_capabilities": {"target": "rtx:8.6"}}.get(feature, {})


@pytest.mark.parametrize("version, feature, wrong", BUILDING, ids=["%s-%s" % case[:2] for case in BUILDING])
def test_a_wrong_feature_fails_while_building(tmp_path, monkeypatch, version, feature, wrong):
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, version)
    path = str(write_stick_network(tmp_path))
    trt = load_tensorrt()
    more = {"refit_from_onnx": True} if feature == "strip_plan" else {}
    trt = trt._replace(features=trt.features._replace(**dict({feature: wrong}, **more)))
    spec = SPEC._replace(**changes(feature))
    digest = graph_sha256(pathlib.Path(path).read_bytes())
    job = BuildJob(path, digest, spec, input_shapes(inspect_onnx(path).inputs, None, spec, path), Board(), 64)
    with pytest.raises(Exception, match="has no attribute|explicit batch|^[A-Z_0-9]+$"):
        build_plan(trt, job, lambda kind, value: None)


@pytest.mark.parametrize("version, wrong", [("8.2.1", True), ("10.3.0", False), ("11.4.0", False)])
def test_the_wrong_way_of_running_fails(tmp_path, monkeypatch, version, wrong):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, version)
    write_stick_network(tmp_path)
    build_engine("net.onnx", "net.engine", SPEC)
    trt = load_tensorrt()
    trt = trt._replace(features=trt.features._replace(named_tensors=wrong))
    monkeypatch.setattr(trt_opening, "load_tensorrt", lambda kind: trt)
    with pytest.raises(AttributeError, match="has no attribute"):
        with trt_opening.open_trt_engine("net.engine", FakeDevice) as engine:
            engine.infer({"image": np.zeros((1, 3, 64, 96), np.float32)})
    assert FakeDevice.open_devices == 0
