"""./run of a bundle, from the words typed to wb-run."""
import json
import sys

import pytest
from bundle_folder import write_bundle

from wholebody.cli.bundle_start import main
from wholebody.runtime.bundle import starting
from wholebody.runtime.bundle.contents import BUNDLE_FILE


@pytest.fixture
def bundle(tmp_path, cv2, monkeypatch):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setattr(starting, "build", lambda folder: folder / "_wholebody.so")
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "bundle", cv2)
    return tmp_path / "bundle"


def test_without_further_words_it_only_gets_ready(bundle, capsys):
    assert main([str(bundle)]) == 0
    said = capsys.readouterr()
    assert "ready: %s/run --source" % bundle in said.out
    assert "gate: agreement 1.0000" in said.err


@pytest.mark.parametrize("ours", [[], ["--again"], ["-q"]], ids=["plain", "again", "quiet"])
def test_further_words_are_wb_runs(bundle, capsys, ours):
    assert main([str(bundle)] + ours + ["--source", "bundle/gate/001.png", "--json", "out"]) == 0
    said = capsys.readouterr()
    assert len(json.loads((bundle.parent / "out" / "001_keypoints.json").read_text())["people"]) == 4
    assert (said.out == "") == (ours == ["-q"])
    assert ("gate: agreement" in said.err) == (ours != ["-q"])


def test_what_does_not_pass_the_gate_does_not_run_unless_told(bundle, capsys):
    told = json.loads((bundle / BUNDLE_FILE).read_text())
    (bundle / BUNDLE_FILE).write_text(json.dumps(dict(told, least_agreement=1.5)))
    words = ["--source", "bundle/gate/001.png", "--json", "out"]
    assert main([str(bundle), "-q"] + words) == 3
    assert "too little; least in" in capsys.readouterr().err
    assert not (bundle.parent / "out").exists()
    assert main([str(bundle), "--ignore-gate"] + words) == 0
    assert (bundle.parent / "out").exists()


def test_words_that_wb_run_does_not_take_are_refused_before_anything_is_built(bundle, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(bundle), "--source", "x", "--jsno", "out"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == "wb-run: error: unknown argument --jsno; did you mean --json?\n"
    assert not (bundle / "state.json").exists()


def test_a_folder_that_is_no_bundle_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert "is no bundle: cannot read" in capsys.readouterr().err
