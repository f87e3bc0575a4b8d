"""wb-export onnx, card, verify and build with networks for one person."""
import json

import numpy as np
import pytest
import torch
from checkpoint_files import as_torch, official_tensors, rtm_shapes
from real_builders import TARGET, need_rtx

from wholebody.cli.export import main
from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.opening import open_engine
from wholebody.errors import BuildError, CardError
from wholebody.export.cards import give_card
from wholebody.export.checkpoint_verification import verify_checkpoint
from wholebody.export.loading import load_network
from wholebody.export.onnx_export import OnnxOptions, export_onnx
from wholebody.export.verification import VerifyOptions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """rtm.pth: RTMPose-t for HALPE_26 at 64x96; dcn.pth: FastPose with deformable convolutions for HALPE_136."""
    folder = tmp_path_factory.mktemp("commands")
    tensors = official_tensors("rtmpose-t", variant=rtm_shapes("rtmpose-t", 26, (96, 64)))
    torch.save({"state_dict": as_torch(tensors)}, folder / "rtm.pth")
    tensors = official_tensors("fastpose-50-dcn", variant={"conv_out.weight": (136, 256, 3, 3)})
    torch.save(as_torch(tensors), folder / "dcn.pth")
    return folder


@pytest.fixture
def place(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def test_a_network_of_one_size_is_written_at_that_size(place, tmp_path, capsys):
    out = str(tmp_path / "rtm.onnx")
    assert main(["onnx", "rtm.pth", "-o", out, "--batch", "1"]) == 0
    said = capsys.readouterr()
    assert said.err == "rtm.pth is rtmpose-t\n"
    assert said.out == f"wrote {out}: rtmpose-t, HALPE_26, simcc\n"
    outside = parse_onnx(read_bytes(out), out)
    assert [tuple(info.shape) for info in (*outside.inputs, *outside.outputs)] == [
        (1, 3, 96, 64), (1, 26, 128), (1, 26, 192)]
    assert main(["verify", "rtm.pth", out]) == 0
    assert main(["inspect", out, "--json"]) == 0
    capsys.readouterr()
    assert main(["onnx", "rtm.pth", "-o", str(tmp_path / "other.onnx"), "--size", "192x256"]) == 1
    assert "this checkpoint takes pictures of 64x96 only, got 192x256" in capsys.readouterr().err


def test_pixels_go_in_as_they_are_where_asked(place, tmp_path):
    out = str(tmp_path / "rtm.onnx")
    assert main(["onnx", "rtm.pth", "-o", out, "--fold-input"]) == 0
    with open_engine(out) as engine:
        pixels = np.random.default_rng(0).integers(0, 256, (1, 96, 64, 3), np.uint8)
        got = engine.infer({"image": pixels})
    image = (pixels / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    with torch.no_grad():
        expected = load_network("rtm.pth").network(torch.from_numpy(image.transpose(0, 3, 1, 2).astype(np.float32)))
    for name, rows in zip(("simcc_x", "simcc_y"), expected):
        np.testing.assert_allclose(got[name], rows, atol=1e-4 * float(rows.max() - rows.min()))


def test_a_foreign_file_gets_its_card_and_the_bins_it_really_has(place, tmp_path):
    onnx = pytest.importorskip("onnx", reason="makes a foreign file")
    ours, foreign = str(tmp_path / "ours.onnx"), str(tmp_path / "foreign.onnx")
    export_onnx(load_network("rtm.pth"), ours, OnnxOptions(simplify=False))
    model = onnx.load(ours)
    del model.metadata_props[:]
    onnx.save(model, foreign)
    card = give_card(foreign, "rtmpose-halpe26", str(tmp_path / "out.onnx"))
    assert (card.head("simcc").split, card.input.size, card.input.box_padding) == (2.0, (96, 64), 1.25)
    with pytest.raises(CardError, match="presets whose shapes fit: rtmpose-halpe26"):
        give_card(foreign, "rtmpose", str(tmp_path / "other.onnx"))


def test_deformable_convolutions_are_sampled_or_native(place, tmp_path, capsys):
    sampled, native = str(tmp_path / "sampled.onnx"), str(tmp_path / "native.onnx")
    words = ["onnx", "dcn.pth", "--size", "96x64", "--batch", "1", "--no-simplify"]
    assert main([*words, "-o", sampled]) == 0
    said = capsys.readouterr().out
    assert "fastpose-50-dcn, HALPE_136, heatmap and integral" in said
    assert "Note: no checkpoint says how it was trained: taken to be combined" in said
    assert main([*words, "-o", native, "--native-ops", "--head", "integral"]) == 0
    assert "Note" not in capsys.readouterr().out
    onnx = pytest.importorskip("onnx", reason="counts nodes")
    for path, opset, ir, operator, heads in ((sampled, 16, 8, "GridSample", ["heatmap", "integral"]),
                                             (native, 19, 9, "DeformConv", ["integral"])):
        model = onnx.load(path)
        assert (model.opset_import[0].version, model.ir_version) == (opset, ir)
        assert [node.op_type for node in model.graph.node].count(operator) == 13
        assert [head.kind for head in card_of(parse_onnx(read_bytes(path), path), path).heads] == heads
        assert verify_checkpoint("dcn.pth", path, options=VerifyOptions(inputs=1)).passed
    need_rtx()
    with pytest.raises(BuildError, match=r"\(DeformConv\): .*; export .* without --native-ops") as caught:
        build_engine(native, str(tmp_path / "native.engine"), BuildSpec("fp32", target=TARGET))
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_a_changed_weight_of_a_native_network_is_found(place, tmp_path):
    onnx = pytest.importorskip("onnx", reason="changes a weight")
    path = str(tmp_path / "native.onnx")
    export_onnx(load_network("dcn.pth"), path, OnnxOptions((64, 96), 1, simplify=False, native_ops=True))
    model = onnx.load(path)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("layer3.2.conv2.weight"))
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0] += 1
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, path)
    result = verify_checkpoint("dcn.pth", path, options=VerifyOptions(inputs=1))
    assert not result.passed
    assert (result.divergence.operator, result.divergence.module) == ("DeformConv", "preact.layer3.2.conv2")


