"""OpenPose's JSON, byte for byte: the strings below are written by hand from its writer's rules."""
import json

import numpy as np
import pytest

from wholebody.errors import OutputError, ShapeError
from wholebody.poses import Poses
from wholebody.runtime.parts.whole import whole_skeleton
from wholebody.runtime.sinks import OpenPoseJson
from wholebody.skeletons import get_skeleton, skeleton_from_dict

PAIR = skeleton_from_dict({"name": "pair", "keypoints": ["a", "b"]})
REST = (',"face_keypoints_2d":[],"hand_left_keypoints_2d":[],"hand_right_keypoints_2d":[],"pose_keypoints_3d":[],'
        '"face_keypoints_3d":[],"hand_left_keypoints_3d":[],"hand_right_keypoints_3d":[]}')


def pair(*rows, **options):
    """People of two keypoints from rows x, y, score, x, y, score."""
    values = np.array(rows, np.float32).reshape(-1, 2, 3)
    return Poses(values[..., :2], values[..., 2], values[..., 2].mean(axis=1), PAIR, **options)


def written(folder, item, poses, **details):
    OpenPoseJson(folder).write(*item(poses, "clip_000000000007", **details))
    return (folder / "clip_000000000007_keypoints.json").read_bytes().decode("ascii")


@pytest.mark.parametrize(("poses", "people"), [
    (pair(), ""),
    (pair([1, 2, 0.5, 0, 0, 0]), '{"person_id":[-1],"pose_keypoints_2d":[1,2,0.5,0,0,0]' + REST),
    (pair([320.12345, 0.1, 0.9999999, 1234567, 0.000012345, 1]),
     '{"person_id":[-1],"pose_keypoints_2d":[320.123,0.1,1,1.23457e+06,1.2345e-05,1]' + REST),
    (pair([1, 2, 0.25, 3, 4, 0.5], [5, 6, 0.75, -0.5, 8, 1]),
     '{"person_id":[-1],"pose_keypoints_2d":[1,2,0.25,3,4,0.5]' + REST
     + ',{"person_id":[-1],"pose_keypoints_2d":[5,6,0.75,-0.5,8,1]' + REST),
    (pair([1, 2, 0.5, 3, 4, 0.5], [1, 2, 0.5, 3, 4, 0.5], ids=np.array([7, 1234567])),
     '{"person_id":[7],"pose_keypoints_2d":[1,2,0.5,3,4,0.5]' + REST
     + ',{"person_id":[1234567],"pose_keypoints_2d":[1,2,0.5,3,4,0.5]' + REST),
    (pair([np.nan, 2, 0.5, 3, np.inf, 0.5]), '{"person_id":[-1],"pose_keypoints_2d":[0,0,0,0,0,0]' + REST),
], ids=["nobody", "a missing keypoint", "six digits", "two people", "tracked", "not a number"])
def test_a_frame_is_written_as_openpose_writes_it(tmp_path, item, poses, people):
    assert written(tmp_path, item, poses) == '{"version":1.3,"people":[' + people + "]}"


@pytest.mark.parametrize(("candidates", "text"), [
    (None, ""), ([], ""),
    ([np.zeros((0, 3)), np.zeros((0, 3))], ',"part_candidates":[{"0":[],"1":[]}]'),
    ([np.array([[1, 2, 0.5], [3.5, 4, 0.25]]), np.array([[5, 6, 1]])],
     ',"part_candidates":[{"0":[1,2,0.5,3.5,4,0.25],"1":[5,6,1]}]'),
], ids=["not asked for", "no parts", "none found", "some"])
def test_candidates_follow_the_people(tmp_path, item, candidates, text):
    assert written(tmp_path, item, pair(), candidates=candidates) == '{"version":1.3,"people":[]' + text + "}"


