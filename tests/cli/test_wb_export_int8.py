"""wb-export build --int8 --images: ranges, gate, search and engine in one command, without a GPU."""
import json
import sys

import numpy as np
import onnx_bytes
import pytest
from sticks import draw_sticks
from tensorrt_setting import use_tensorrt

from wholebody.card import card_from_json
from wholebody.cli.export import main as wb_export
from wholebody.cli.run import main as wb_run
from wholebody.engines.manifest import manifest_from_json
from wholebody.engines.onnxfile import with_card

pytestmark = pytest.mark.skipif(sys.version_info < (3, 8), reason="calibration needs Python 3.8")


@pytest.fixture
def drawn(place, cv2):
    """Twenty pictures of sticks before backgrounds of their own, net.onnx, and wild.onnx, which INT8 ruins."""
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    (place / "drawn").mkdir()
    for number in range(20):
        rng = np.random.RandomState(number)
        back = cv2.resize(rng.randint(0, 60, (4, 7, 3)).astype(np.uint8), (112, 64), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(place / "drawn" / ("%012d.png" % number)), np.maximum(draw_sticks(1 + number % 4), back))
    (place / "wild.onnx").write_bytes(with_card(onnx_bytes.wild_stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    return place


def operators(path):
    from wholebody.engines.inspection import inspect_onnx
    return dict(inspect_onnx(str(path)).operators)


def test_an_int8_network_is_written_and_finds_the_same_people(drawn, capsys):
    assert wb_export(["build", "net.onnx", "--int8", "--images", "drawn", "-o", "int8.onnx"]) == 0
    said = capsys.readouterr().out
    assert "passed: INT8" in said
    assert "wrote int8.onnx" in said
    assert operators(drawn / "int8.onnx")["QuantizeLinear"] == 1
    for model in ("net.onnx", "int8.onnx"):
        assert wb_run(["--engine", model, "--source", "four.png", "--json", model + ".out", "-q"]) == 0
    people = [json.loads((drawn / (model + ".out") / "four_keypoints.json").read_text())["people"]
              for model in ("net.onnx", "int8.onnx")]
    assert [len(found) for found in people] == [4, 4]


def test_where_int8_ruins_a_node_that_node_is_kept_and_named(drawn, capsys):
    words = ["build", "wild.onnx", "--int8", "--images", "drawn", "-o", "int8.onnx", "--least-int8", "0.2",
             "--gate-report", "report.json"]
    assert wb_export(words) == 0
    said = capsys.readouterr().out
    assert "kept in float: all" in said
    assert "trade-off: kept nodes, MACs in INT8, ranges by, error of the outputs, agreement" in said
    report = json.loads((drawn / "report.json").read_text())
    assert report["passed"]
    assert report["kept"] == ["all"]
    assert [row["kept"] for row in report["trade_off"]] == [0, 1]
    assert report["trade_off"][0]["agreement"] < 0.5 < 0.94 < report["trade_off"][1]["agreement"]
    assert [row["name"] for row in report["networks"]] == ["FP32", "FP16", "INT8, 1 kept"]
    assert json.loads((drawn / "int8.scales.json").read_text())["keep"] == ["all"]


def test_what_int8_cannot_do_is_refused_with_the_reason_and_leaves_no_file(drawn, capsys):
    assert wb_export(["build", "wild.onnx", "--int8", "--images", "drawn", "-o", "int8.onnx"]) == 3
    said = capsys.readouterr().out
    assert "refused: INT8" in said
    assert "What costs most: all" in said
    assert said.strip().endswith("Build with --fp16")
    assert not (drawn / "int8.onnx").exists()


@pytest.mark.parametrize("version", ["8.5.2.2", "11.4.0"])
def test_an_engine_is_built_measured_itself_and_its_manifest_says_so(drawn, monkeypatch, capsys, version):
    from fake_device import FakeDevice
    monkeypatch.setattr("wholebody.runtime.cuda.CudaDevice", FakeDevice)
    monkeypatch.setattr("wholebody.runtime.estimator.CudaDevice", FakeDevice)
    use_tensorrt(monkeypatch, drawn, version)
    words = ["build", "wild.onnx", "--int8", "--images", "drawn", "--size", "112x64", "--least-int8", "0.2",
             "-o", "net.engine"]
    assert wb_export(words) == 0
    assert "the engine itself: agreement with FP32" in capsys.readouterr().err
    manifest = manifest_from_json((drawn / "net.engine.json").read_bytes(), "it")
    assert manifest.kept_fp32 == ("all",)
    assert manifest.accuracy["passed"]
    assert manifest.accuracy["engine"]["agreement"] > 0.9
    assert manifest.spec.calibration == "net.scales.json"
    assert wb_run(["--engine", "net.engine", "--source", "four.png", "--json", "out", "-q"]) == 0


def test_an_fp16_network_is_written_too(drawn, capsys):
    assert wb_export(["build", "net.onnx", "--fp16", "-o", "half.onnx"]) == 0
    assert "wrote half.onnx" in capsys.readouterr().out
    assert "Cast" in operators(drawn / "half.onnx")


@pytest.mark.parametrize("words, code, message", [
    (["--fp16", "--images", "drawn", "-o", "x.engine"], 2, "--images goes with --int8"),
    (["--fp32", "-o", "x.onnx"], 2, "FP32 already"),
    (["--int8", "-o", "x.onnx"], 1, "give --images DIR"),
    (["--int8", "--images", "nowhere", "-o", "x.onnx"], 1, "expected a folder of pictures"),
    (["--int8", "--images", "drawn", "-o", "x.trt"], 2, "ends in .engine"),
    (["--int8", "--images", "drawn", "--max-ap-drop", "-1", "-o", "x.onnx"], 2, "0 to 100")],
    ids=["images and fp16", "fp32", "no ranges", "no folder", "another ending", "a negative drop"])
def test_what_makes_no_sense_is_one_line(drawn, capsys, words, code, message):
    try:
        assert wb_export(["build", "net.onnx"] + words) == code
    except SystemExit as stop:
        assert stop.code == code
    said = capsys.readouterr().err.strip()
    assert message in said.splitlines()[-1]
