"""INT8 on photographs: it finds people as well as FP32 does, or is refused; bad pictures are noticed."""
import json
import pathlib
import shutil

import cv2
import numpy as np
import pytest

from wholebody.cli.evaluate import main as wb_eval
from wholebody.cli.export import main as wb_export
from wholebody.default_model import default_model_path

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = ROOT.parent / "shared" / "assets"
PHOTOGRAPHS = ASSETS / "images" / "coco_val2017"
OMZ = ASSETS / "weights" / "human-pose-estimation-0001.fp32.onnx"
TF_POSE = ASSETS / "weights" / "tfpose_mnv2small_coco18.onnx"


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """cal and test, 100 photographs each, and cal.json and test.json, their labels."""
    pytest.importorskip("pycocotools", reason="evaluates: pip install '.[eval]'")
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("needs the photographs of ../shared/assets, which is missing")
    monkeypatch.chdir(tmp_path)
    truth = json.loads((ASSETS / "annotations" / "coco_val2017_200.json").read_text())
    for offset, name in enumerate(("cal", "test")):
        (tmp_path / name).mkdir()
        chosen = sorted(PHOTOGRAPHS.glob("*.jpg"))[offset::2]
        for path in chosen:
            (tmp_path / name / path.name).symlink_to(path)
        ids = {int(path.stem) for path in chosen}
        (tmp_path / f"{name}.json").write_text(json.dumps({
            **truth, "images": [image for image in truth["images"] if image["id"] in ids],
            "annotations": [entry for entry in truth["annotations"] if entry["image_id"] in ids]}))
    return tmp_path


def average_precision(model: str, capsys: pytest.CaptureFixture) -> float:
    assert wb_eval([model, "--images", "test", "--annotations", "test.json", "--json", "-q"]) == 0
    return json.loads(capsys.readouterr().out)["statistics"]["AP"]


def gated(model: str, *words: str) -> int:
    return wb_export(["build", model, "--int8", "--images", "cal", "--annotations", "cal.json", "--gate-report",
                      "report.json", "-o", "int8.onnx", "-q", *words])


@pytest.mark.long
@pytest.mark.parametrize("method, most_kept", [("", 25), ("percentile-99.99", 30)], ids=["best ranges", "given ranges"])
def test_a_known_network_in_int8_finds_people_as_well(place: pathlib.Path, capsys: pytest.CaptureFixture, method: str,
                                                      most_kept: int) -> None:
    assert wb_export(["card", str(OMZ), "--preset", "omz-human-pose", "-o", "omz.onnx"]) == 0
    assert gated("omz.onnx", *(["--method", method] if method else [])) == 0
    report = json.loads((place / "report.json").read_text())
    assert len(report["kept"]) <= most_kept
    assert report["trade_off"][-1]["int8_macs"] >= 0.8
    capsys.readouterr()
    assert average_precision("int8.onnx", capsys) >= average_precision("omz.onnx", capsys) - 0.01


@pytest.mark.long
def test_the_default_network_in_int8_finds_people_as_well(place: pathlib.Path, capsys: pytest.CaptureFixture) -> None:
    assert gated(default_model_path()) == 0
    capsys.readouterr()
    assert average_precision("int8.onnx", capsys) >= average_precision(default_model_path(), capsys) - 0.01


@pytest.mark.long
def test_a_network_that_normalises_by_the_picture_passes_with_much_in_float_or_is_refused_with_the_reason(
        place: pathlib.Path, capsys: pytest.CaptureFixture) -> None:
    assert wb_export(["card", str(TF_POSE), "--preset", "tf-pose", "-o", "tf.onnx"]) == 0
    assert gated("tf.onnx", "--max-ap-drop", "1", "--least-int8", "0.8") == 3
    said = capsys.readouterr().out
    assert "39 BatchNormalizations take their statistics from each picture" in said
    assert not (place / "int8.onnx").exists()
    assert gated("tf.onnx", "--max-ap-drop", "1", "--overwrite") == 0
    assert len(json.loads((place / "report.json").read_text())["kept"]) > 30


@pytest.mark.long
@pytest.mark.parametrize("kind, said", [("colours", "red and blue are exchanged"), ("blank", "are blank"),
                                        ("one", "only 1 differ"), ("good", "")])
def test_poisoned_photographs_are_noticed(place: pathlib.Path, capsys: pytest.CaptureFixture, kind: str,
                                          said: str) -> None:
    (place / "set").mkdir()
    for number, path in enumerate(sorted((place / "cal").iterdir())[:24]):
        image = cv2.imread(str(path))
        if kind == "colours":
            cv2.imwrite(str(place / "set" / f"{path.stem}.png"), np.ascontiguousarray(image[:, :, ::-1]))
        elif kind == "blank" and number % 3 == 0:
            cv2.imwrite(str(place / "set" / path.name), np.full_like(image, 128))
        elif kind == "one":
            shutil.copy(sorted((place / "cal").iterdir())[0], place / "set" / f"{number}.jpg")
        else:
            shutil.copy(path, place / "set" / path.name)
    assert wb_export(["calibrate", default_model_path(), "--images", "set", "-o", "s.json", "--strict",
                      "--json"]) == (3 if said else 0)
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert any(said in line for line in warnings) if said else warnings == []
