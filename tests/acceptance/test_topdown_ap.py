"""People in photographs one at a time: a detector, a network for one person, and the COCO protocol."""
import json
import pathlib

import pytest

from wholebody.cli.evaluate import main as wb_eval
from wholebody.cli.export import main as wb_export

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = ROOT.parent / "shared" / "assets"
PHOTOGRAPHS = ASSETS / "images" / "coco_val2017"
TRUTH = ASSETS / "annotations" / "coco_val2017_200.json"


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with simplepose.onnx, yolox.onnx and rtmdet.onnx."""
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("needs the photographs of ../shared/assets, which is missing")
    pytest.importorskip("pycocotools", reason="evaluates: pip install '.[eval]'")
    folder = tmp_path_factory.mktemp("networks")
    for file, preset in (("ultralight_simplepose_coco17", "simplepose"), ("yolox_nano", "yolox"),
                         ("rtmdet-nano", "rtmdet")):
        network = str(ASSETS / "weights" / f"{file}.onnx")
        assert wb_export(["card", network, "--preset", preset, "-o", str(folder / f"{preset}.onnx")]) == 0
    return folder


def average_precision(networks: pathlib.Path, capsys: pytest.CaptureFixture[str], *words: str) -> float:
    capsys.readouterr()
    assert wb_eval([str(networks / "simplepose.onnx"), "--images", str(PHOTOGRAPHS), "--annotations", str(TRUTH),
                    "--json", "-q", *words]) == 0
    return float(json.loads(capsys.readouterr().out)["statistics"]["AP"])


@pytest.mark.parametrize("words, least", [
    pytest.param(["--gt-boxes"], 0.50, id="boxes of the labels"),
    pytest.param(["--gt-boxes", "--flip"], 0.51, id="boxes of the labels, mirrored as well"),
    pytest.param(["--detector", "yolox.onnx"], 0.44, id="YOLOX"),
    pytest.param(["--detector", "rtmdet.onnx", "--box-score", "0.2"], 0.44, id="RTMDet", marks=pytest.mark.long),
])
def test_a_network_for_one_person_finds_people_as_well_as_it_should(
        networks: pathlib.Path, capsys: pytest.CaptureFixture[str], words: list[str], least: float) -> None:
    words = [str(networks / word) if word.endswith(".onnx") else word for word in words]
    assert average_precision(networks, capsys, *words) >= least