REFUSED = [
    ("an operator that is not there", ["rtm.pth", "--native-ops"], "rtmpose-t has no operator that --native-ops"),
    ("a head over bins", ["rtm.pth", "--head", "integral"], "this head is for networks that give one stack"),
    ("a preset with another head", ["rtm.pth", "--preset", "alphapose"], "this head is for networks that give one"),
    ("a skeleton of other keypoints", ["rtm.pth", "--skeleton", "COCO_17"], "26 keypoints, COCO_17 has 17"),
    ("an unknown skeleton", ["rtm.pth", "--skeleton", "COCO"], "unknown skeleton 'COCO'"),
    ("an unknown preset", ["rtm.pth", "--preset", "rtmpos"], "did you mean rtmpose"),
    ("the network without deformable convolutions", ["dcn.pth", "--arch", "fastpose-50"], "not fastpose-50: "),
]


@pytest.mark.parametrize(("words", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_the_command_refuses_in_one_line(place, tmp_path, capsys, words, says):
    out = tmp_path / "x.onnx"
    assert main(["onnx", *words, "-o", str(out)]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.splitlines()[-1].startswith("wb-export: ")
    assert not out.exists()


def test_verify_takes_keypoints_from_the_card(place, tmp_path, capsys):
    skeleton = {"name": "MINE", "keypoints": [f"point_{n}" for n in range(26)]}
    (tmp_path / "mine.json").write_text(json.dumps(skeleton))
    out = str(tmp_path / "rtm.onnx")
    assert main(["onnx", "rtm.pth", "-o", out, "--skeleton", str(tmp_path / "mine.json")]) == 0
    assert "rtmpose-t, MINE, simcc" in capsys.readouterr().out
    assert main(["verify", "rtm.pth", out]) == 0
