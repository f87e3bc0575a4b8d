"""The network that comes along: what it is made of, and how well it finds people in photographs."""
import json
import pathlib

import numpy as np
import pytest

import wholebody
from wholebody.cli.evaluate import main as wb_eval
from wholebody.cli.run import main as wb_run
from wholebody.default_model import default_model_path

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = ROOT.parent / "shared" / "assets"
PHOTOGRAPHS = ASSETS / "images" / "coco_val2017"
PLAIN_OPERATORS = {"Conv", "Relu", "Clip", "Add", "Concat", "Resize", "Constant"}
REPORT = ROOT / "benchmarks" / "results" / "default_model.json"


def test_it_is_what_old_runtimes_read() -> None:
    onnx = pytest.importorskip("onnx", reason="looks inside: pip install '.[export]'")
    model = onnx.load(default_model_path())
    onnx.checker.check_model(model)
    assert {node.op_type for node in model.graph.node} <= PLAIN_OPERATORS
    assert model.opset_import[0].version == 13
    assert model.ir_version <= 8
    kernels = [onnx.numpy_helper.to_array(i) for i in model.graph.initializer]
    assert sum(kernel.size for kernel in kernels) <= 3e6
    for kernel in kernels:
        if kernel.ndim > 1 and kernel.dtype == np.float32:  # packs to half its size in a wheel
            np.testing.assert_array_equal(kernel.astype(np.float16).astype(np.float32), kernel)


@pytest.mark.parametrize("size", [(368, 656), (240, 320), (97, 33), (640, 200)])
def test_it_opens_without_being_named_and_takes_any_picture(size: tuple) -> None:
    with wholebody.open() as estimate:
        assert estimate.skeleton.name == "COCO_18"
        poses = estimate(np.zeros((*size, 3), np.uint8))
    assert len(poses) == 0


def test_its_card_says_where_it_comes_from() -> None:
    with wholebody.open() as estimate:
        card = estimate.card
    assert card.licence == "Apache-2.0"
    for said in ("photographs of COCO 2017", "licence id 4", "CC BY 4.0", "EfficientNet-lite0", "Teacher", "seed",
                 "commit", "AP "):
        assert said in card.notes, card.notes


def test_wb_run_needs_no_engine(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture) -> None:
    cv2 = pytest.importorskip("cv2", reason="writes a picture: pip install opencv-python-headless")
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((120, 160, 3), 128, np.uint8))
    assert wb_run(["--source", str(tmp_path / "grey.png"), "--json", "-q"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["frames"], summary["engine"]) == (1, default_model_path())


def statistics(tmp_path: pathlib.Path, count: int, capsys: pytest.CaptureFixture) -> dict:
    """What wb-eval without a model says of the first photographs."""
    pytest.importorskip("pycocotools", reason="evaluates: pip install '.[eval]'")
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("needs the photographs of ../shared/assets, which is missing")
    truth = json.loads((ASSETS / "annotations" / "coco_val2017_200.json").read_text())
    ids = {int(path.stem) for path in sorted(PHOTOGRAPHS.glob("*.jpg"))[:count]}
    truth["images"] = [image for image in truth["images"] if image["id"] in ids]
    truth["annotations"] = [entry for entry in truth["annotations"] if entry["image_id"] in ids]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    assert wb_eval(["--images", str(PHOTOGRAPHS), "--annotations", str(tmp_path / "truth.json"), "--json", "-q"]) == 0
    return json.loads(capsys.readouterr().out)["statistics"]


def test_it_finds_people_in_24_photographs(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture) -> None:
    assert statistics(tmp_path, 24, capsys)["AP"] >= 0.10


@pytest.mark.long
def test_it_finds_people_in_200_photographs_as_well_as_reported(
        tmp_path: pathlib.Path, capsys: pytest.CaptureFixture) -> None:
    found, reported = statistics(tmp_path, 200, capsys), json.loads(REPORT.read_text())["test"]
    assert found["AP"] >= 0.12
    assert found["AP"] == pytest.approx(reported["AP"], abs=0.005)
