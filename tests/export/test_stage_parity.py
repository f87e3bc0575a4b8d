"""Checkpoint, ONNX, quantised ONNX and engine on real pictures: alike, or where they part."""
import json

import cv2
import numpy as np
import onnx_bytes
import pytest
import torch
from checkpoint_files import as_torch, official_tensors
from onnx_damage import damaged, one_weight
from sticks import draw_sticks

from wholebody.card import card_from_json
from wholebody.cli.export import main
from wholebody.engines.fp16_graph import convert
from wholebody.engines.onnxfile import card_of, parse_onnx, with_card
from wholebody.engines.qdq_graph import quantise
from wholebody.export.stage_parity import StageOptions, compare_stages, error_jumps

CARD = card_from_json(onnx_bytes.STICK_CARD)
RANGES = {"image": 1.0, "wild": 100.0}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net, wild = (with_card(made, CARD) for made in (onnx_bytes.stick_net(), onnx_bytes.wild_stick_net()))
    (tmp_path / "net.onnx").write_bytes(net)
    (tmp_path / "wild.onnx").write_bytes(wild)
    (tmp_path / "int8.onnx").write_bytes(quantise(net, RANGES).data)
    (tmp_path / "ruined.onnx").write_bytes(quantise(wild, RANGES).data)
    (tmp_path / "half.onnx").write_bytes(convert(net).data)
    (tmp_path / "turned.onnx").write_bytes(with_card(net, CARD._replace(input=CARD.input._replace(color="rgb"))))
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), draw_sticks(1 + number))
    return tmp_path


def test_stages_that_find_the_same_people_are_alike(place, capsys):
    assert main(["verify", "net.onnx", "half.onnx", "int8.onnx", "--images", "pictures"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "all stages find the same people"
    assert [line.split()[1] for line in said.splitlines()[1:4]] == ["FP32", "FP16", "INT8"]


def test_the_first_node_that_int8_ruins_is_named(place, capsys):
    assert main(["verify", "wild.onnx", "ruined.onnx", "--images", "pictures", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["stages"][1]["agreement"] < 0.5
    assert found["parted"].startswith("ruined.onnx: people agree by 0.")
    assert found["parted"].endswith("first at node all (Conv)")
    assert found["culprits"][0]["node"] == "all"


def test_a_card_that_prepares_pictures_otherwise_is_named_before_any_node(place, capsys):
    assert main(["verify", "net.onnx", "turned.onnx", "--images", "pictures"]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == (
        "turned.onnx: its preprocessing differs from the card of net.onnx: color rgb, not bgr")


def test_a_float_network_with_another_weight_is_told_by_its_outputs(place, capsys):
    damaged(place / "net.onnx", place / "spoilt.onnx", one_weight("Conv", 0))
    assert main(["verify", "net.onnx", "spoilt.onnx", "--images", "pictures"]) == 3
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("spoilt.onnx: outputs differ by")
    assert "first at node all (Conv)" in said


def test_jumps_are_found_in_the_order_of_the_network():
    data = onnx_bytes.wild_stick_net()
    feeds = {"image": np.random.default_rng(0).uniform(0, 1, (1, 3, 16, 16)).astype(np.float32)}
    assert error_jumps(data, data, feeds) == ()
    jumps = error_jumps(data, quantise(data, {"image": 0.1, "wild": 100.0}).data, feeds)
    assert jumps[0].name == "wild"
    assert jumps[0].before == 0 < jumps[0].after


def test_a_checkpoint_is_a_stage_too(place, capsys):
    torch.save(as_torch(official_tensors("lightweight-openpose-1")), "net.pth")
    assert main(["onnx", "net.pth", "-o", "pose.onnx", "--arch", "lightweight-openpose-1", "-q"]) == 0
    capsys.readouterr()
    words = ["net.pth", "pose.onnx", "--images", "pictures", "--net-resolution", "96x64"]
    assert main(["verify", *words]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:3]] == ["checkpoint", "FP32"]
    data = (place / "pose.onnx").read_bytes()
    card = card_of(parse_onnx(data, "it"), "it")
    (place / "pose.onnx").write_bytes(with_card(data, card._replace(input=card.input._replace(mean=(0.0, 0.0, 0.0)))))
    assert main(["verify", *words]) == 3
    assert "pose.onnx: its preprocessing differs from the card of net.pth: mean" in capsys.readouterr().out


def test_an_engine_is_a_stage_too(place, monkeypatch):
    from fake_device import FakeDevice
    from tensorrt_setting import use_tensorrt
    use_tensorrt(monkeypatch, place, "8.5.2.2")
    monkeypatch.setattr("wholebody.runtime.cuda.CudaDevice", FakeDevice)
    monkeypatch.setattr("wholebody.runtime.estimator.CudaDevice", FakeDevice)
    monkeypatch.setattr("wholebody.export.stage_parity.CudaDevice", FakeDevice)
    assert main(["build", "net.onnx", "--fp32", "--size", "112x64", "-o", "net.engine", "-q"]) == 0
    options = StageOptions("pictures", estimator=(("net_resolution", "112x64"),))
    report = compare_stages(["net.onnx", "int8.onnx", "net.engine"], options)
    assert report.passed, report.parted
    assert [stage.kind for stage in report.stages] == ["FP32", "INT8", "engine"]


@pytest.mark.parametrize("words, code, message", [
    (["net.onnx"], 2, "required: MODEL.onnx"),
    (["net.onnx", "int8.onnx", "half.onnx"], 2, "more than two stages are compared on pictures: --images DIR"),
    (["net.onnx", "int8.onnx", "--images", "nowhere"], 1, "nowhere")], ids=["one", "no pictures", "no folder"])
def test_what_makes_no_sense_is_one_line(place, capsys, words, code, message):
    try:
        assert main(["verify", *words]) == code
    except SystemExit as stop:
        assert stop.code == code
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
