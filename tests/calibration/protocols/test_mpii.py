"""MPII: PCKh against a plain computation of the usual evaluation, and AP of several people counted by hand."""
import json
import pathlib
import random
from typing import Any

import numpy as np
import pytest

from wholebody.calibration.protocols.base import Report
from wholebody.calibration.protocols.mpii import PROTOCOL as SINGLE
from wholebody.calibration.protocols.mpii_multi import PROTOCOL as MULTI
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton

JOINTS = 16


def people(count: int = 9, seed: int = 4) -> list[dict[str, Any]]:
    """Entries of an annotation list, two people in most images, far from each other; joints count from 1."""
    chance = random.Random(seed)
    entries = []
    for i in range(count):
        x, y = 1000 * (i % 2), chance.uniform(0, 100)
        entries.append({"image": f"{i // 2:09d}.jpg", "center": [x + 50, y + 100], "scale": 1.5,
                        "joints": [[round(x + chance.uniform(1, 120), 2), round(y + chance.uniform(1, 250), 2)]
                                   for _ in range(JOINTS)],
                        "joints_vis": [int(chance.random() < 0.8) for _ in range(JOINTS)],
                        "head_box": [x, y, x + chance.uniform(20, 40), y + chance.uniform(30, 50)]})
    return entries


def found_of(entries: list[dict[str, Any]], noise: float, seed: int = 8) -> np.ndarray[Any, Any]:
    """(N, 16, 2), counted from 0: errors from none to a few times what is allowed."""
    chance = random.Random(seed)
    return np.array([[[x - 1 + chance.gauss(0, noise), y - 1 + chance.gauss(0, noise)] for x, y in entry["joints"]]
                     for entry in entries])


def as_results(entries: list[dict[str, Any]], points: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(entry["image"] for entry in entries))
    return [{"image_id": names.index(entry["image"]) + 1, "score": 0.5,
             "keypoints": [float(v) for x, y in row for v in (x, y, 0.9)]}
            for entry, row in zip(entries, points, strict=True)]


def single(folder: pathlib.Path, entries: Any, results: Any) -> Report:
    (folder / "mpii_val.json").write_text(json.dumps(entries))
    (folder / "results.json").write_text(json.dumps(results))
    truth = SINGLE.load(str(folder / "mpii_val.json"))
    return SINGLE.evaluate(truth, SINGLE.read(str(folder / "results.json"), truth))


def plain_pckh(entries: list[dict[str, Any]], points: Any, threshold: float) -> dict[str, float]:
    """One joint after another, as the usual evaluation states it."""
    right, all_of = [0] * JOINTS, [0] * JOINTS
    for entry, row in zip(entries, points, strict=True):
        x1, y1, x2, y2 = entry["head_box"]
        head = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5 * 0.6
        for j in range(JOINTS):
            if entry["joints_vis"][j]:
                x, y = entry["joints"][j]
                all_of[j] += 1
                right[j] += ((row[j][0] + 1 - x) ** 2 + (row[j][1] + 1 - y) ** 2) ** 0.5 / head <= threshold
    share = [r / n for r, n in zip(right, all_of, strict=True)]
    counted = [j for j in range(JOINTS) if j not in (6, 7)]
    return {"head": share[9], "shoulder": (share[12] + share[13]) / 2, "elbow": (share[11] + share[14]) / 2,
            "wrist": (share[10] + share[15]) / 2, "hip": (share[2] + share[3]) / 2, "knee": (share[1] + share[4]) / 2,
            "ankle": (share[0] + share[5]) / 2,
            "total": sum(right[j] for j in counted) / sum(all_of[j] for j in counted)}


@pytest.mark.parametrize("noise", [0.0, 4.0, 12.0])
def test_pckh_is_the_plain_computation(tmp_path: pathlib.Path, noise: float) -> None:
    entries = people()
    points = found_of(entries, noise)
    report = single(tmp_path, entries, as_results(entries, points))
    for key, threshold in (("PCKh", 0.5), ("PCKh_0.1", 0.1)):
        expected = plain_pckh(entries, points, threshold)
        assert {name: part[key] for name, part in report.parts.items()} == pytest.approx(expected, abs=5.1e-5)
    assert report.headline == ("total", "PCKh")
    assert (report.value == 1) == (noise == 0)
    weights = np.array([3, 0, 1, 1, 2])
    rows = [i for i, entry in enumerate(entries) for _ in range(weights[int(entry["image"][:9])])]
    repeated = plain_pckh([entries[i] for i in rows], points[rows], 0.5)
    assert report.measure(weights) == pytest.approx(repeated)


