"""AlphaPose's result files."""
import json

import numpy as np
import pytest

from wholebody.errors import OutputError
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks import AlphaPoseJson, Details
from wholebody.skeletons import get_skeleton


def people(name="COCO_17", count=2):
    skeleton = get_skeleton(name)
    shape = (count, len(skeleton.keypoints))
    points = np.arange(2 * shape[0] * shape[1], dtype=np.float32).reshape(shape + (2,))
    scores = np.linspace(0.1, 0.9, shape[0] * shape[1], dtype=np.float32).reshape(shape)
    boxes = np.tile(np.float32([[1, 2, 11, 22]]), (count, 1))
    return Poses(points, scores, np.arange(count) + np.float32(1.5), skeleton, boxes)


def written(path, fmt, frames):
    with AlphaPoseJson(path, fmt) as sink:
        for name, poses in frames:
            sink.write(Frame(None, 0, 0.0, name), Result(0, 0.0, poses, {}), Details(poses.keypoints, (1, 1)))
    return json.loads(path.read_text())


def test_everybody_is_an_entry_with_the_box_as_x_y_width_height(tmp_path):
    poses = people()
    found = written(tmp_path / "a.json", "default", [("one", poses), ("two", people(count=0)), ("three", people())])
    assert [entry["image_id"] for entry in found] == ["one", "one", "three", "three"]
    assert set(found[0]) == {"image_id", "category_id", "keypoints", "score", "box", "idx"}
    assert (found[1]["box"], found[1]["category_id"], found[1]["score"]) == ([1, 2, 10, 20], 1, 2.5)
    expected = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2)[1].ravel()
    np.testing.assert_allclose(found[1]["keypoints"], expected)


# Nose, neck, right arm, left arm, right leg, left leg, right eye, left eye, right ear, left ear.
ORDER = ["nose", None, "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
         "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
         "right_ear", "left_ear"]


@pytest.mark.parametrize("name", ["COCO_17", "HALPE_26", "HALPE_136"])
@pytest.mark.parametrize("fmt, people_are, points_are", [("cmu", "bodies", "joints"),
                                                         ("open", "people", "pose_keypoints_2d")])
def test_the_other_formats_have_eighteen_points_of_every_set(tmp_path, name, fmt, people_are, points_are):
    poses = people(name)
    found = written(tmp_path / "a.json", fmt, [("one", poses), ("two", people(name, 1))])
    assert list(found) == ["one", "two"]
    assert found["one"]["version"] == "AlphaPose v0.3"
    assert json.loads((tmp_path / "sep-json" / "two.json").read_text()) == found["two"]
    rows = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2)[1]
    index = poses.skeleton.index_of
    expected = [rows[index(k)] if k else (rows[index("left_shoulder")] + rows[index("right_shoulder")]) / 2
                for k in ORDER]
    np.testing.assert_allclose(found["one"][people_are][1][points_are], np.ravel(expected), rtol=1e-6)


def test_a_run_without_people_writes_an_empty_file(tmp_path):
    assert written(tmp_path / "a.json", "default", []) == []
    assert written(tmp_path / "b.json", "cmu", [("one", people(count=0))]) == {}


def test_what_is_not_a_number_is_not_found(tmp_path):
    poses = people(count=1)
    poses.keypoints[0, 3] = np.nan
    assert written(tmp_path / "a.json", "default", [("one", poses)])[0]["keypoints"][9:12] == [0, 0, 0]


def test_a_run_that_fails_leaves_no_file_and_an_old_one_is_not_replaced(tmp_path):
    path = tmp_path / "a.json"
    sink = AlphaPoseJson(path)
    sink.write(Frame(None, 0, 0.0, "one"), Result(0, 0.0, people(), {}), Details(people().keypoints, (1, 1)))
    sink.abort()
    sink.close()
    assert not list(tmp_path.iterdir())
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        AlphaPoseJson(path)
    with pytest.raises(OutputError, match="unknown AlphaPose format 'xml'; known: default, cmu, open"):
        AlphaPoseJson(tmp_path / "b.json", "xml")
