"""Faces and hands: NME, EPE and PCK against plain computations, and by hand."""
import json
import math
import pathlib
import random
from typing import Any

import numpy as np
import pytest

from wholebody.calibration.protocols.base import Report
from wholebody.calibration.protocols.face import PROTOCOL as FACE
from wholebody.calibration.protocols.hand import PROTOCOL as HAND
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton

SAMPLES = pathlib.Path(__file__).resolve().parents[4] / "shared" / "assets" / "images" / "mmpose_tests"
PROTOCOLS: dict[str, Any] = {"face": FACE, "hand": HAND}
CORNERS = {68: (36, 45), 98: (60, 72)}


def labels(count: int, people: int = 5, seed: int = 6, unseen: float = 0.15) -> dict[str, Any]:
    """One face or hand an image but for the last, which has two far apart."""
    chance = random.Random(seed)
    entries = []
    for i in range(people):
        image = min(i, people - 2) + 1
        x, y, w, h = 900 * i, 50, chance.uniform(60, 120), chance.uniform(60, 120)
        values = []
        for k in range(count):
            v = int(chance.random() >= unseen or k in CORNERS.get(count, ()))
            values += [x + w * chance.random(), y + h * chance.random(), v] if v else [0, 0, 0]
        entries.append({"id": 10 + i, "image_id": image, "category_id": 1, "bbox": [x, y, w, h], "keypoints": values})
    return {"images": [{"id": i + 1, "file_name": f"{i + 1}.jpg"} for i in range(people - 1)], "annotations": entries,
            "categories": [{"id": 1, "name": "thing"}]}


def found_of(truth: dict[str, Any], noise: float, seed: int = 1) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [{"image_id": a["image_id"], "score": 1.0,
             "keypoints": [v + chance.gauss(0, noise) if i % 3 < 2 else 1 for i, v in enumerate(a["keypoints"])]}
            for a in truth["annotations"]]


def measured(folder: pathlib.Path, part: str, truth: Any, results: Any) -> Report:
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))
    loaded = PROTOCOLS[part].load(str(folder / "truth.json"))
    report: Report = PROTOCOLS[part].evaluate(loaded, PROTOCOLS[part].read(str(folder / "results.json"), loaded))
    return report


def distances(label: dict[str, Any], result: dict[str, Any]) -> list[float | None]:
    """Of each point; None where it is not labelled."""
    a, b = label["keypoints"], result["keypoints"]
    return [math.dist(a[i:i + 2], b[i:i + 2]) if a[i + 2] else None for i in range(0, len(a), 3)]


@pytest.mark.parametrize("count", [68, 98])
def test_the_error_of_faces_is_the_plain_computation(tmp_path: pathlib.Path, count: int) -> None:
    truth = labels(count)
    results = found_of(truth, 4.0)
    numbers = measured(tmp_path, "face", truth, results[::-1]).statistics
    errors, by_box = [], []
    for label, result in zip(truth["annotations"], results, strict=True):
        apart = [d for d in distances(label, result) if d is not None]
        first, last = (label["keypoints"][3 * i:3 * i + 2] for i in CORNERS[count])
        errors.append(sum(apart) / len(apart) / math.dist(first, last))
        by_box.append(sum(apart) / len(apart) / math.sqrt(label["bbox"][2] * label["bbox"][3]))
    curve = [sum(e <= 0.1 * i / 2000 for e in errors) / len(errors) for i in range(2000)]
    assert numbers == pytest.approx({
        "NME": sum(errors) / len(errors), "NME_box": sum(by_box) / len(by_box),
        "FR_0.1": sum(e > 0.1 for e in errors) / len(errors), "AUC_0.1": sum(curve) / 2000, "found": 1}, abs=6e-4)
    assert 0 < numbers["FR_0.1"] < 1


