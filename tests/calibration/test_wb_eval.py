"""wb-eval by the COCO protocol, on drawn sticks whose truth is known."""
import json
import pathlib
from typing import Any

import cv2
import onnx_bytes
import pytest
from sticks import draw_sticks

from wholebody.card import card_from_json
from wholebody.cli.evaluate import main
from wholebody.engines.onnxfile import with_card
from wholebody.skeletons import get_skeleton

pytest.importorskip("pycocotools", reason="the protocol's arithmetic: pip install '.[eval]'")
JOINTS = [get_skeleton("COCO_17").index_of(name) for name in ("left_shoulder", "left_elbow", "left_wrist")]


def label(image_id: int, stick: int, shift: float = 0.0) -> dict[str, Any]:
    """One stick of draw_sticks, `shift` pixels to the right of where it is."""
    keypoints = [0.0] * 51
    for joint, index in enumerate(JOINTS):
        keypoints[3 * index:3 * index + 3] = [14.5 + 24 * stick + shift, 11.5 + 18 * joint, 2]
    return {"id": 100 * image_id + stick + 1, "image_id": image_id, "category_id": 1, "iscrowd": 0, "area": 40 * 40.0,
            "bbox": [10 + 24 * stick, 8, 12, 44], "num_keypoints": 3, "keypoints": keypoints}


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    (tmp_path / "images").mkdir()
    for image_id, sticks in ((3, 1), (7, 4)):
        cv2.imwrite(str(tmp_path / "images" / f"{image_id}.png"), draw_sticks(sticks))
    write_truth([label(3, 0)] + [label(7, stick) for stick in range(4)])
    return tmp_path


def write_truth(labels: list[dict[str, Any]]) -> None:
    data = {"images": [{"id": i, "file_name": f"{i}.png", "width": 112, "height": 64} for i in (3, 7)],
            "annotations": labels, "categories": [{"id": 1, "name": "person", "keypoints": [], "skeleton": []}]}
    pathlib.Path("truth.json").write_text(json.dumps(data))


