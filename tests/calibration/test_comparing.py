"""wb-eval compare: what differs between two results files, how sure that is, and when it says no."""
import json
import pathlib
import random
from typing import Any

import numpy as np
import pytest

from wholebody.calibration.comparing import compare
from wholebody.calibration.protocols.base import Report
from wholebody.cli.evaluate import main

IMAGES = 40


def truth() -> dict[str, Any]:
    """A hand in each image."""
    chance = random.Random(1)
    return {"images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(1, IMAGES + 1)], "categories": [],
            "annotations": [{"id": i, "image_id": i, "bbox": [0, 0, 100, 100],
                             "keypoints": [v for _ in range(21) for v in (100 * chance.random(),
                                                                          100 * chance.random(), 1)]}
                            for i in range(1, IMAGES + 1)]}


def results(error: float, spread: float = 0.0) -> list[dict[str, Any]]:
    """All points of an image are off by `error`, and by as much more as the image is hard, the same for all."""
    chance = random.Random(2)
    return [{"image_id": a["image_id"], "keypoints": [v + off * (i % 3 == 0) for i, v in enumerate(a["keypoints"])]}
            for a, off in [(a, error + spread * chance.random()) for a in truth()["annotations"]]]


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    for name, content in {"truth": truth(), "good": results(2, 20), "bad": results(5, 20), "same": results(2, 20),
                          "one": results(2, 0)}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def words(*more: str) -> list[str]:
    return ["compare", *more, "--annotations", "truth.json", "--protocol", "hand"]


def compared(capsys: pytest.CaptureFixture[str], *more: str, code: int = 0) -> dict[str, Any]:
    assert main([*words(*more), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_is_hard_for_both_cancels_out(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    part, = compared(capsys, "good.json", "bad.json")["parts"]
    assert part["difference"] == pytest.approx(3.0)
    assert (part["low"], part["high"]) == pytest.approx((3.0, 3.0)), "every image got worse by exactly as much"
    part, = compared(capsys, "good.json", "one.json")["parts"]
    assert part["low"] < part["difference"] < part["high"], "not every image by as much"


def test_the_interval_is_as_wide_as_statistics_has_it(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a mean: 1.96 standard errors to either side."""
    offs = np.array([r["keypoints"][0] - a["keypoints"][0] for r, a in zip(results(2, 20), truth()["annotations"],
                                                                         strict=True)]) - 2
    part, = compared(capsys, "one.json", "good.json", "--resamples", "4000")["parts"]
    half = 1.96 * offs.std() / np.sqrt(IMAGES)
    assert part["difference"] == pytest.approx(offs.mean(), abs=1e-3)
    assert part["high"] - part["difference"] == pytest.approx(half, rel=0.15)
    assert part["difference"] - part["low"] == pytest.approx(half, rel=0.15)


def test_the_same_seed_gives_the_same_interval(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, again, other = (compared(capsys, "one.json", "good.json", "--seed", seed)["parts"][0]["low"]
                           for seed in ("3", "3", "4"))
    assert first == again
    assert first != other


GATE = [("worse by more", ["good.json", "bad.json", "--tolerance", "2.9"], 3),
        ("worse by less", ["good.json", "bad.json", "--tolerance", "3.1"], 0),
        ("better: a smaller error is", ["bad.json", "good.json", "--tolerance", "0"], 0),
        ("the same", ["good.json", "same.json", "--tolerance", "0"], 0),
        ("nothing asked", ["good.json", "bad.json"], 0)]


@pytest.mark.parametrize("more, code", [case[1:] for case in GATE], ids=[case[0] for case in GATE])
def test_a_regression_beyond_the_tolerance_exits_with_3(place: pathlib.Path, more: list[str], code: int) -> None:
    assert main(words(*more)) == code


def report(ap: dict[str, float]) -> Report:
    return Report("fake", 2, 2, 2, {part: {"AP": value} for part, value in ap.items()}, ("whole", "AP"), (), (1, 2),
                  lambda weights: ap)


def test_parts_that_nobody_labelled_are_left_out() -> None:
    first, second = report({"face": float("nan"), "whole": 0.5}), report({"face": float("nan"), "whole": 0.4})
    difference, = compare(first, second, 10, 0)
    assert (difference.part, difference.change) == ("whole", pytest.approx(-0.1))
    assert difference.worse_by(lower_is_better=False) == pytest.approx(0.1)


def test_every_part_is_held_to_the_tolerance_when_asked(place: pathlib.Path,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    """Left hands got worse, right hands better, and all together stayed."""
    base = truth()
    sided = {"lefthand_kpts": "lefthand_box", "righthand_kpts": "righthand_box"}
    labels = [{"id": a["id"], "image_id": a["image_id"], **dict.fromkeys(sided, a["keypoints"]),
               **dict.fromkeys(sided.values(), a["bbox"])} for a in base["annotations"]]
    pathlib.Path("truth.json").write_text(json.dumps(dict(base, annotations=labels)))
    for name, left, right in (("a", 4, 6), ("b", 6, 4)):
        pathlib.Path(f"{name}.json").write_text(json.dumps(
            [{"image_id": a["image_id"], "lefthand_kpts": b["keypoints"], "righthand_kpts": c["keypoints"]}
             for a, b, c in zip(labels, results(left), results(right), strict=True)]))
    assert main(words("a.json", "b.json", "--tolerance", "1")) == 0
    capsys.readouterr()
    assert compared(capsys, "a.json", "b.json", "--tolerance", "1", "--every-part", code=3)["worse"] == ["left"]


def test_people_read_a_table(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("good.json", "bad.json", "--tolerance", "1")) == 3
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "EPE of A good.json and B bad.json, 40 images"
    assert said[1].split() == ["part", "A", "B", "B", "-", "A", "95", "%", "interval"]
    assert said[2].startswith("hand")
    assert "+3.0000  +3.0000 to +3.0000  worse" in said[2]


USAGE = [(["model.onnx", "good.json"], "model.onnx is a model: it needs --images DIR"),
         (["good.json"], "the following arguments are required: B"),
         (["good.json", "bad.json", "--resamples", "-3"], "expected a whole number up to 100000, got '-3'"),
         (["good.json", "bad.json", "--tolerence", "1"], "did you mean --tolerance?")]


@pytest.mark.parametrize("more, message", USAGE, ids=[message for _, message in USAGE])
def test_words_that_make_no_comparison_exit_with_2(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                   more: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(words(*more))
    assert leaving.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_missing_is_one_line(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("good.json", "gone.json")) == 1
    said = capsys.readouterr().err
    assert said == "wb-eval compare: error: cannot read results gone.json: No such file or directory\n"


def test_one_sequence_says_nothing_about_others(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = [v for k in range(17) for v in (10 * k + 1, 5, 1)]
    clip = {"images": [{"id": i, "file_name": f"v/{i}.jpg"} for i in (1, 2)], "annotations": [
        {"image_id": i, "keypoints": points, "scores": [0.5] * 17, "bbox_head": [0, 0, 30, 40]} for i in (1, 2)]}
    for name, kept in (("truth", 2), ("a", 2), ("b", 1)):
        pathlib.Path(f"{name}.json").write_text(json.dumps(dict(clip, annotations=clip["annotations"][:kept])))
    assert main(["compare", "a.json", "b.json", "--annotations", "truth.json", "--protocol", "posetrack"]) == 0
    said = capsys.readouterr()
    assert "one sequence alone says nothing about others" in said.err
    total = next(line for line in said.out.splitlines() if line.startswith("total"))
    assert total.split() == ["total", "1.0000", "0.5000", "-0.5000", "-0.5000", "to", "-0.5000"]
