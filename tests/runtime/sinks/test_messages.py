"""A line of JSON a frame, and a folder that does not grow for ever."""
import io
import json
import time

import numpy as np
import pytest

from wholebody.errors import OutputError
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks import Details, JsonLines, OpenPoseJson
from wholebody.runtime.sinks.rotation import parse_size
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_17")


def poses(count, ids=None):
    drawn = np.random.RandomState(count)
    return Poses(drawn.uniform(0, 60, (count, 17, 2)), drawn.uniform(0, 1, (count, 17)), np.ones(count), SKELETON,
                 ids=ids)


def frame(index, age=0.0):
    return Frame(np.zeros((48, 64, 3), np.uint8), index, time.monotonic() - age, "hall_%d" % index)


def result(index, found):
    return Result(index, 0.0, found, {}, 12.3456)


def test_a_frame_is_one_line_that_reads_back():
    text, found = io.StringIO(), poses(3, ids=np.array([4, 5, 9]))
    JsonLines(text).write(frame(6, age=2.0), result(6, found), None)
    assert text.getvalue().count("\n") == 1
    message = json.loads(text.getvalue())
    assert {name: message[name] for name in ("source", "index", "latency_ms", "width", "height", "skeleton")} == {
        "source": "hall_6", "index": 6, "latency_ms": 12.35, "width": 64, "height": 48, "skeleton": "COCO_17"}
    assert message["captured_at"] == pytest.approx(time.time() - 2.0, abs=0.5)
    assert [person["id"] for person in message["people"]] == [4, 5, 9]
    points = np.array([person["keypoints"] for person in message["people"]])
    np.testing.assert_allclose(points[..., :2], found.keypoints, atol=6e-4)
    np.testing.assert_allclose(points[..., 2], found.scores, atol=6e-4)


def test_nobody_is_an_empty_list_and_untracked_people_have_no_id():
    text = io.StringIO()
    sink = JsonLines(text)
    sink.write(frame(0), result(0, poses(0)), None)
    sink.write(frame(1), result(1, poses(1)), None)
    first, second = map(json.loads, text.getvalue().splitlines())
    assert first["people"] == []
    assert set(second["people"][0]) == {"score", "box", "keypoints"}


def test_numbers_that_json_does_not_have_are_not_found():
    found = poses(1)
    found.keypoints[0, 3, 0], found.scores[0, 4], found.boxes_xyxy[0, 0] = np.nan, np.inf, np.nan
    text = io.StringIO()
    JsonLines(text).write(frame(0), result(0, found), None)
    person = json.loads(text.getvalue())["people"][0]
    assert person["keypoints"][3] == person["keypoints"][4] == [0, 0, 0]
    assert person["box"][0] == 0


def test_a_reader_that_went_away_is_one_line():
    class Closed(io.StringIO):
        def flush(self):
            raise BrokenPipeError(32, "Broken pipe")
    with pytest.raises(OutputError, match="cannot write stdout: Broken pipe"):
        JsonLines(Closed()).write(frame(0), result(0, poses(1)), None)


@pytest.mark.parametrize("text", ["", "5X", "-1", "0", "many", "1.2.3"])
def test_what_is_no_size_is_one_line(text):
    with pytest.raises(OutputError, match="expected a size such as 500M"):
        parse_size(text)


def test_the_oldest_files_of_the_run_go_and_no_others(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    sink, sizes = OpenPoseJson(tmp_path, keep=5000), []
    for index in range(40):
        found = poses(1)
        sink.write(frame(index), result(index, found), Details(found.keypoints, (64, 48)))
        sizes.append(sum(path.stat().st_size for path in tmp_path.glob("*.json")))
    assert max(sizes) <= 5000
    assert (tmp_path / "mine.txt").read_text() == "keep"
    kept = sorted(int(path.name.split("_")[1]) for path in tmp_path.glob("*.json"))
    assert kept == list(range(40 - len(kept), 40))
    assert len(kept) > 3


def test_one_file_that_is_too_large_stays(tmp_path):
    sink, found = OpenPoseJson(tmp_path, keep=10), poses(1)
    sink.write(frame(0), result(0, found), Details(found.keypoints, (64, 48)))
    assert len(list(tmp_path.iterdir())) == 1
