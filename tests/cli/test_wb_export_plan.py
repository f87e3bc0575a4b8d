"""wb-export plan: from words to a verdict, on any machine."""
import json

import onnx_bytes as ox
import pytest

from wholebody.card import card_from_json
from wholebody.cli.export import main
from wholebody.engines.onnxfile import with_card
from wholebody.engines.planning import sizes_like


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(with_card(ox.stick_net(), card_from_json(ox.STICK_CARD)))
    (tmp_path / "plain.onnx").write_bytes(ox.stick_net())
    return tmp_path


def plan(*words):
    """Exit code and the parsed report."""
    try:
        return main(["plan"] + list(words))
    except SystemExit as leaving:
        return leaving.code


def report(capsys, *words):
    code = plan(*(words + ("--json",)))
    return code, json.loads(capsys.readouterr().out)


def test_the_default_network_is_planned_without_naming_it(net, capsys):
    code, found = report(capsys, "--board", "orin-nx", "--fps", "30")
    assert (code, found["verdict"], found["board"], found["precision"]) == (0, "yes", "orin-nx", "fp16")
    assert (found["width"], found["height"]) == (656, 368)
    assert found["gflop"] == pytest.approx(14.81, abs=0.01)
    assert found["expected_fps"][0] < found["expected_fps"][1] < found["roofline_fps"]
    assert found["dla"]["flop_share"] == 1.0
    assert len(found["dla"]["kernels"]) == found["kernels"]


def test_a_nano_is_too_slow_and_the_size_that_would_do_is_named(net, capsys):
    code, found = report(capsys, "--board", "nano", "--fps", "30")
    assert (code, found["verdict"]) == (3, "no")
    surely, at_best = found["fits"]["surely"], found["fits"]["at_best"]
    for size, place in ((surely, 0), (at_best, 1)):
        again = report(capsys, "--board", "nano", "--fps", "30", "--size", size)[1]
        assert again["expected_fps"][place] >= 30
        assert again["verdict"] in ("yes", "perhaps")


@pytest.mark.parametrize("words, lines", [
    (["net.onnx", "--board", "agx-orin", "--int8", "--layers"],
     ["even the slow end of the range reaches it", "DLA alone:", "most for each watt", "DLA     0.",
      "a guess: no board"]),
    (["net.onnx", "--board", "orin-nx"], ["the DLA's speed in FP16 is not published for this board; ask with --int8"]),
    (["net.onnx", "--board", "tx2", "--fps", "9999"], ["this board has none", "frames/s"]),
    (["plain.onnx", "--board", "tx2", "--size", "64x64"], ["plain.onnx on Jetson TX2, FP16, 64x64"]),
    (["net.onnx", "--board", "nano", "--memory", "2"], ["on a board of 2 GB: too little to build; --workspace 64"]),
    (["net.onnx", "--board", "orin-nx", "--people", "5"], ["several people go through the network at once"]),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_it_reads_well(net, capsys, words, lines):
    assert plan(*words) in (0, 3)
    said = capsys.readouterr().out
    for line in lines:
        assert line in said, said


@pytest.mark.parametrize("words, code, message", [
    (["net.onnx", "--board", "tx3"], 1, "unknown board 'tx3'; did you mean tx2?"),
    (["net.onnx", "--board", "tx2", "--int8"], 1, "Jetson TX2 has no INT8 arithmetic"),
    (["net.onnx"], 2, "this is no board that is known: name one with --board, of nano, tx2"),
    (["plain.onnx", "--board", "tx2"], 2, "has no card and takes any size: name one with --size"),
    (["no.onnx", "--board", "tx2"], 1, "cannot read model no.onnx"),
    (["net.onnx", "--board", "tx2", "--fps", "-3"], 2, "expected a number of frames a second"),
    (["net.onnx", "--board", "tx2", "--fps", "0"], 2, "expected a number of frames a second"),
    (["net.onnx", "--board", "tx2", "--size", "4x4"], 1, "too small for it"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_cannot_be_planned_is_one_line(net, capsys, words, code, message):
    assert plan(*words) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_on_a_board_that_board_is_meant(net, capsys, monkeypatch):
    from wholebody.jetson.boards import board_here, board_named
    folder = net / "proc" / "device-tree"
    folder.mkdir(parents=True)
    (folder / "model").write_text("NVIDIA Orin NX Developer Kit\0")
    (folder / "compatible").write_text("nvidia,p3768-0000+p3767-0000\0nvidia,tegra234\0")
    assert board_here(str(net)) == board_named("orin-nx")
    monkeypatch.setattr("wholebody.jetson.boards.board_here", lambda: board_named("orin-nx"))
    assert report(capsys, "net.onnx")[1]["board"] == "orin-nx"


def test_a_network_of_one_size_says_so(net, capsys):
    (net / "fixed.onnx").write_bytes(ox.paf_net(size=(64, 96)))
    assert report(capsys, "fixed.onnx", "--board", "tx2")[1]["fits"]["surely"] == "96x64"
    assert plan("fixed.onnx", "--board", "tx2", "--size", "128x64") == 1
    assert "takes 96x64 only, got --size 128x64" in capsys.readouterr().err


def test_people_cost_arithmetic_each_and_weights_once(net, capsys):
    one, five = (report(capsys, "net.onnx", "--board", "orin-nx", "--people", str(n))[1] for n in (1, 5))
    assert five["gflop"] == pytest.approx(5 * one["gflop"])
    assert one["roofline_fps"] / 5 <= five["roofline_fps"] < one["roofline_fps"]


def test_sizes_keep_their_shape_and_what_the_network_takes():
    for height, width in sizes_like((368, 656), 8):
        assert height % 8 == width % 8 == 0
        assert abs(width / float(height) - 656 / 368.0) < 0.1
