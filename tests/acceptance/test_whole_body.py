"""Bodies, faces and hands by three networks in photographs, by the protocol of COCO-WholeBody."""
import json
import pathlib

import pytest

from wholebody.cli.evaluate import main as wb_eval
from wholebody.cli.export import main as wb_export

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = ROOT.parent / "shared" / "assets"
PHOTOGRAPHS = ASSETS / "images" / "mmpose_tests" / "coco"
NETWORKS = {"human-pose-estimation-0001.fp32": "omz-human-pose", "pfld": "pfld", "hand_landmark_full": "mediapipe-hand",
            "ultralight_simplepose_coco17": "simplepose"}
# Four photographs of 12 people, 4 faces and 10 small hands; the numbers are those of docs/whole-body.md.
CASES = [
    pytest.param(["omz-human-pose.onnx"], {"body": 0.75, "face": 0.53, "right_hand": 0.34, "whole": 0.37}, id="PAFs"),
    pytest.param(["simplepose.onnx", "--gt-boxes"], {"body": 0.59, "face": 0.39, "right_hand": 0.14, "whole": 0.16},
                 id="one person at a time"),
]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the networks and their cards, each named after its preset."""
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("needs the photographs of ../shared/assets, which is missing")
    pytest.importorskip("pycocotools", reason="evaluates: pip install '.[eval]'")
    folder = tmp_path_factory.mktemp("networks")
    for file, preset in NETWORKS.items():
        network = str(ASSETS / "weights" / f"{file}.onnx")
        assert wb_export(["card", network, "--preset", preset, "-o", str(folder / f"{preset}.onnx")]) == 0
    return folder


@pytest.mark.parametrize("body, expected", CASES)
def test_bodies_faces_and_hands_are_found_together(networks: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                   body: list[str], expected: dict[str, float]) -> None:
    capsys.readouterr()
    assert wb_eval([str(networks / body[0]), *body[1:], "--face", str(networks / "pfld.onnx"),
                    "--hands", str(networks / "mediapipe-hand.onnx"), "--whole-body", "WHOLEBODY_133",
                    "--images", str(PHOTOGRAPHS), "--annotations", str(PHOTOGRAPHS / "test_coco_wholebody.json"),
                    "--protocol", "coco-wholebody", "--json", "-q"]) == 0
    parts = json.loads(capsys.readouterr().out)["parts"]
    found = {part: parts[part]["AP"] for part in expected}
    assert found == pytest.approx(expected, abs=0.06)  # a person more or less of so few