def test_results_in_any_order_find_their_labels_and_strangers_do_no_harm(tmp_path: pathlib.Path) -> None:
    entries = people()
    results = as_results(entries, found_of(entries, 3.0))
    expected = single(tmp_path, entries, results).parts
    stranger = dict(results[0], keypoints=[v + 5000 for v in results[0]["keypoints"]])
    assert single(tmp_path, entries, [stranger, *reversed(results)]).parts == expected


def test_the_files_of_matlab_are_read(tmp_path: pathlib.Path) -> None:
    """Labels and heads beside the list, predictions in its order, all counted from 1."""
    io = pytest.importorskip("scipy.io", reason="reads .mat files: pip install '.[eval]'")
    entries = people()
    points = found_of(entries, 5.0)
    expected = single(tmp_path, entries, as_results(entries, points)).parts
    boxes = np.array([entry["head_box"] for entry in entries]).reshape(-1, 2, 2).transpose(1, 2, 0)
    io.savemat(tmp_path / "mpii_gt_val.mat", {
        "headboxes_src": boxes, "pos_gt_src": np.array([e["joints"] for e in entries]).transpose(1, 2, 0),
        "jnt_missing": 1 - np.array([e["joints_vis"] for e in entries]).T})
    io.savemat(tmp_path / "pred.mat", {"preds": points + 1})
    bare = [{key: value for key, value in entry.items() if key != "head_box"} for entry in entries]
    (tmp_path / "mpii_val.json").write_text(json.dumps(bare))
    truth = SINGLE.load(str(tmp_path / "mpii_val.json"))
    assert SINGLE.evaluate(truth, SINGLE.read(str(tmp_path / "pred.mat"), truth)).parts == expected
    io.savemat(tmp_path / "few.mat", {"preds": points[:3] + 1})
    with pytest.raises(EvaluationError, match=r"expected preds of shape \(9, 16, 2\), got \(3, 16, 2\)"):
        SINGLE.read(str(tmp_path / "few.mat"), truth)