def test_the_error_of_hands_is_the_plain_computation(tmp_path: pathlib.Path) -> None:
    truth = labels(21)
    results = found_of(truth, 12.0)
    numbers = measured(tmp_path, "hand", truth, results).statistics
    rows = [distances(label, result) for label, result in zip(truth["annotations"], results, strict=True)]
    sides = [max(label["bbox"][2:]) for label in truth["annotations"]]

    def share(limit: Any) -> float:
        """Of each point the part of hands, and of those the mean."""
        parts = []
        for k in range(21):
            labelled = [i for i, row in enumerate(rows) if row[k] is not None]
            parts.append(sum((rows[i][k] or 0.0) < limit(i) for i in labelled) / len(labelled))
        return sum(parts) / len(parts)
    every = [(d, side) for row, side in zip(rows, sides, strict=True) for d in row if d is not None]
    curve = [share(lambda _, step=step: 30 * step / 20) for step in range(20)]
    assert numbers == pytest.approx({
        "EPE": sum(d for d, _ in every) / len(every), "NME_box": sum(d / side for d, side in every) / len(every),
        "PCK_0.2": share(lambda i: 0.2 * sides[i]), "AUC_30px": sum(curve) / 20, "found": 1}, abs=6e-5)
    assert 0.1 < numbers["PCK_0.2"] < 1


@pytest.mark.parametrize("part, count", [("face", 68), ("hand", 21)])
def test_an_image_that_counts_twice_is_one_that_is_there_twice(tmp_path: pathlib.Path, part: str, count: int) -> None:
    truth = labels(count)
    results = found_of(truth, 5.0)
    weighted = measured(tmp_path, part, truth, results).measure(np.array([2, 0, 1, 1]))
    once = [1, 3, 4]
    twice = {"images": [{"id": i, "file_name": "x"} for i in (*once, 101)], "categories": [],
             "annotations": [a for a in truth["annotations"] if a["image_id"] in once]
             + [dict(a, image_id=101) for a in truth["annotations"] if a["image_id"] == 1]}
    again = [r for r in results if r["image_id"] in once] + [dict(r, image_id=101) for r in results
                                                             if r["image_id"] == 1]
    assert weighted[part] == pytest.approx(measured(tmp_path, part, twice, again).value, abs=5.1e-5)


def test_what_is_not_found_is_wrong_but_has_no_error(tmp_path: pathlib.Path) -> None:
    faces, hands = labels(68), labels(21)
    face = measured(tmp_path, "face", faces, found_of(faces, 0)[1:])
    assert face.statistics == pytest.approx({"NME": 0, "NME_box": 0, "FR_0.1": 0.2, "AUC_0.1": 0.8, "found": 0.8})
    assert (face.worst[0].image_id, face.worst[0].missed, face.worst[0].false) == (1, 1, 0)
    hand = measured(tmp_path, "hand", labels(21, unseen=0), found_of(labels(21, unseen=0), 0)[1:])
    assert hand.statistics == pytest.approx({"EPE": 0, "NME_box": 0, "PCK_0.2": 0.8, "AUC_30px": 0.8 * 0.95,
                                             "found": 0.8})
    assert measured(tmp_path, "hand", hands, []).statistics["found"] == 0


def test_something_far_away_is_false_and_takes_nobodys_place(tmp_path: pathlib.Path) -> None:
    truth = labels(21)
    results = found_of(truth, 2.0)
    expected = measured(tmp_path, "hand", truth, results)
    far = dict(results[0], keypoints=[v + 400 for v in results[0]["keypoints"]])
    report = measured(tmp_path, "hand", truth, [far, *results])
    assert report.parts == expected.parts
    assert report.worst[0].false == 1


def test_the_nearest_of_two_is_taken_in_whatever_order(tmp_path: pathlib.Path) -> None:
    truth = labels(21)
    results = found_of(truth, 0)
    beside = dict(results[0], keypoints=[v + 9 * (i % 3 == 0) for i, v in enumerate(results[0]["keypoints"])])
    for found in ([beside, *results], [*results, beside]):
        report = measured(tmp_path, "hand", truth, found)
        assert report.value == 0
        assert report.worst[0].false == 1


