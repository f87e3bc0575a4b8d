"""From trained weights to the file that is shipped: its card, its thresholds, its figures."""

import json
import pathlib

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recipe needs torch: pip install '.[export]'")
pytest.importorskip("onnx", reason="the export needs onnx: pip install '.[export]'")
pytest.importorskip("safetensors", reason="weights are safetensors: pip install '.[export]'")
pytest.importorskip("pycocotools", reason="evaluates: pip install '.[eval]'")

import onnx
from drawn_photographs import draw_photographs
from train import measure, release, train, tune

import wholebody


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Three pictures with licences, and a network of one step."""
    folder = tmp_path_factory.mktemp("release")
    _, annotations = draw_photographs(folder, 3)
    truth = json.loads(annotations.read_text())
    truth["licenses"] = [{"id": 4, "name": "Attribution License"}]
    truth["images"][0]["license"] = truth["images"][1]["license"] = 4
    annotations.write_text(json.dumps(truth))
    (folder / "split.txt").write_text("000000000001 000000000002")
    assert train.main(["--images", str(folder / "images"), "--annotations", str(annotations), "--output",
                       str(folder / "run"), "--steps", "1", "--batch", "1", "--crop", "96", "--workers", "0"]) == 0
    return folder


def test_a_released_file_says_where_it_comes_from_and_packs_well(place: pathlib.Path) -> None:
    path = place / "released.onnx"
    assert release.main([str(place / "run"), "-o", str(path), "--annotations", str(place / "annotations.json"),
                         "--split", str(place / "split.txt"), "--commit", "abc1234", "--teacher-name", "a teacher",
                         "--note", "AP 0.", "--decoding", "nms_threshold=0.1", "min_score=0.2"]) == 0
    with wholebody.open(str(path)) as estimate:
        card = estimate.card
        estimate(np.zeros((64, 96, 3), np.uint8))
    assert dict(card.decoding) == {"nms_threshold": 0.1, "min_score": 0.2}
    for said in ("commit abc1234, seed 0, 1 steps", "2 photographs", "2 under licence id 4 (Attribution License)",
                 "Teacher: a teacher.", "AP 0."):
        assert said in card.notes, card.notes
    for initializer in onnx.load(str(path)).graph.initializer:
        values = onnx.numpy_helper.to_array(initializer)
        if values.ndim > 1:
            assert (values.astype(np.float16) == values).all()


def test_thresholds_are_tried_on_the_photographs_that_are_named(
        place: pathlib.Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "GRID", {"nms_threshold": (0.05, 0.1), "min_score": (0.4,)})
    assert tune.main([str(place / "run" / "model.onnx"), "--images", str(place / "images"), "--annotations",
                      str(place / "annotations.json"), "--split", str(place / "split.txt")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("AP 0.") for line in lines)


def test_a_measurement_holds_precision_and_the_times_of_both(place: pathlib.Path) -> None:
    model = place / "run" / "model.onnx"
    other = place / "other.onnx"
    other.write_bytes(model.read_bytes())
    assert measure.main([str(model), "--test", str(place / "images"), str(place / "annotations.json"), "--beside",
                         str(other), "--rounds", "1", "-o", str(place / "report.json")]) == 0
    report = json.loads((place / "report.json").read_text())
    assert 0 <= report["test"]["AP"] <= 1
    assert sorted(report["cpu_ms_656x368"]) == ["model.onnx", "other.onnx"]