def test_a_model_gets_the_boxes_that_everybody_takes_and_is_read_back(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mpii_val.json").write_text(json.dumps(people(1)))
    truth = SINGLE.load(str(tmp_path / "mpii_val.json"))
    x, y = people(1)[0]["center"]
    assert SINGLE.boxes(truth) == [{"image_id": 1, "bbox": [x - 150, y + 22.5 - 150, 300, 300], "score": 1.0}]
    points = np.arange(32, dtype=np.float32).reshape(1, 16, 2) + 1
    entry, = SINGLE.entries(1, Poses(points, np.full((1, 16), 0.5, np.float32), np.ones(1, np.float32),
                                     get_skeleton("MPII_16")))
    assert np.array(entry["keypoints"]).reshape(-1, 3).tolist() == [[x, y, 0.5] for x, y in points[0].tolist()]


@pytest.mark.parametrize("labels, message", [
    ([{"image": "a.jpg"}], "expected MPII's list of people"), ({}, "expected MPII's list of people"),
    ([{key: value for key, value in people(1)[0].items() if key != "head_box"}],
     "entry 0 has no head_box .* put mpii_gt_val.mat beside the file"),
], ids=["fields are missing", "no list", "no heads"])
def test_labels_that_measure_nothing_are_refused(tmp_path: pathlib.Path, labels: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        single(tmp_path, labels, [])


def person(x: float, score: float, joints: tuple[int, ...] = tuple(range(JOINTS))) -> dict[str, Any]:
    """Somebody on a line, whose head measures 0.6 x 50 = 30 pixels; joints must be within 15."""
    points = [{"id": [j], "x": [x + 40 * j], "y": [7.0], "score": [score]} for j in joints]
    return {"annopoints": [{"point": points}], "x1": [x], "y1": [0], "x2": [x + 30], "y2": [40]}


def mixed(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """One person of the joints of two."""
    points = one["annopoints"][0]["point"] + other["annopoints"][0]["point"]
    return dict(one, annopoints=[{"point": points}])


def group(*rects: dict[str, Any], name: str = "a.jpg") -> dict[str, Any]:
    return {"image": [{"name": name}], "annorect": list(rects)}


HAND = [
    ("everybody where they are", [group(person(0, 1), person(2000, 1))], [group(person(0, 0.9), person(2000, 0.8))], 1),
    ("just within reach", [group(person(0, 1))], [group(person(14.9, 0.9))], 1),
    ("just out of reach", [group(person(0, 1))], [group(person(15.1, 0.9))], 0),
    ("one of two", [group(person(0, 1), person(2000, 1))], [group(person(0, 0.9))], 0.5),
    ("a surer false one before", [group(person(0, 1))], [group(person(0, 0.5), person(900, 0.9))], 0.5),
    ("a less sure false one after", [group(person(0, 1))], [group(person(0, 0.9), person(900, 0.5))], 1),
    ("two for one label: the nearer has it", [group(person(0, 1))],
     [group(person(0, 0.5, tuple(range(10))), person(0, 0.4))], (8 / 2 + 6) / 14),
    ("between two labels: the one with more joints is theirs", [group(person(0, 1), person(2000, 1))],
     [group(mixed(person(0, 0.9, (0, 1, 2, 3, 4, 5, 8, 9, 10)), person(2000, 0.9, (11, 12, 13, 14, 15))))], 9 / 2 / 14),
    ("nobody in one of two groups", [group(person(0, 1)), group(person(0, 1))], [group(person(0, 0.9)), group()], 0.5),
    ("pelvis and thorax do not count", [group(person(0, 1))],
     [group(person(0, 0.9, tuple(j for j in range(JOINTS) if j not in (6, 7))))], 1),
]


def multi(folder: pathlib.Path, labels: Any, results: Any) -> Report:
    (folder / "labels.json").write_text(json.dumps({"annolist": labels}))
    (folder / "results.json").write_text(json.dumps({"annolist": results}))
    truth = MULTI.load(str(folder / "labels.json"))
    return MULTI.evaluate(truth, MULTI.read(str(folder / "results.json"), truth))


@pytest.mark.parametrize("labels, results, expected", [case[1:] for case in HAND], ids=[case[0] for case in HAND])
def test_ap_of_several_people_is_as_counted_by_hand(tmp_path: pathlib.Path, labels: Any, results: Any,
                                                    expected: float) -> None:
    report = multi(tmp_path, labels, results)
    assert report.value == pytest.approx(expected, abs=5e-5)
    assert report.measure(np.ones(len(labels), np.int64))["total"] == pytest.approx(expected)


def test_results_of_several_people_are_those_of_the_same_groups(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EvaluationError, match="expected the 2 entries of the annotations in their order"):
        multi(tmp_path, [group(person(0, 1)), group(person(0, 1), name="b.jpg")], [group(person(0, 1))])
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(EvaluationError, match="an object with an `annolist`"):
        MULTI.load(str(tmp_path / "list.json"))


def test_what_a_model_finds_of_several_people_is_read_back(tmp_path: pathlib.Path) -> None:
    points = np.arange(64, dtype=np.float32).reshape(2, 16, 2) + 1
    scores = np.full((2, 16), 0.5, np.float32)
    scores[0, 3] = 0
    entries = MULTI.entries(1, Poses(points, scores, np.ones(2, np.float32), get_skeleton("MPII_16")))
    report = multi(tmp_path, [group(person(0, 1))], [group(*[entry["rect"] for entry in entries])])
    assert report.found == 2
    first = entries[0]["rect"]["annopoints"][0]["point"]
    assert {p["id"][0]: (p["x"][0], p["y"][0]) for p in first} == {
        j: tuple(points[0, j].tolist()) for j in range(16) if j not in (3, 6, 7)}
