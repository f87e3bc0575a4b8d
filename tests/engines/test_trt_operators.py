"""Networks with operators that a TensorRT does not have are refused in one line that names what to build instead."""
import json

import onnx_bytes
import pytest
from tensorrt_double import VERSIONS
from tensorrt_setting import use_tensorrt

from wholebody.card import card_from_json
from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.onnxfile import with_card
from wholebody.errors import BuildError

SHAPE = (1, 3, 8, 8)
SIBLINGS = [
    ("a network with a sibling", "fastpose-50-dcn",
     "build fastpose-50, the same network without deformable convolutions"),
    ("somebody's own network", "mine", "build a network without it"),
    ("a network without a card", None, "build a network without it"),
]


def write(path, operator, name=None):
    """A network whose last node is of this operator; no double looks at more than the operator."""
    nodes = [onnx_bytes.node("Relu", ["x"], ["a"]), onnx_bytes.node(operator, ["a"], ["y"])]
    data = onnx_bytes.model(nodes, [], [("x", SHAPE)], [("y", SHAPE)])
    if name is not None:
        card = dict(json.loads(onnx_bytes.STICK_CARD), name=name)
        data = with_card(data, card_from_json(json.dumps(card)))
    path.write_bytes(data)


@pytest.mark.parametrize("name, says", [case[1:] for case in SIBLINGS], ids=[case[0] for case in SIBLINGS])
def test_grid_sample_is_refused_before_8_5_with_the_network_to_build_instead(tmp_path, monkeypatch, name, says):
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, "8.2.1")
    write(tmp_path / "net.onnx", "GridSample", name)
    with pytest.raises(BuildError) as caught:
        build_engine("net.onnx", "net.engine", BuildSpec("fp32"))
    assert str(caught.value) == ("net.onnx: TensorRT 8.2.1 has no GridSample (TensorRT 8.5 and later do), of which the "
                                 "network has 1: " + says)
    assert not (tmp_path / "net.engine").exists()


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "8.2.1"])
def test_the_parser_is_asked_about_grid_sample_where_there_is_one(tmp_path, monkeypatch, version):
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, version)
    write(tmp_path / "net.onnx", "GridSample")
    with pytest.raises(BuildError, match=r"the ONNX parser of .* refuses node 'y' \(GridSample\)"):
        build_engine("net.onnx", "net.engine", BuildSpec("fp32"))  # the double's parser knows few operators


@pytest.mark.parametrize("operator", ["DeformConv", "RoiAlign"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_parser_without_a_native_operator_is_answered_with_the_export_that_does_without(
        tmp_path, monkeypatch, version, operator):
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, version)
    write(tmp_path / "net.onnx", operator)
    with pytest.raises(BuildError, match=r"refuses node 'y' \(%s\): .*; export the network again without "
                                         "--native-ops$" % operator) as caught:
        build_engine("net.onnx", "net.engine", BuildSpec("fp32"))
    assert "\n" not in str(caught.value)
