"""wb-eval runs models by every protocol of the papers, on drawn sticks whose truth is known."""
import json
import pathlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import onnx_bytes
import pytest
from sticks import draw_sticks

from wholebody.card import card_from_json
from wholebody.cli.evaluate import main
from wholebody.cli.evaluate_model import PROTOCOLS
from wholebody.engines.onnxfile import with_card
from wholebody.skeletons import get_skeleton

NAMES = ("left_shoulder", "left_elbow", "left_wrist")
STICKS = {3: 1, 7: 4}  # image -> how many
HEAD = [0, 0, 18, 24]  # 0.6 x 30: within 9 pixels


def joint(stick: int, which: int) -> list[float]:
    return [14.5 + 24 * stick, 11.5 + 18 * which]


def values(names: tuple[str, ...], stick: int, absent: float = 0) -> list[float]:
    """x, y, v of a stick's joints among others, which are not labelled."""
    rows = [[*joint(stick, NAMES.index(n)), 1] if n in NAMES else [absent, absent, 0] for n in names]
    return [v for row in rows for v in row]


def box(stick: int) -> dict[str, Any]:
    return {"bbox": [10 + 24 * stick, 8, 12, 44], "area": 1600.0, "iscrowd": 0, "category_id": 1, "num_keypoints": 3}


