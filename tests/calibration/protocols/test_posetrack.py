"""PoseTrack: poseval's numbers to the last printed digit, and tracking counted by hand."""
import json
import pathlib
from typing import Any

import numpy as np
import posetrack_cases
import pytest

from wholebody.calibration.protocols.base import Report
from wholebody.calibration.protocols.posetrack import GROUPS, PROTOCOL
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton

OFFICIAL = json.loads((pathlib.Path(__file__).resolve().parents[2] / "references/official_posetrack.json").read_text())
OURS = {"ap": "AP", "mota": "MOTA", "motp": "MOTP", "pre": "precision", "rec": "recall"}


def write(folder: pathlib.Path, clips: dict[str, Any]) -> str:
    folder.mkdir()
    for name, clip in clips.items():
        (folder / name).write_text(json.dumps(clip))
    return str(folder)


def measured(place: pathlib.Path, clips: dict[str, Any], results: dict[str, Any]) -> Report:
    truth = PROTOCOL.load(write(place / "labels", clips))
    return PROTOCOL.evaluate(truth, PROTOCOL.read(write(place / "results", results), truth))


@pytest.mark.parametrize("case", posetrack_cases.CASES)
def test_every_number_is_the_official_evaluators_to_the_last_digit(tmp_path: pathlib.Path, case: str) -> None:
    pytest.importorskip("motmetrics", reason="counts tracks: pip install '.[eval]'")
    clips = posetrack_cases.labels()
    report = measured(tmp_path, clips, posetrack_cases.results(clips, case))
    for name, ours in OURS.items():
        official = np.array(OFFICIAL[case][name]) / 100
        assert report.parts["total"][ours] == pytest.approx(official[-1], abs=5.1e-5), name
        for group, joints in GROUPS.items():
            assert report.parts[group][ours] == pytest.approx(official[list(joints)].mean(), abs=5.1e-5), (name, group)
    measure = report.measure(np.ones(len(report.units), np.int64))
    assert measure["total"] == pytest.approx(OFFICIAL[case]["ap"][-1] / 100, abs=1e-7)
    assert measure["MOTA"] == pytest.approx(OFFICIAL[case]["mota"][-1] / 100, abs=1e-7)


def as_2017(clip: dict[str, Any]) -> dict[str, Any]:
    """A clip in the layout of 2017."""
    order = ["right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
             "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "head_bottom", "nose",
             "head_top"]
    frames = []
    for image in clip["images"]:
        rects = []
        for person in (a for a in clip["annotations"] if a["image_id"] == image["id"]):
            points = [{"id": [i], "x": [person["keypoints"][3 * k]], "y": [person["keypoints"][3 * k + 1]],
                       "score": [person["scores"][k] if person["scores"] else 0]}
                      for i, k in enumerate(map(posetrack_cases.NAMES.index, order)) if person["keypoints"][3 * k + 2]]
            x, y, w, h = person.get("bbox_head", (0, 0, 1, 1))
            rects.append({"annopoints": [{"point": points}], "track_id": [person["track_id"]], "x1": [x], "y1": [y],
                          "x2": [x + w], "y2": [y + h]})
        frame = {"image": [{"name": image["file_name"]}], "annorect": rects}
        if "ignore_regions_x" in image:
            frame["ignore_regions"] = [{"point": [{"x": [x], "y": [y]} for x, y in zip(xs, ys, strict=True)]}
                                       for xs, ys in zip(image["ignore_regions_x"], image["ignore_regions_y"],
                                                         strict=True)]
        frames.append(frame)
    return {"annolist": frames}


