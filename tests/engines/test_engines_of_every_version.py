"""Build, open and run on the strict fake of every TensorRT version; results are ONNX Runtime's."""
import numpy as np
import pytest
from fake_device import FakeDevice
from tensorrt_double import VERSIONS
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.engine_pair import manifest_path, read_manifest
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.engines.trt_bindings_engine import TrtBindingsEngine
from wholebody.engines.trt_tensors_engine import TrtTensorsEngine

pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
ONE_SIZE = BuildSpec("fp32", (64, 96), (64, 96), (64, 96))
RANGE = BuildSpec("fp32", (32, 32), (64, 96), (128, 128), 1, 2)


@pytest.fixture(params=VERSIONS)
def place(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, request.param)
    write_stick_network(tmp_path)
    return request.param


def pictures(*shapes):
    random = np.random.RandomState(0)
    return [random.rand(*shape).astype(np.float32) for shape in shapes]


def assert_equal_to_onnxruntime(shapes):
    with open_engine("net.engine", OpenOptions(device=FakeDevice)) as engine, OnnxRuntimeEngine("net.onnx") as cpu:
        for picture in pictures(*shapes):
            found, expected = engine.infer({"image": picture}), cpu.infer({"image": picture})
            assert set(found) == {"heatmaps", "pafs"}
            for name in expected:
                np.testing.assert_array_equal(found[name], expected[name])
    assert FakeDevice.open_devices == 0


def test_an_engine_of_one_size_is_built_opened_and_run(place):
    build_engine("net.onnx", "net.engine", ONE_SIZE)
    assert_equal_to_onnxruntime([(1, 3, 64, 96)] * 3)


def test_an_engine_of_many_sizes_runs_each_of_them_in_any_order(place):
    manifest = build_engine("net.onnx", "net.engine", RANGE)
    assert manifest.inputs[0].dims == (None, 3, None, None)
    assert (manifest.card.input.size, manifest.card.input.height) == (None, 64)
    assert_equal_to_onnxruntime([(1, 3, 64, 96), (1, 3, 128, 128), (2, 3, 32, 32), (1, 3, 64, 96), (1, 3, 64, 96)])


def test_an_fp16_engine_answers_nearly_as_fp32_and_eats_and_delivers_fp32(place):
    manifest = build_engine("net.onnx", "net.engine", ONE_SIZE._replace(precision="fp16"))
    assert manifest.kept_fp32 == ()
    with open_engine("net.engine", OpenOptions(device=FakeDevice)) as engine, OnnxRuntimeEngine("net.onnx") as cpu:
        assert {info.dtype for info in engine.inputs + engine.outputs} == {"float32"}
        picture = pictures((1, 3, 64, 96))[0]
        found, expected = engine.infer({"image": picture}), cpu.infer({"image": picture})
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-2)
    # Where the builder has flags the graph stays as it is.
    assert any(layer["name"] == "image/fp16/cast" for layer in manifest.layers) is (manifest.strategy == "graph")


def test_a_node_that_is_kept_in_fp32_is_in_the_manifest(place):
    notes = []
    manifest = build_engine("net.onnx", "net.engine", ONE_SIZE._replace(precision="fp16", keep_fp32=("all",)),
                            listen=lambda kind, value: notes.append(value) if kind == "note" else None)
    assert read_manifest("net.engine").kept_fp32 == manifest.kept_fp32 == ("all",)
    assert (manifest.strategy == "graph") is ("kept in FP32 (as asked): all" in notes)


def test_the_manifest_says_how_it_was_built(place):
    manifest = build_engine("net.onnx", "net.engine", ONE_SIZE)
    assert read_manifest("net.engine") == manifest
    assert (manifest.tensorrt, manifest.product) == (place, "TensorRT")
    assert manifest.card.input.size == (64, 96)
    assert manifest.strategy == ("graph" if place.startswith("11") else "builder flags")
    assert manifest.layers[0]["reformat"] is True
    assert len(manifest.engine_sha256) == len(manifest.graph_sha256) == len(manifest.timing_cache_sha256) == 64
    assert manifest_path("net.engine").read_text().endswith('"\n}\n')


def test_the_class_follows_from_what_the_version_has(place):
    build_engine("net.onnx", "net.engine", ONE_SIZE)
    with open_engine("net.engine", OpenOptions(device=FakeDevice)) as engine:
        assert type(engine) is (TrtBindingsEngine if place == "8.2.1" else TrtTensorsEngine)
        assert [str(info) for info in engine.inputs] == ["image [1, 3, 64, 96] float32"]
