"""Every architecture, with random weights and at a small size, becomes a real plan by NVIDIA's own builder."""
import pytest
import torch
from real_builders import TARGET, need_rtx, quantise

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.export.loading import LoadedNetwork
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.onnx_export import OnnxOptions, export_onnx
from wholebody.skeletons import get_skeleton

SPEC = BuildSpec("fp32", (64, 96), (64, 96), (64, 96), optimization_level=0, target=TARGET)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def onnx(request, tmp_path_factory):
    """An architecture as an ONNX file that takes any size."""
    need_rtx()
    architecture = ARCHITECTURES[request.param]
    torch.manual_seed(0)
    loaded = LoadedNetwork(architecture.build().eval(), architecture, get_skeleton(architecture.skeleton), (), "0" * 64)
    path = tmp_path_factory.mktemp("rtx") / "net.onnx"
    export_onnx(loaded, str(path), OnnxOptions(simplify=False), "random")
    yield path
    path.unlink()


def test_it_becomes_a_plan_in_fp32(onnx, tmp_path):
    manifest = build_engine(str(onnx), str(tmp_path / "net.engine"), SPEC)
    assert manifest.card.input.size == (64, 96)
    stride = manifest.card.heads[0].stride
    assert {tuple(info.shape[2:]) for info in manifest.outputs} == {(64 // stride, 96 // stride)}


def test_it_becomes_a_plan_in_fp16(onnx, tmp_path):
    manifest = build_engine(str(onnx), str(tmp_path / "net.engine"), SPEC._replace(precision="fp16"))
    assert {info.dtype for info in manifest.outputs} == {"float32"}


def test_it_becomes_a_plan_in_int8_with_qdq_nodes(onnx, tmp_path):
    assert quantise(str(onnx), str(tmp_path / "quantised.onnx")) > 10
    manifest = build_engine(str(tmp_path / "quantised.onnx"), str(tmp_path / "net.engine"),
                            SPEC._replace(precision="int8"))
    assert manifest.spec.precision == "int8"
    assert manifest.strategy == "graph"