def test_the_hands_of_coco_wholebody_are_measured_by_side(tmp_path: pathlib.Path) -> None:
    truth = labels(21, unseen=0)
    entries = [{"id": a["id"], "image_id": a["image_id"], "lefthand_kpts": a["keypoints"], "lefthand_box": a["bbox"],
                "righthand_kpts": [v + 300 * (i % 3 == 1) for i, v in enumerate(a["keypoints"])],
                "righthand_box": [a["bbox"][0], a["bbox"][1] + 300, *a["bbox"][2:]]} for a in truth["annotations"]]
    entries[0].update(righthand_kpts=[0.0] * 63, righthand_box=[0, 0, 0, 0])
    results = [{"image_id": e["image_id"], "lefthand_kpts": [v + 3 * (i % 3 == 0)
                                                             for i, v in enumerate(e["lefthand_kpts"])],
                "righthand_kpts": e["righthand_kpts"]} for e in entries]
    report = measured(tmp_path, "hand", dict(truth, annotations=entries), results)
    assert {name: part["EPE"] for name, part in report.parts.items()} == pytest.approx(
        {"left": 3.0, "right": 0.0, "hand": 3 * 5 / 9}, abs=5e-5)
    assert report.labelled == 9
    changed = [dict(r, lefthand_kpts=r["righthand_kpts"], righthand_kpts=r["lefthand_kpts"]) for r in results]
    assert measured(tmp_path, "hand", dict(truth, annotations=entries), changed).statistics["found"] == 0


@pytest.mark.parametrize("part, file", [("face", "300w/test_300w.json"), ("face", "wflw/test_wflw.json"),
                                        ("face", "coco/test_coco_wholebody.json"),
                                        ("hand", "coco/test_coco_wholebody.json"),
                                        ("hand", "freihand/test_freihand.json"),
                                        ("hand", "onehand10k/test_onehand10k.json"),
                                        ("hand", "panoptic/test_panoptic.json")])
def test_the_annotations_of_the_data_sets_are_read(tmp_path: pathlib.Path, part: str, file: str) -> None:
    if not SAMPLES.is_dir():
        pytest.skip("needs the sample annotations of ../shared/assets, which is missing")
    truth = json.loads((SAMPLES / file).read_text())
    kept = ("image_id", "keypoints", "face_kpts", "lefthand_kpts", "righthand_kpts")
    report = measured(tmp_path, part, truth, [{k: v for k, v in a.items() if k in kept} for a in truth["annotations"]])
    assert report.value == 0
    assert report.statistics["found"] == 1
    assert report.labelled >= 2


@pytest.mark.parametrize("part, skeleton, sided", [("face", "FACE_70", False), ("face", "WHOLEBODY_133", False),
                                                   ("hand", "HAND_21", False), ("hand", "WHOLEBODY_133", True)])
def test_what_a_model_finds_is_read_back_as_it_was(part: str, skeleton: str, sided: bool) -> None:
    protocol, named = PROTOCOLS[part], get_skeleton(skeleton)
    points = np.arange(2 * len(named.keypoints), dtype=np.float32).reshape(1, -1, 2) + 1
    poses = Poses(points, np.full(points.shape[:2], 0.5, np.float32), np.ones(1, np.float32), named)
    entry, = protocol.entries(4, poses, sided, {"face": 68, "hand": 21}[part])
    things = protocol._things(entry, "entry")
    expected = {"FACE_70": [points[0, :68]], "HAND_21": [points[0]],
                "WHOLEBODY_133": [points[0, 91:112], points[0, 112:]] if sided else [points[0, 23:91]]}[skeleton]
    assert [thing.rows[:, :2].tolist() for thing in things] == [rows.tolist() for rows in expected]
    assert [thing.side for thing in things] == (["left", "right"] if sided else [""])


BAD = [
    ("no face", "face", {"keypoints": 21}, [], "keypoints: expected a list of 204 or 294 numbers, got 63"),
    ("no hand", "hand", {}, [], "no hand is labelled"),
    ("results of another set", "face", {"keypoints": 68}, [{"image_id": 1, "keypoints": [1.0] * 294}],
     "a face of 98 points, the labels have 68"),
    ("results of other images", "hand", {"keypoints": 21}, [{"image_id": 77, "keypoints": [1.0] * 63}],
     "image_id 77 is not in"),
    ("results without numbers", "hand", {"keypoints": 21}, [{"image_id": 1, "keypoints": "63"}], "got str"),
]


@pytest.mark.parametrize("part, fields, results, message", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_cannot_be_compared_is_said(tmp_path: pathlib.Path, part: str, fields: dict[str, int], results: Any,
                                         message: str) -> None:
    truth = labels(fields.get("keypoints", 21))
    if not fields:
        truth["annotations"] = []
    with pytest.raises(EvaluationError, match=message):
        measured(tmp_path, part, truth, results)
