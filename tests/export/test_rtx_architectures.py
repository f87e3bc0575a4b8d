"""Every architecture, with random weights and at a small size, becomes a real plan by NVIDIA's own builder."""
import pytest
import torch
from real_builders import TARGET, need_rtx, quantise

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.onnxfile import parse_onnx, read_bytes
from wholebody.export.loading import LoadedNetwork
from wholebody.export.networks.architecture import LOOKS, TOP_DOWN
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.onnx_export import OnnxOptions, export_onnx
from wholebody.skeletons import get_skeleton

# Of the networks for one person these are built every time: with deformable convolutions, and with attention.
ALWAYS = ("fastpose-50-dcn", "rtmpose-t")
PARAMETERS = [pytest.param(name, marks=() if network.family != TOP_DOWN or name in ALWAYS else pytest.mark.long)
              for name, network in ARCHITECTURES.items() if network.family != LOOKS]


def spec_of(model, precision):
    """A build at the one size a model takes, or at a small one."""
    _, _, *sides = parse_onnx(read_bytes(model), str(model)).inputs[0].shape
    size = tuple(sides) if isinstance(sides[0], int) else (64, 96)
    return BuildSpec(precision, size, size, size, optimization_level=0, target=TARGET)


@pytest.fixture(scope="module", params=PARAMETERS)
def onnx(request, tmp_path_factory):
    """An architecture as an ONNX file that takes any size, or the only one there is."""
    need_rtx()
    architecture = ARCHITECTURES[request.param]
    torch.manual_seed(0)
    loaded = LoadedNetwork(architecture.build().eval(), architecture, get_skeleton(architecture.skeleton), (), "0" * 64)
    path = tmp_path_factory.mktemp("rtx") / "net.onnx"
    export_onnx(loaded, str(path), OnnxOptions(simplify=False), "random")
    yield path
    path.unlink()


def test_it_becomes_a_plan_in_fp32(onnx, tmp_path):
    spec = spec_of(onnx, "fp32")
    manifest = build_engine(str(onnx), str(tmp_path / "net.engine"), spec)
    (height, width), stride = spec.opt_size, manifest.card.heads[0].stride
    assert manifest.card.input.size == (height, width)
    sides = {(height // stride, width // stride)} if stride else {(2 * width,), (2 * height,)}
    assert {tuple(info.shape[2:]) for info in manifest.outputs} == sides


def test_it_becomes_a_plan_in_fp16(onnx, tmp_path):
    manifest = build_engine(str(onnx), str(tmp_path / "net.engine"), spec_of(onnx, "fp16"))
    assert {info.dtype for info in manifest.outputs} == {"float32"}


def test_it_becomes_a_plan_in_int8_with_qdq_nodes(onnx, tmp_path):
    assert quantise(str(onnx), str(tmp_path / "quantised.onnx")) > 10
    manifest = build_engine(str(tmp_path / "quantised.onnx"), str(tmp_path / "net.engine"),
                            spec_of(onnx, "int8"))
    assert manifest.spec.precision == "int8"
    assert manifest.strategy == "graph"