def test_coordinates_are_those_of_the_keypoint_scale_with_missing_points_scaled_too(tmp_path, item):
    keypoints = np.array([[[0.5, -0.25], [-1, -1]]], np.float32)
    text = written(tmp_path, item, pair([48, 20, 0.5, 0, 0, 0]), keypoints=keypoints)
    assert '"pose_keypoints_2d":[0.5,-0.25,0.5,-1,-1,0]' in text


def test_numbers_are_those_of_float32(tmp_path, item):
    value = np.float32(16777217.0 / 3)
    text = written(tmp_path, item, pair([value, 0.3, 0.1, 1e-7, 100000, 0.7]))
    assert '"pose_keypoints_2d":[5.59241e+06,0.3,0.1,1e-07,100000,0.7]' in text


@pytest.mark.parametrize(("skeleton", "numbers"), [("COCO_18", 54), ("BODY_25", 75), ("BODY_135", 405)])
def test_every_set_goes_into_the_pose_list(tmp_path, item, people, skeleton, numbers):
    data = json.loads(written(tmp_path, item, people(skeleton, 3)))
    assert [len(person["pose_keypoints_2d"]) for person in data["people"]] == [numbers] * 3


@pytest.mark.parametrize(("skeleton", "face", "left", "right"), [
    ("BODY_25+FACE_70+HAND_21", 25, 95, 116), ("WHOLEBODY_133", 23, 91, 112), ("HALPE_136", 26, 94, 115)])
def test_faces_and_hands_have_lists_of_their_own(tmp_path, item, skeleton, face, left, right):
    """As from OpenPose's own networks for them; what was not found is 0, 0, 0 there as well."""
    parts = [("face", get_skeleton("FACE_70")), ("hand", get_skeleton("HAND_21"))]
    chosen = whole_skeleton(get_skeleton("BODY_25"), parts) if "+" in skeleton else get_skeleton(skeleton)
    values = np.arange(1, 3 * len(chosen.keypoints) + 1, dtype=np.float32).reshape(1, -1, 3)
    values[0, right + 20] = 0
    poses = Poses(values[..., :2], values[..., 2], np.ones(1, np.float32), chosen)
    person, = json.loads(written(tmp_path, item, poses))["people"]
    assert person["pose_keypoints_2d"] == values[0, :face].ravel().tolist()
    assert person["face_keypoints_2d"] == values[0, face:left].ravel().tolist()
    assert person["hand_left_keypoints_2d"] == values[0, left:right].ravel().tolist()
    assert person["hand_right_keypoints_2d"] == values[0, right:].ravel().tolist()
    assert person["hand_right_keypoints_2d"][-3:] == [0, 0, 0]


def test_keypoints_of_another_shape_are_an_error(tmp_path, item):
    with pytest.raises(ShapeError, match=r"expected shape \(1, 2, 2\), got \(1, 3, 2\)"):
        written(tmp_path, item, pair([1, 2, 1, 1, 2, 1]), keypoints=np.zeros((1, 3, 2)))
    assert list(tmp_path.iterdir()) == []


def test_the_same_input_gives_the_same_bytes(tmp_path, item, people):
    texts = [written(tmp_path / name, item, people("BODY_25", 5)) for name in ("a", "b")]
    assert texts[0] == texts[1]


def test_an_old_file_is_an_error_at_once_when_the_frames_are_known_and_later_when_not(tmp_path, item):
    old = tmp_path / "a_keypoints.json"
    old.write_text("old")
    with pytest.raises(OutputError, match="a_keypoints.json exists; add --overwrite"):
        OpenPoseJson(tmp_path, names=["b", "a"])
    with OpenPoseJson(tmp_path, names=["b"]) as sink:
        with pytest.raises(OutputError, match="exists"):
            sink.write(*item(pair(), "a"))
    assert old.read_text() == "old"
    OpenPoseJson(tmp_path, overwrite=True, names=["a"]).write(*item(pair(), "a"))
    assert old.read_text() == '{"version":1.3,"people":[]}'


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="it is a file; name another folder"):
        OpenPoseJson(tmp_path / "out")
