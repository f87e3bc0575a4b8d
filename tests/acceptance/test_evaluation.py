"""What wb-eval prints of real networks is what pycocotools finds, digit for digit; and their INT8 twin is compared."""
import contextlib
import io
import json
import pathlib

import pytest

from wholebody.cli.evaluate import main as wb_eval
from wholebody.cli.export import main as wb_export

ASSETS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "assets"
PHOTOGRAPHS = ASSETS / "images" / "coco_val2017"
NETWORKS = {"omz-human-pose": ("human-pose-estimation-0001.fp32", []), "tf-pose": ("tfpose_mnv2small_coco18", []),
            "simplepose": ("ultralight_simplepose_coco17", ["--gt-boxes"])}


def carded(folder: pathlib.Path, file: str, preset: str) -> str:
    model = folder / f"{file}.onnx"
    assert wb_export(["card", str(ASSETS / "weights" / f"{file}.onnx"), "--preset", preset, "-o", str(model)]) == 0
    return str(model)


def labels_of(folder: pathlib.Path, count: int) -> str:
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("needs the photographs of ../shared/assets, which is missing")
    pytest.importorskip("pycocotools", reason="evaluates: pip install '.[eval]'")
    truth = json.loads((ASSETS / "annotations" / "coco_val2017_200.json").read_text())
    truth["images"] = sorted(truth["images"], key=lambda image: image["id"])[:count]
    kept = {image["id"] for image in truth["images"]}
    truth["annotations"] = [entry for entry in truth["annotations"] if entry["image_id"] in kept]
    (folder / "truth.json").write_text(json.dumps(truth))
    return str(folder / "truth.json")


def of_pycocotools(labels: str, results: str) -> list[str]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(labels)
        protocol = COCOeval(truth, truth.loadRes(results), "keypoints")
        protocol.evaluate()
        protocol.accumulate()
        protocol.summarize()
    return [f"{value:.4f}" for value in protocol.stats]


@pytest.mark.parametrize("count", [pytest.param(12, id="12 photographs"),
                                   pytest.param(200, id="all 200", marks=pytest.mark.long)])
@pytest.mark.parametrize("preset", NETWORKS)
def test_the_numbers_of_a_network_are_those_of_pycocotools(
        tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], preset: str, count: int) -> None:
    labels, results = labels_of(tmp_path, count), str(tmp_path / "results.json")
    file, words = NETWORKS[preset]
    model = carded(tmp_path, file, preset)
    capsys.readouterr()
    assert wb_eval([model, "--images", str(PHOTOGRAPHS), "--annotations", labels, "--save-results", results, "--json",
                    "-q", *words]) == 0
    ours = json.loads(capsys.readouterr().out)["statistics"]
    official = of_pycocotools(labels, results)
    assert [f"{value:.4f}" for value in ours.values()] == official
    assert ours["AP"] > 0.1


def test_an_int8_network_is_compared_with_its_original(tmp_path: pathlib.Path,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    labels = labels_of(tmp_path, 6)
    models = [carded(tmp_path, f"human-pose-estimation-0001.{kind}", "omz-human-pose") for kind in ("fp32", "int8-qdq")]
    words = ["compare", *models, "--images", str(PHOTOGRAPHS), "--annotations", labels, "-q", "--json"]
    capsys.readouterr()
    assert wb_eval([*words, "--tolerance", "-1"]) == 3, "nobody is better by 1"
    found = json.loads(capsys.readouterr().out)
    part, = found["parts"]
    assert part["low"] <= part["difference"] <= part["high"]
    assert part["difference"] == pytest.approx(part["second"] - part["first"], abs=1e-4)
