"""Results of several sources brought together, and the files that come of it."""
import json

import numpy as np
import pytest
from rigs import SKELETON, crowd, ring, seen_by

from wholebody.errors import OutputError
from wholebody.poses import Frame, Result
from wholebody.runtime.multiview import Rig
from wholebody.runtime.multiview.moments import Moments, MomentSink
from wholebody.runtime.multiview.writing import Lines3D, OpenPose3D, make_sinks

CAMERAS = ring(3)
FIGURES = crowd(2, 0)


class Kept(MomentSink):
    """Remembers what it was given."""

    def __init__(self):
        self.moments, self.ended = [], ""

    def write(self, moment):
        self.moments.append(moment)

    def close(self):
        self.ended = "closed"

    def abort(self):
        self.ended = "aborted"


def feed(view, number, index, at=0.0):
    """A frame of a camera and its result."""
    seen = seen_by(CAMERAS[number], FIGURES, np.random.RandomState(number))
    frame = Frame(np.zeros((seen.height, seen.width, 3), np.uint8), index, at, "cam%d_%05d" % (number, index))
    view.write(frame, Result(index, at, seen.poses, {}), None)


def test_frames_of_files_meet_by_their_number_whatever_the_order():
    kept = Kept()
    moments = Moments(Rig(CAMERAS), [kept], live=False)
    views = moments.views()
    for number, index in [(0, 0), (0, 1), (1, 0), (0, 2), (2, 0), (2, 2), (1, 1), (1, 2)]:  # camera 2 has no frame 1
        feed(views[number], number, index)
    assert [moment.index for moment in kept.moments] == [0, 2]
    assert [moment.name for moment in kept.moments] == ["cam0_00000", "cam0_00002"]
    assert all(len(moment.poses) == 2 for moment in kept.moments)
    for view in views:
        view.close()
    assert kept.ended == "closed"
    assert moments.alone == 2
    assert "2 moments, 4 people; 2 results had no partner" in moments.report()[0]


def test_frames_of_cameras_meet_by_their_time():
    kept = Kept()
    moments = Moments(Rig(CAMERAS), [kept], live=True, apart=0.02)
    views = moments.views()
    for index in range(4):
        feed(views[0], 0, index, 0.1 * index)
    for index, at in enumerate([0.01, 0.15, 0.195, 0.31]):  # the second is nobody's partner
        feed(views[1], 1, index, at)
    for index, at in enumerate([0.005, 0.205, 0.295]):
        feed(views[2], 2, index, at)
    assert [round(moment.captured_at, 3) for moment in kept.moments] == [0.0, 0.2, 0.3]
    assert [moment.index for moment in kept.moments] == [0, 1, 2]


def test_a_camera_that_is_lost_does_not_fill_the_memory():
    kept = Kept()
    moments = Moments(Rig(CAMERAS), [kept], live=True)
    views = moments.views()
    for index in range(600):
        feed(views[0], 0, index, 0.03 * index)
        feed(views[1], 1, index, 0.03 * index)
    assert sum(map(len, moments._waiting)) <= 2 * 256
    feed(views[2], 2, 0, 0.03 * 599)  # it is back
    assert [moment.captured_at for moment in kept.moments] == [0.03 * 599]
    assert moments.alone == 2 * 599


def test_a_run_that_fails_leaves_no_file(tmp_path):
    path = tmp_path / "people.jsonl"
    moments = Moments(Rig(CAMERAS), [Lines3D(path)], live=False)
    views = moments.views()
    for number in range(3):
        feed(views[number], number, 0)
    views[0].close()
    views[1].abort()
    views[2].close()
    assert list(tmp_path.iterdir()) == []


def test_lines_have_metres_scores_and_errors(tmp_path):
    path = tmp_path / "people.jsonl"
    moments = Moments(Rig(CAMERAS), [Lines3D(path)], live=False)
    views = moments.views()
    for index in range(2):
        for number in range(3):
            feed(views[number], number, index)
    for view in views:
        view.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["index"] for line in lines] == [0, 1]
    assert lines[0]["skeleton"] == "BODY_25"
    for person in lines[0]["people"]:
        points = np.array(person["keypoints"])
        assert points.shape == (25, 4)
        found = points[:, 3] > 0
        off = min(np.linalg.norm(points[found, :3] - figure[found], axis=1).mean() for figure in FIGURES)
        assert off < 0.02
        assert 0 < person["error_px"] < 3
        assert len(person["people_in_views"]) == 3
    with pytest.raises(OutputError, match="--overwrite"):
        Lines3D(path)


def test_openposes_files_have_3d_lists_and_ones(tmp_path):
    moments = Moments(Rig(CAMERAS), [OpenPose3D(tmp_path / "out")], live=False)
    views = moments.views()
    for number in range(3):
        feed(views[number], number, 7)
    said = json.loads((tmp_path / "out" / "cam0_00007_keypoints.json").read_text())
    assert said["version"] == 1.3
    assert len(said["people"]) == 2
    person = said["people"][0]
    assert person["pose_keypoints_2d"] == []
    assert person["face_keypoints_3d"] == []
    points = np.reshape(person["pose_keypoints_3d"], (25, 4))
    assert set(points[:, 3]) <= {0.0, 1.0}
    assert list(person)[:2] == ["person_id", "pose_keypoints_2d"]
    assert SKELETON.name == "BODY_25"


def test_what_is_asked_for_is_what_is_made(tmp_path):
    made = make_sinks(["-", str(tmp_path / "a.jsonl"), str(tmp_path / "folder")], False)
    assert [type(sink).__name__ for sink in made] == ["Lines3D", "Lines3D", "OpenPose3D"]
    for sink in made:
        sink.abort()
