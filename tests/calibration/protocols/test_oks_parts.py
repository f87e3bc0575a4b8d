"""COCO-WholeBody and Halpe give the official evaluators' numbers; Halpe-26 and the foot set are their slices."""
import json
import pathlib
from typing import Any

import numpy as np
import oks_cases
import pytest

from wholebody.calibration.protocols import open_protocol
from wholebody.calibration.protocols.base import Report
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton

pytest.importorskip("pycocotools", reason="the protocol's arithmetic: pip install '.[eval]'")
ROOT = pathlib.Path(__file__).resolve().parents[3]
SAMPLES = ROOT.parent / "shared" / "assets" / "images" / "mmpose_tests"
OFFICIAL = json.loads((ROOT / "tests/references/official_oks.json").read_text())
PARTS = {"body": "body", "foot": "foot", "face": "face", "lefthand": "left_hand", "righthand": "right_hand",
         "wholebody": "whole", "hand": "hand", "fullbody": "full"}  # what official evaluators call them: what we do
FILES = {"wholebody": "coco/test_coco_wholebody.json", "halpe": "halpe/test_halpe.json"}


def labels(kind: str) -> Any:
    evaluator, origin = kind.split()
    if origin == "drawn":
        return oks_cases.labels(oks_cases.FIELDS if evaluator == "wholebody" else {"keypoints": 136})
    if not SAMPLES.is_dir():
        pytest.skip("needs the sample annotations of ../shared/assets, which is missing")
    return json.loads((SAMPLES / FILES[evaluator]).read_text())


def measured(folder: pathlib.Path, module: str, truth: Any, results: Any) -> Report:
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))
    protocol = open_protocol(module)
    loaded = protocol.load(str(folder / "truth.json"))
    return protocol.evaluate(loaded, protocol.read(str(folder / "results.json"), loaded))


@pytest.mark.parametrize("kind, case", [(kind, case) for kind, cases in OFFICIAL.items() for case in cases])
def test_every_number_is_the_official_evaluators_to_the_last_digit(tmp_path: pathlib.Path, kind: str,
                                                                   case: str) -> None:
    truth = labels(kind)
    report = measured(tmp_path, kind.split()[0], truth, oks_cases.results(truth, case))
    assert set(report.parts) == {PARTS[part] for part in OFFICIAL[kind][case]}
    for part, numbers in OFFICIAL[kind][case].items():
        ours = list(report.parts[PARTS[part]].values())
        assert [f"{v:.4f}" for v in ours] == [f"{v:.4f}" for v in numbers], part
    everything = report.measure(np.ones(report.images, np.int64))
    official = {PARTS[part]: numbers[0] for part, numbers in OFFICIAL[kind][case].items()}
    assert everything == pytest.approx(official, abs=1e-6)


def test_an_image_that_counts_twice_is_one_that_is_there_twice(tmp_path: pathlib.Path) -> None:
    truth = oks_cases.labels(oks_cases.FIELDS)
    results = oks_cases.results(truth, "swapped")
    weighted = measured(tmp_path, "wholebody", truth, results).measure(np.array([2, 1, 0, 1, 3, 1]))
    often = {1: 2, 2: 1, 3: 0, 4: 1, 5: 3, 6: 1}
    copied: dict[str, Any] = {"images": [], "annotations": [], "categories": truth["categories"]}
    copies = []
    for image, times in often.items():
        for n in range(times):
            number = 100 * image + n
            copied["images"].append({"id": number, "file_name": f"{number}.jpg"})
            copied["annotations"] += [dict(a, image_id=number) for a in truth["annotations"] if a["image_id"] == image]
            copies += [dict(r, image_id=number) for r in results if r["image_id"] == image]
    report = measured(tmp_path, "wholebody", copied, copies)
    assert weighted == pytest.approx({part: numbers["AP"] for part, numbers in report.parts.items()}, abs=5.1e-5)


def test_halpe_26_are_halpes_body_and_feet(tmp_path: pathlib.Path) -> None:
    truth = oks_cases.labels({"keypoints": 136})
    results = oks_cases.results(truth, "shifted")
    few, all_points = (measured(tmp_path, module, truth, results) for module in ("halpe26", "halpe"))
    assert list(few.parts) == ["body", "foot", "full"]
    for statistic in ("AP", "AP50", "AP75", "AR"):  # the areas of false alarms differ
        assert few.parts["body"][statistic] == pytest.approx(all_points.parts["body"][statistic], abs=0.02)
    short = [dict(r, keypoints=r["keypoints"][:78]) for r in results]
    assert measured(tmp_path, "halpe26", truth, short).parts == few.parts