def coco(entry: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    images = [{"id": i, "file_name": f"v/{i}.png"} for i in STICKS]
    return {"images": images, "categories": [{"id": 1, "name": "person"}],
            "annotations": [{"id": 10 * i + s + 1, "image_id": i, **box(s), **entry(s)}
                            for i, count in STICKS.items() for s in range(count)]}


def wholebody(stick: int) -> dict[str, Any]:
    return {"keypoints": values(get_skeleton("COCO_17").keypoints, stick), "foot_kpts": [0] * 18,
            "face_kpts": [0] * 204, "lefthand_kpts": [0] * 63, "righthand_kpts": [0] * 63}


def named(name: str) -> Callable[[int], dict[str, Any]]:
    return lambda stick: {"keypoints": values(get_skeleton(name).keypoints, stick), "bbox_head": HEAD}


def annolist() -> dict[str, Any]:
    names = get_skeleton("MPII_16").keypoints

    def person(stick: int) -> dict[str, Any]:
        points = [{"id": [names.index(n)], "x": [joint(stick, k)[0]], "y": [joint(stick, k)[1]]}
                  for k, n in enumerate(NAMES)]
        return {"x1": [0], "y1": [0], "x2": [18], "y2": [24], "annopoints": [{"point": points}]}
    return {"annolist": [{"image": [{"name": f"v/{i}.png"}], "annorect": [person(s) for s in range(count)]}
                         for i, count in STICKS.items()]}


def mpii() -> list[dict[str, Any]]:
    names = get_skeleton("MPII_16").keypoints
    rows = [(i, np.array(values(names, s)).reshape(-1, 3)) for i, count in STICKS.items() for s in range(count)]
    return [{"image": f"v/{i}.png", "joints": (row[:, :2] + 1).tolist(), "joints_vis": row[:, 2].tolist(),
             "center": row[row[:, 2] > 0, :2].mean(axis=0).tolist(), "scale": 0.3, "head_box": HEAD}
            for i, row in rows]


# Protocol, its labels, the part that the sticks have, and the rest of it, which nobody labelled or nobody can find.
CASES = [
    ("coco-wholebody", coco(wholebody), ("body", "AP50", 1.0), ("face", "AP", -1.0)),
    ("halpe", coco(named("HALPE_136")), ("body", "AP50", 1.0), ("hand", "AP", -1.0)),
    ("halpe-26", coco(named("HALPE_26")), ("full", "AP50", 1.0), ("foot", "AP", -1.0)),
    ("posetrack", coco(named("POSETRACK_17")), ("total", "AP", 1.0), ("head", "AP", 0.0)),
    ("mpii-multi", annolist(), ("total", "AP", 1.0), ("ankle", "AP", 0.0)),
    ("mpii", mpii(), ("total", "PCKh", 1.0), ("elbow", "PCKh", 0.5)),
]


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    (tmp_path / "images" / "v").mkdir(parents=True)
    for number, sticks in STICKS.items():
        cv2.imwrite(str(tmp_path / "images" / "v" / f"{number}.png"), draw_sticks(sticks))
    return tmp_path


def report(capsys: pytest.CaptureFixture[str], labels: Any, *words: str, code: int = 0) -> dict[str, Any]:
    pathlib.Path("truth.json").write_text(json.dumps(labels))
    assert main([*words, "--annotations", "truth.json", "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def need(protocol: str) -> None:
    if protocol in ("coco", "coco-wholebody", "halpe", "halpe-26", "foot"):
        pytest.importorskip("pycocotools", reason="the protocol's arithmetic: pip install '.[eval]'")


@pytest.mark.parametrize("protocol, labels, known, rest", CASES, ids=[case[0] for case in CASES])
def test_a_model_is_measured_and_its_results_file_gives_the_same(
        place: pathlib.Path, capsys: pytest.CaptureFixture[str], protocol: str, labels: Any,
        known: tuple[str, str, float], rest: tuple[str, str, float]) -> None:
    need(protocol)
    chosen = ["--protocol", protocol]
    ran = report(capsys, labels, "net.onnx", "--images", "images", *chosen, "--save-results", "r.json",
                 "--worst", "worst", "--worst-count", "1")
    assert (ran["protocol"], ran["images"], ran["labelled"], ran["found"]) == (protocol, 2, 5, 5)
    for part, statistic, value in (known, rest):
        assert ran["parts"][part][statistic] == pytest.approx(value)
    assert len(list((place / "worst").iterdir())) == 1
    read = report(capsys, labels, "--results", "r.json", *chosen)
    assert (read["parts"], read["worst"]) == (ran["parts"], ran["worst"])
    assert main(["compare", "net.onnx", "r.json", "--images", "images", "--annotations", "truth.json", *chosen,
                 "--tolerance", "0", "--resamples", "5"]) == 0


LANDMARKS = [("hand", "HAND_21", 21), ("face", "FACE_68", 68)]


@pytest.mark.parametrize("protocol, skeleton, count", LANDMARKS, ids=[case[0] for case in LANDMARKS])
def test_a_network_for_faces_or_hands_is_measured_with_the_labels_boxes(
        place: pathlib.Path, capsys: pytest.CaptureFixture[str], protocol: str, skeleton: str, count: int) -> None:
    """Its maps are the colours of the crop, over and over: nine points lie where one joint of the stick is."""
    card = json.loads(onnx_bytes.STICK_CARD)
    card.update(skeleton=skeleton, input={"name": "crops", "size": [64, 32], "box_padding": 1.25}, heads=[
        {"kind": "heatmap", "stride": 1, "format": "dark", "outputs": {"heatmaps": {"output": "maps"}}}])
    which = [k // 9 % 3 for k in range(count)]
    pick = onnx_bytes.ints("kernel_shape", [1, 1])
    kernel = [float(channel == color) for channel in which for color in range(3)]
    network = onnx_bytes.model([onnx_bytes.node("Conv", ["crops", "w"], ["maps"], pick)],
                               [onnx_bytes.weights("w", (count, 3, 1, 1), kernel)], [("crops", ("N", 3, 64, 32))],
                               [("maps", ("N", count, 64, 32))])
    (place / "pose.onnx").write_bytes(with_card(network, card_from_json(json.dumps(card))))
    labels = coco(lambda stick: {"keypoints": [v for color in which for v in (*joint(stick, color), 1)]})
    run = ["pose.onnx", "--images", "images", "--protocol", protocol, "--gt-boxes"]
    ran = report(capsys, labels, *run, "--save-results", "r.json", "--most", "3")
    assert ran["statistics"]["found"] == 1
    assert 0 < ran["statistics"][{"hand": "EPE", "face": "NME"}[protocol]] < {"hand": 1.0, "face": 0.05}[protocol]
    assert ran["headline"] == [protocol, {"hand": "EPE", "face": "NME"}[protocol]]
    assert report(capsys, labels, "--results", "r.json", "--protocol", protocol)["parts"] == ran["parts"]
    assert report(capsys, labels, *run, "--most", "0.0001", code=3)["parts"] == ran["parts"]


def test_the_boxes_of_mpii_are_made_of_centre_and_scale(place: pathlib.Path,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    card = json.loads(onnx_bytes.STICK_CARD)
    card.update(input={"name": "crops", "size": [64, 64], "box_padding": 1.25}, heads=[
        {"kind": "heatmap", "stride": 1, "format": "dark", "outputs": {"heatmaps": {"output": "maps"}}}])
    network = onnx_bytes.model([onnx_bytes.node("Identity", ["crops"], ["maps"])], [],
                               [("crops", ("N", 3, 64, 64))], [("maps", ("N", 3, 64, 64))])
    (place / "pose.onnx").write_bytes(with_card(network, card_from_json(json.dumps(card))))
    labels = [entry for entry in mpii() if entry["image"] == "v/3.png"]
    ran = report(capsys, labels, "pose.onnx", "--images", "images", "--protocol", "mpii", "--gt-boxes")
    assert (ran["found"], ran["statistics"]["PCKh"]) == (1, 1)


def test_several_parts_are_a_table(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    need("halpe-26")
    pathlib.Path("truth.json").write_text(json.dumps(coco(named("HALPE_26"))))
    assert main(["net.onnx", "--images", "images", "--annotations", "truth.json", "--protocol", "halpe-26"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "net.onnx: 2 images, 5 people labelled, 5 found"
    assert lines[1].split()[:3] == ["part", "AP", "AP50"]
    assert [line.split()[0] for line in lines[2:5]] == ["body", "foot", "full"]
    assert lines[5].startswith("worst: image ")


def test_a_model_without_the_points_of_a_protocol_is_one_line(place: pathlib.Path,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    pathlib.Path("truth.json").write_text(json.dumps(coco(lambda s: {"keypoints": [1.0] * 63})))
    assert main(["net.onnx", "--images", "images", "--annotations", "truth.json", "--protocol", "hand", "-q"]) == 1
    assert capsys.readouterr().err == ("wb-eval: error: the model finds STICK, none of the points of HAND_21 that "
                                       "this protocol measures; choose another --protocol\n")


def test_a_protocol_that_is_not_known_is_refused(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["net.onnx", "--images", "images", "--annotations", "t.json", "--protocol", "coco-whole"])
    assert leaving.value.code == 2
    said = capsys.readouterr().err
    assert all(name in said for name in PROTOCOLS)


def test_the_page_about_evaluation_has_every_protocol() -> None:
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    named = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert named - {"--protocol"} == set(PROTOCOLS)