def report(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--annotations", "truth.json", "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


MODEL = ["net.onnx", "--images", "images"]


def test_everybody_found_where_they_are_is_an_ap_of_1(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(capsys, *MODEL)
    assert found["statistics"]["AP50"] == 1
    assert (found["images"], found["labelled"], found["found"]) == (2, 5, 5)
    assert [(e["missed"], e["false"]) for e in found["worst"]] == [(0, 0), (0, 0)]


def test_labels_somewhere_else_are_misses_and_false_alarms(place: pathlib.Path,
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    write_truth([label(3, 0, shift=60)] + [label(7, stick) for stick in range(4)])
    found = report(capsys, *MODEL)
    assert 0 < found["statistics"]["AP50"] < 1
    assert {key: found["worst"][0][key] for key in ("image_id", "missed", "false")} == {
        "image_id": 3, "missed": 1, "false": 1}


def test_a_results_file_gives_the_numbers_of_the_run_that_made_it(place: pathlib.Path,
                                                                  capsys: pytest.CaptureFixture[str]) -> None:
    ran = report(capsys, *MODEL, "--save-results", "results.json")
    read = report(capsys, "--results", "results.json")
    assert read["statistics"] == ran["statistics"]
    assert read["worst"] == ran["worst"]


def test_nobody_found_is_an_ap_of_0(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    pathlib.Path("none.json").write_text("[]")
    found = report(capsys, "--results", "none.json")
    assert found["statistics"]["AP"] == 0
    assert found["worst"][0]["missed"] == 4


def test_the_worst_images_become_pictures(place: pathlib.Path) -> None:
    words = [*MODEL, "--annotations", "truth.json", "--worst", "worst", "--worst-count", "1"]
    assert main(words) == 0
    path, = (place / "worst").iterdir()
    assert path.name.startswith("001_")
    assert cv2.imread(str(path)).shape == (64, 224, 3)
    assert main(words) == 1, "nothing is overwritten"
    assert main([*words, "--overwrite"]) == 0


@pytest.mark.parametrize("least, code", [("0.2", 0), ("1.01", 3)])
def test_a_gate_says_no_with_3(place: pathlib.Path, least: str, code: int) -> None:
    assert main([*MODEL, "--annotations", "truth.json", "--least", least]) == code


USAGE = [([], "a model needs --images DIR"), (["net.onnx", "--results", "x"], "expected either MODEL"),
         (["net.onnx"], "a model needs --images DIR"), (["--results", "x", "--worst", "w"], "--worst needs --images"),
         ([*MODEL, "--protocol", "coc"], "coc")]


@pytest.mark.parametrize("words, message", USAGE, ids=[message for _, message in USAGE])
def test_words_that_make_no_evaluation_exit_with_2(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                   words: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([*words, "--annotations", "truth.json"])
    assert leaving.value.code == 2
    assert message in capsys.readouterr().err


BAD = [
    ("no annotations", MODEL, "truth.json", None, "cannot read annotations truth.json"),
    ("annotations cut short", MODEL, "truth.json", "{", "are not valid JSON"),
    ("other annotations", MODEL, "truth.json", '{"images": []}', "expected COCO annotations with images"),
    ("boxes only", MODEL, "truth.json", json.dumps({"images": [{"id": 1, "file_name": "1.png"}], "categories": [],
                                                    "annotations": [{"image_id": 1, "bbox": []}]}),
     "no annotation has keypoints"),
    ("an image is missing", MODEL, "images/7.png", None, "1 of 2 annotated images are not in images: 7.png"),
    ("results no array", ["--results", "r.json"], "r.json", "{}", "expected a JSON array of COCO results"),
    ("results of boxes", ["--results", "r.json"], "r.json", '[{"image_id": 3}]', "entry 0: expected image_id, score"),
    ("results of other images", ["--results", "r.json"], "r.json",
     json.dumps([{"image_id": 5, "category_id": 1, "score": 1, "keypoints": [0] * 51}]), "image_id 5 is not in"),
]


@pytest.mark.parametrize("words, name, content, message", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_cannot_be_compared_is_said_in_one_line(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                     words: list[str], name: str, content: str | None,
                                                     message: str) -> None:
    path = place / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(content)
    assert main([*words, "--annotations", "truth.json"]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_picture_that_cannot_be_read_is_reported_and_the_rest_counts(place: pathlib.Path,
                                                                       capsys: pytest.CaptureFixture[str]) -> None:
    (place / "images" / "3.png").write_bytes(b"")
    assert main([*MODEL, "--annotations", "truth.json", "--json"]) == 1
    said = capsys.readouterr()
    assert "3.png: the file is empty" in said.err
    assert json.loads(said.out)["found"] == 4


def test_maps_of_several_sizes_and_of_the_mirror_are_averaged(place: pathlib.Path,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    assert report(capsys, *MODEL, "--scales", "1,1.5")["statistics"]["AP50"] == 1
    assert report(capsys, *MODEL, "--flip")["statistics"]["AP"] == 1  # their joints are left ones alone: nothing turns
    with pytest.raises(SystemExit) as refused:
        main([*MODEL, "--annotations", "truth.json", "--scales", "0,1"])
    assert refused.value.code == 2


def test_a_network_for_one_person_is_measured_with_the_labels_boxes(place: pathlib.Path,
                                                                    capsys: pytest.CaptureFixture[str]) -> None:
    """Its maps are the colours of the crop, in which the joints of a stick are blue, green and red."""
    card = json.loads(onnx_bytes.STICK_CARD)
    card["input"] = {"name": "crops", "size": [64, 32], "box_padding": 1.25}
    card["heads"] = [{"kind": "heatmap", "stride": 1, "format": "dark", "outputs": {"heatmaps": {"output": "maps"}}}]
    network = onnx_bytes.model([onnx_bytes.node("Identity", ["crops"], ["maps"])], [], [("crops", ("N", 3, 64, 32))],
                               [("maps", ("N", 3, 64, 32))])
    pathlib.Path("pose.onnx").write_bytes(with_card(network, card_from_json(json.dumps(card))))
    pose = ["pose.onnx", "--images", "images"]
    found = report(capsys, *pose, "--gt-boxes")
    assert found["statistics"]["AP50"] == 1
    assert found["found"] == 5
    pathlib.Path("boxes.json").write_text(json.dumps([{"image_id": 3, "bbox": [10, 8, 12, 44], "score": 0.7}]))
    assert report(capsys, *pose, "--boxes", "boxes.json")["found"] == 1
    assert main([*pose, "--annotations", "truth.json"]) == 1
    assert main([*pose, "--annotations", "truth.json", "--gt-boxes", "--scales", "1,2"]) == 1
    assert "--scales is for networks that see whole frames" in capsys.readouterr().err