def test_files_of_2017_give_the_numbers_of_the_same_in_2018(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("motmetrics", reason="counts tracks: pip install '.[eval]'")
    clips = posetrack_cases.labels()
    results = posetrack_cases.results(clips, "false")
    (tmp_path / "new").mkdir()
    old = measured(tmp_path, {name: as_2017(clip) for name, clip in clips.items()},
                   {name: as_2017(clip) for name, clip in results.items()})
    assert old.parts == measured(tmp_path / "new", clips, results).parts


def test_without_tracks_ap_is_all_there_is(tmp_path: pathlib.Path) -> None:
    clips = posetrack_cases.labels()
    results = posetrack_cases.results(clips, "shifted")
    for clip in results.values():
        for person in clip["annotations"]:
            del person["track_id"]
    report = measured(tmp_path, clips, results)
    assert set(report.statistics) == {"AP"}
    assert report.value == pytest.approx(OFFICIAL["shifted"]["ap"][-1] / 100, abs=5.1e-5)


def one_person(track_ids: list[int | None], shift: float = 0.0) -> dict[str, Any]:
    """Somebody who stands still for as many frames, all of whose joints are seen; the head measures 0.6 x 50."""
    images = [{"id": f, "file_name": f"v/{f:06d}.jpg"} for f in range(len(track_ids))]
    points = [v for k in range(17) for v in (10 * k + 1 + shift, 5, 1)]
    people = [{"image_id": f, "track_id": track, "keypoints": points[:], "scores": [0.5] * 17,
               "bbox_head": [0, 0, 30, 40]} for f, track in enumerate(track_ids)]
    return {"images": images, "annotations": people,
            "categories": [{"id": 1, "name": "person", "keypoints": list(posetrack_cases.NAMES)}]}


HAND = [  # of the first five of six frames, each joint
    ("the same throughout", [4] * 6, 0.0, 1.0),
    ("one change of name", [4, 4, 8, 8, 8, 8], 0.0, 1 - 1 / 5),
    ("there and back", [4, 4, 8, 4, 4, 4], 0.0, 1 - 2 / 5),
    ("the change is in the frame that does not count", [4, 4, 4, 4, 4, 8], 0.0, 1.0),
    ("just within half a head", [4] * 6, 14.9, 1.0),
    ("all missed, and as many false", [4] * 6, 4000.0, -1.0),
]


@pytest.mark.parametrize("tracks, shift, mota", [case[1:] for case in HAND], ids=[case[0] for case in HAND])
def test_tracking_is_as_counted_by_hand(tmp_path: pathlib.Path, tracks: list[int], shift: float, mota: float) -> None:
    pytest.importorskip("motmetrics", reason="counts tracks: pip install '.[eval]'")
    report = measured(tmp_path, {"v.json": one_person([1] * 6)}, {"v.json": one_person(tracks, shift)})
    assert report.statistics["MOTA"] == pytest.approx(mota)


def test_joints_in_a_region_to_ignore_are_nobodys_fault(tmp_path: pathlib.Path) -> None:
    clip = one_person([1] * 3)
    for image in clip["images"]:
        image.update(ignore_regions_x=[[-5, 56, 56, -5]], ignore_regions_y=[[0, 0, 90, 90]])
    results = one_person([None] * 3)
    for person in results["annotations"]:  # wrong where nobody looks
        person["keypoints"][:18] = [v + 20 * (i % 3 == 1) for i, v in enumerate(person["keypoints"][:18])]
    assert measured(tmp_path, {"v.json": clip}, {"v.json": results}).value == 1


def test_what_a_model_finds_is_read_back_as_it_was(tmp_path: pathlib.Path) -> None:
    truth = PROTOCOL.load(write(tmp_path / "labels", {"v.json": one_person([1, 1])}))
    points = np.arange(34, dtype=np.float32).reshape(1, 17, 2) + 1
    scores = np.linspace(0.1, 0.9, 17, dtype=np.float32)[None]
    scores[0, 2] = 0
    poses = Poses(points, scores, np.ones(1, np.float32), get_skeleton("POSETRACK_17"), ids=np.array([6]))
    (tmp_path / "r.json").write_text(json.dumps({"annotations": PROTOCOL.entries(1, poses)}))
    people = PROTOCOL.read(str(tmp_path / "r.json"), truth)[1]
    names = list(PROTOCOL.joints)
    nose, top = names.index("nose"), names.index("head_top")
    assert people.points[0, nose].tolist() == [1, 2]
    assert people.scores[0, nose] == pytest.approx(0.1)
    assert people.there[0, nose]
    assert not people.there[0, top]
    assert people.tracks == [6]


BAD = [
    ("labels of nobody", {"images": [], "annotations": [], "categories": []}, [], "nobody is labelled"),
    ("other labels", {"people": 3}, [], "expected PoseTrack's `annolist`"),
    ("a head without a box", dict(one_person([1, 1]), annotations=[dict(one_person([1])["annotations"][0],
                                                                        bbox_head=[0, 0, 0, 0])]), [],
     "somebody has no box of the head"),
    ("another picture", one_person([1, 1]), [{"image_id": 77, "keypoints": [0] * 51}], "image_id 77 is not in"),
    ("no keypoints", one_person([1, 1]), [{"image_id": 1}], "expected results in PoseTrack's layout"),
    ("one name twice", one_person([1, 1]), one_person([1, 1])["annotations"] * 2, "two people have one track_id"),
    ("names for some", one_person([1, 1]), [one_person([1, None])["annotations"][i] for i in (0, 1)],
     "expected all or none"),
]


@pytest.mark.parametrize("labels, results, message", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_cannot_be_compared_is_said(tmp_path: pathlib.Path, labels: Any, results: Any, message: str) -> None:
    if "track_id" in message:
        pytest.importorskip("motmetrics", reason="counts tracks: pip install '.[eval]'")
    (tmp_path / "l.json").write_text(json.dumps(labels))
    (tmp_path / "r.json").write_text(json.dumps(results))

    def evaluate() -> None:
        truth = PROTOCOL.load(str(tmp_path / "l.json"))
        PROTOCOL.evaluate(truth, PROTOCOL.read(str(tmp_path / "r.json"), truth))
    with pytest.raises(EvaluationError, match=message):
        evaluate()
