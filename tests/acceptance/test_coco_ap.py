"""People in photographs, by the COCO protocol: the whole path from wb-export card to wb-eval."""
import json
import pathlib

import pytest

from wholebody.cli.evaluate import main as wb_eval
from wholebody.cli.export import main as wb_export

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = ROOT.parent / "shared" / "assets"
PHOTOGRAPHS = ASSETS / "images" / "coco_val2017"


def keypoint_ap(tmp_path: pathlib.Path, photographs: list[pathlib.Path],
                capsys: pytest.CaptureFixture[str]) -> float:
    pytest.importorskip("pycocotools", reason="evaluates: pip install '.[eval]'")
    folder, model = tmp_path / "photographs", tmp_path / "omz.onnx"
    folder.mkdir()
    for path in photographs:
        (folder / path.name).symlink_to(path)
    truth = json.loads((ASSETS / "annotations" / "coco_val2017_200.json").read_text())
    ids = {int(path.stem) for path in photographs}
    truth["images"] = [image for image in truth["images"] if image["id"] in ids]
    truth["annotations"] = [entry for entry in truth["annotations"] if entry["image_id"] in ids]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    network = ASSETS / "weights" / "human-pose-estimation-0001.fp32.onnx"
    assert wb_export(["card", str(network), "--preset", "omz-human-pose", "-o", str(model)]) == 0
    capsys.readouterr()
    assert wb_eval([str(model), "--images", str(folder), "--annotations", str(tmp_path / "truth.json"), "--json",
                    "-q"]) == 0
    return json.loads(capsys.readouterr().out)["statistics"]["AP"]


@pytest.mark.parametrize("count, least", [
    pytest.param(24, 0.40, id="24 photographs"), pytest.param(200, 0.405, id="all 200", marks=pytest.mark.long)])
def test_a_known_network_finds_people_as_well_as_it_should(
        tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], count: int, least: float) -> None:
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("needs the photographs of ../shared/assets, which is missing")
    assert keypoint_ap(tmp_path, sorted(PHOTOGRAPHS.glob("*.jpg"))[:count], capsys) >= least
