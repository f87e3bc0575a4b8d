"""Whatever stands in a file of labels or results, it is measured or refused in one line."""
import copy
import json
import pathlib
import random
import warnings
from collections.abc import Iterator
from typing import Any

import oks_cases
import posetrack_cases
import pytest

from wholebody.calibration.protocols import open_protocol
from wholebody.errors import EvaluationError

JUNK = [None, True, "x", -1, 0, 1e400, float("nan"), [], {}, [1], [[1, 2]], "5", 3.5, 10 ** 30]
CHANGES = 150
FEW = 30  # where each measurement takes long: motmetrics' tables


def by_oks(points: int) -> tuple[Any, Any]:
    labels = oks_cases.labels({"keypoints": points}, images=2, people=2)
    return labels, oks_cases.results(labels, "shifted")


def clips() -> tuple[Any, Any]:
    labels = posetrack_cases.labels(frames=3)
    name = posetrack_cases.CLIPS[1] + ".json"
    return labels[name], posetrack_cases.results(labels, "false")[name]


def mpii() -> tuple[Any, Any]:
    label = {"image": "a.jpg", "joints": [[9.0 * k + 1, 5.0] for k in range(16)], "joints_vis": [1] * 16,
             "center": [9.0, 9.0], "scale": 1.5, "head_box": [0, 0, 30, 40]}
    return [label, dict(label)], [{"image_id": 1, "score": 1.0, "keypoints": [v for k in range(16)
                                                                              for v in (9.0 * k, 4.0, 1.0)]}]


def groups() -> tuple[Any, Any]:
    points = [{"id": [k], "x": [9.0 * k], "y": [5.0], "score": [0.5]} for k in range(16)]
    person = {"x1": [0], "y1": [0], "x2": [30], "y2": [40], "annopoints": [{"point": points}], "track_id": [1]}
    file = {"annolist": [{"image": [{"name": "v/1.jpg"}], "annorect": [person, {}],
                          "ignore_regions": [{"point": [{"x": [x], "y": [y]} for x, y in ((0, 0), (9, 0), (9, 9))]}]}]}
    return file, file


def landmarks(points: int) -> tuple[Any, Any]:
    labels, results = by_oks(points)
    for i, label in enumerate(labels["annotations"]):
        label["keypoints"] = [v for k in range(points) for v in (9.0 * k + i, 5.0 * k, 1)]
    return labels, results


FILES = {"coco": by_oks(17), "halpe": by_oks(136), "halpe26": by_oks(136), "foot": by_oks(23),
         "wholebody": (lambda labels: (labels, oks_cases.results(labels, "ranked")))(
             oks_cases.labels(oks_cases.FIELDS, images=2, people=2)),
         "posetrack": clips(), "mpii": mpii(), "mpii_multi": groups(), "face": landmarks(68), "hand": landmarks(21)}
FILES_2017 = {"posetrack": groups()}
CASES = [*FILES.items(), *FILES_2017.items()]


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key in (value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
        yield (*above, key)
        yield from places(value[key], (*above, key))


def damaged(chance: random.Random, value: Any) -> tuple[Any, str]:
    """A copy with one thing taken out, or put in the place of another; those near the root as often as the rest."""
    value = copy.deepcopy(value)
    everywhere = list(places(value))
    near = [place for place in everywhere if len(place) <= 3]
    place = chance.choice(near if chance.random() < 0.6 else everywhere)
    holder = value
    for key in place[:-1]:
        holder = holder[key]
    if chance.random() < 0.3:
        del holder[place[-1]]
        return value, f"without {place}"
    holder[place[-1]] = junk = chance.choice(JUNK)
    return value, f"{junk!r} at {place}"


@pytest.mark.parametrize("module, files", CASES, ids=[*FILES, "posetrack 2017"])
def test_a_damaged_file_is_measured_or_refused(tmp_path: pathlib.Path, module: str, files: tuple[Any, Any]) -> None:
    if module in ("coco", "halpe", "halpe26", "foot", "wholebody"):
        pytest.importorskip("pycocotools", reason="the protocol's arithmetic: pip install '.[eval]'")
    if module == "posetrack":
        pytest.importorskip("motmetrics", reason="counts tracks: pip install '.[eval]'")
    protocol, chance, refused = open_protocol(module), random.Random(module), 0
    changes = FEW if module == "posetrack" else CHANGES
    for i in range(changes):
        changed = list(copy.deepcopy(files))
        changed[i % 2], what = damaged(chance, files[i % 2])
        for name, content in zip(("truth.json", "results.json"), changed, strict=True):
            (tmp_path / name).write_text(json.dumps(content))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                truth = protocol.load(str(tmp_path / "truth.json"))
                report = protocol.evaluate(truth, protocol.read(str(tmp_path / "results.json"), truth))
            json.dumps(report.to_dict(), allow_nan=False)
        except EvaluationError as error:
            refused += 1
            assert "\n" not in str(error), what
        except Exception as error:
            raise AssertionError(f"{what} in the {('labels', 'results')[i % 2]}") from error
    assert changes / 10 < refused < changes
