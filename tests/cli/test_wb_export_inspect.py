"""wb-export inspect: what a model holds, without the onnx package; what it costs, with it."""
import json
import sys

import onnx_bytes
import pytest

from wholebody.card import card_from_json
from wholebody.cli.export import main
from wholebody.engines.inspection import inspect_onnx
from wholebody.engines.onnxfile import with_card

HOST = sys.version_info >= (3, 10)


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.onnx").write_bytes(onnx_bytes.stick_net())
    card = card_from_json(onnx_bytes.STICK_CARD)
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card))
    return tmp_path


def test_operators_parameters_and_constants_are_counted(net):
    found = inspect_onnx("net.onnx")
    assert found.operators == (("Conv", 1), ("Split", 1))
    assert found.parameters == 7 * 3 * 8 * 8 + 7
    assert (found.weight_types, found.int64_constants) == ((("float32", 7 * 3 * 8 * 8 + 7),), 1)


def test_the_report_has_all_of_it(net, capsys):
    assert main(["inspect", "net.onnx", "--json", "--size", "112x64"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["inputs"] == ["image [N, 3, H, W] float32"]
    assert report["card"]["name"] == "stick"
    assert report["operators"] == {"Conv": 1, "Split": 1}
    if HOST:
        pytest.importorskip("onnx", reason="counts the cost: pip install '.[export]'")
        # 14 x 8 cells of 7 channels, each of 3 x 8 x 8 products
        assert report["cost"]["gmacs"] == pytest.approx(14 * 8 * 7 * 192 / 1e9)
        assert (report["cost"]["width"], report["cost"]["height"]) == (112, 64)
    else:
        assert "Python 3.10" in report["cost"]["unknown"]


@pytest.mark.parametrize("words, lines", [
    (["net.onnx"], ["card    stick: STICK, paf", "nodes   Conv 1, Split 1"]),
    (["plain.onnx"], ["card    none: wb-export card plain.onnx --preset NAME", "name one with --size WxH"])],
    ids=["with a card", "without one"])
def test_it_reads_well(net, capsys, words, lines):
    assert main(["inspect"] + words) == 0
    said = capsys.readouterr().out
    for line in lines:
        assert line in said


def test_what_is_no_model_is_refused_in_one_line(net, capsys):
    (net / "text.onnx").write_text("hello")
    for name, message in (("text.onnx", "not a readable ONNX file"), ("no.onnx", "cannot read model no.onnx")):
        assert main(["inspect", name]) == 1
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
