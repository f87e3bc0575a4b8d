"""profile-engine, from the words typed to what is printed and written."""
import json
import sys

import pytest
from bundle_folder import write_bundle
from drawn_profile import drawn_profile

from wholebody.cli.profile import main
from wholebody.runtime.bundle import starting
from wholebody.runtime.profile.schema import problems

QUICK = ["net.onnx", "--picture", "four.png", "--seconds", "1", "--people", "1,2", "--threads", "1"]


def profile(*words):
    """The exit code of profile-engine."""
    try:
        return main([str(word) for word in words])
    except SystemExit as leaving:
        return leaving.code


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder with the profiles old.json, same.json and slower.json."""
    monkeypatch.chdir(tmp_path)
    for name, times in (("old", 1.0), ("same", 1.0), ("slower", 1.2)):
        told = drawn_profile(engine=[times * ms for ms in (10.0, 10.1, 9.9, 10.0, 10.05, 9.95)])
        (tmp_path / (name + ".json")).write_text(json.dumps(told))
    return tmp_path


def test_a_model_is_measured_and_the_table_has_the_three_figures(place, capsys):
    assert profile(*QUICK, "--json", "out.json") == 0
    said = capsys.readouterr()
    for words in ("engine alone", "pipeline, one frame after the other", "camera to result", "stage decode",
                  "2 people: decode, on drawn maps", "the cheapest next change is", "not measured: "):
        assert words in said.out
    assert "profile-engine: warm-up" in said.err
    assert problems(json.loads((place / "out.json").read_text())) == []


@pytest.mark.parametrize("words, cells", [
    (["--sweep"], 9), (["--resolutions", "64x64,96x64", "--batches", "2"], 2)], ids=["all by itself", "as chosen"])
def test_a_sweep_is_a_table_with_a_row_for_each_batch_of_each_size(place, capsys, words, cells):
    assert profile(*QUICK, *words, "--json", "out.json") == 0
    said = capsys.readouterr().out
    assert "batches and sizes, ms of a whole batch" in said
    told = json.loads((place / "out.json").read_text())
    assert problems(told) == []
    assert len(told["sweep"]["rows"]) == cells


def test_markdown_of_a_profile_that_was_kept_has_a_row_for_each_figure(kept, capsys):
    assert profile("--from", "old.json", "--markdown") == 0
    said = capsys.readouterr().out
    assert said.startswith("| ms | p50 | 95 % of the median | p95 | p99 | runs |\n|---|--:|")
    assert "| engine alone | 10.000 |" in said
    assert "- 90.0 frames/s with 3 in flight" in said


@pytest.mark.parametrize("new, more, code, said", [
    ("same", [], 0, "no difference shown"), ("slower", [], 3, "slower"),
    ("slower", ["--tolerance", "0.25"], 0, "slower"),
    ("slower", ["--markdown"], 3, "| engine | 10.000 ms | 12.000 ms | 1.200 "),
], ids=["same", "slower", "tolerated", "markdown"])
def test_a_comparison_says_what_changed_and_refuses_a_regression(kept, capsys, new, more, code, said):
    assert profile("--from", new + ".json", "--compare", "old.json", *more) == code
    told = capsys.readouterr()
    assert said in told.out
    assert ("regression: engine is 20.0 % slower, tolerance 5.0 %" in told.err) == (code == 3)


def test_the_changes_are_in_the_json_on_stdout(kept, capsys):
    assert profile("--from", "slower.json", "--compare", "old.json", "--json", "-") == 3
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert [change["what"] for change in changes if change["verdict"] == "slower"] == ["engine"]


@pytest.mark.parametrize("words, code, said", [
    (["--people", "0"], 2, "expected numbers such as 1,5,10,20, got '0'"),
    (["--batches", "1,x"], 2, "expected numbers such as 1,5,10,20, got '1,x'"),
    (["--resolutions", "64x64,9"], 2, "expected a resolution such as -1x368 or 656x368, got '9'"),
    (["--seconds", "0"], 2, "expected a number above 0, got '0'"),
    (["--tolerance", "5"], 2, "expected a number from 0 to 1, got '5'"),
    (["missing.onnx"], 1, "no model at missing.onnx"),
    (["--compare", "missing.json"], 1, "missing.json cannot be read as a profile"),
    (["--json", "old.json"], 1, "old.json exists; add --overwrite"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_cannot_be_done_is_one_line(kept, capsys, words, code, said):
    assert profile("-q", *words) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_new_profile_is_not_written_over_an_old_one_before_it_was_read(kept):
    assert profile("-q", "--from", "slower.json", "--compare", "old.json", "--json", "old.json", "--overwrite") == 3
    assert json.loads((kept / "old.json").read_text()) == json.loads((kept / "slower.json").read_text())


def test_a_report_is_one_page_and_is_not_written_over_another(kept, capsys):
    assert profile("-q", "--from", "old.json", "--compare", "same.json", "--report", "page.html") == 0
    assert "no difference shown" in (kept / "page.html").read_text(encoding="utf-8")
    assert profile("-q", "--from", "old.json", "--report", "page.html") == 1
    assert "page.html exists; add --overwrite" in capsys.readouterr().err


def test_the_history_of_a_folder_is_a_table_and_a_chart_and_from_a_folder_the_newest_is_shown(kept, capsys):
    assert profile("--from", ".", "--history", ".", "--report", "page.html") == 0
    said = capsys.readouterr()
    assert "p50 in ms of net.onnx" in said.out
    assert said.out.count("2026-01-31 12:00:00Z") == 3
    assert "warm-up" not in said.err
    assert "since the one before" in (kept / "page.html").read_text(encoding="utf-8")
    assert profile("--history", ".", "--from", "slower.json", "--markdown") == 0
    assert "| measured | engine | pipeline |" in capsys.readouterr().out


@pytest.fixture
def bundle(tmp_path, cv2, monkeypatch):
    """A bundle folder on a board without TensorRT; compiling takes no time."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setattr(starting, "build", lambda folder: folder / "_wholebody.so")
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "bundle", cv2)
    return tmp_path / "bundle"


@pytest.mark.parametrize("more, size", [([], "112x64"), (["--net-resolution", "64x64"], "64x64")],
                         ids=["its own", "another"])
def test_a_bundle_is_profiled_with_its_own_options_unless_others_are_chosen(bundle, more, size):
    assert profile("-q", bundle, "--seconds", "1", "--people", "1", "--json", "out.json", *more) == 0
    told = json.loads((bundle.parent / "out.json").read_text())
    assert told["model"]["input"] == size