@pytest.mark.parametrize("with_body", [True, False], ids=["23 points", "the feet alone"])
def test_the_foot_set_is_the_feet_of_coco_wholebody(tmp_path: pathlib.Path, with_body: bool) -> None:
    truth = oks_cases.labels(oks_cases.FIELDS)
    results = oks_cases.results(truth, "swapped")
    whole = measured(tmp_path, "wholebody", truth, results)

    def with_feet(entry: dict[str, Any], body: bool) -> dict[str, Any]:
        return {**entry, "keypoints": (entry["keypoints"] if body else []) + entry["foot_kpts"]}
    feet = measured(tmp_path, "foot", dict(truth, annotations=[with_feet(a, True) for a in truth["annotations"]]),
                    [with_feet(r, with_body) for r in results])
    for statistic in ("AP", "AP50", "AP75", "AR", "AR50", "AR75"):
        assert feet.statistics[statistic] == whole.parts["foot"][statistic]


@pytest.mark.parametrize("module", ["wholebody", "halpe", "halpe26", "foot"])
def test_nobody_found_is_an_ap_of_0_and_everybody_missed(tmp_path: pathlib.Path, module: str) -> None:
    truth = oks_cases.labels(oks_cases.FIELDS)
    count = {"halpe": 136, "halpe26": 26, "foot": 23}.get(module)
    if count:
        truth = oks_cases.labels({"keypoints": count})
    report = measured(tmp_path, module, truth, [])
    assert {numbers["AP"] for numbers in report.parts.values()} == {0}
    assert report.labelled == sum(errors.missed for errors in report.worst) > 0
    assert set(report.measure(np.ones(report.images, np.int64)).values()) == {0}


@pytest.mark.parametrize("module, skeleton", [("wholebody", "WHOLEBODY_133"), ("halpe", "HALPE_136"),
                                              ("halpe26", "HALPE_136"), ("foot", "BODY_25")])
def test_what_a_model_finds_is_read_back_as_it_was(module: str, skeleton: str) -> None:
    protocol: Any = open_protocol(module)
    points = np.arange(2 * len(get_skeleton(skeleton).keypoints), dtype=np.float32).reshape(1, -1, 2) + 1
    scores = np.full(points.shape[:2], 0.5, np.float32)
    poses = Poses(points, scores, np.array([0.7], np.float32), get_skeleton(skeleton))
    absent = get_skeleton(skeleton).index_of("right_heel")
    scores[0, absent] = 0
    entry, = protocol.entries(3, poses)
    assert (entry["image_id"], entry["score"]) == (3, pytest.approx(0.7))
    expected = poses.to_skeleton(protocol.skeleton)
    values = np.array(protocol.whole(entry)).reshape(-1, 3)
    seen = [i for i, name in enumerate(protocol.skeleton.keypoints) if name != "right_heel"]
    assert values[seen, :2] == pytest.approx(expected.keypoints[0][seen])
    assert (values[seen, 2] == 0.5).all()
    assert values[protocol.skeleton.index_of("right_heel")].tolist() == [0, 0, 0]
    points[0, absent], scores[0, absent] = np.nan, 0.5
    assert json.dumps(protocol.entries(3, Poses(points, scores, poses.person_scores, poses.skeleton)), allow_nan=False)


def test_a_model_without_any_point_of_the_protocol_is_refused() -> None:
    protocol: Any = open_protocol("foot")
    with pytest.raises(EvaluationError, match="the model finds COCO_17, none of the points of FOOT_6"):
        protocol.entries(1, Poses.empty(get_skeleton("COCO_17")))


BAD = [
    ("foot", {"keypoints": 17}, "expected a list of 18 or 69 numbers, got 51"),
    ("halpe", {"keypoints": 17}, "expected a list of 408 numbers, got 51"),
    ("halpe26", {"keypoints": 17}, "expected a list of 78 or 408 numbers, got 51"),
    ("wholebody", {"keypoints": 17}, "foot_kpts: expected a list of 18 numbers, got none"),
]


@pytest.mark.parametrize("module, fields, message", BAD, ids=[case[0] for case in BAD])
def test_labels_of_another_set_are_told_apart(tmp_path: pathlib.Path, module: str, fields: dict[str, int],
                                              message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        measured(tmp_path, module, oks_cases.labels(fields), [])
