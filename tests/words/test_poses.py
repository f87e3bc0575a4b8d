"""Poses, the only pose result."""
import numpy as np
import pytest

from wholebody.errors import ShapeError
from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton


def people(skeleton, count):
    points = len(skeleton.keypoints)
    keypoints = np.arange(count * points * 2, dtype=np.float32).reshape(count, points, 2) + 1
    return Poses(keypoints, np.full((count, points), 0.5, np.float32), np.arange(count, dtype=np.float32), skeleton)


def test_the_length_is_the_number_of_people():
    assert len(people(get_skeleton("BODY_25"), 3)) == 3
    assert len(Poses.empty(get_skeleton("BODY_25"))) == 0
    assert repr(people(get_skeleton("BODY_25"), 1)) == "Poses(1 person, BODY_25)"


@pytest.mark.parametrize("which, left", [(slice(1, None), [1, 2]), (np.array([2, 0]), [2, 0]),
                                         (np.array([True, False, True]), [0, 2])], ids=["slice", "indices", "mask"])
def test_people_are_chosen_by_slice_indices_or_mask(which, left):
    chosen = people(get_skeleton("COCO_17"), 3)[which]
    assert chosen.person_scores.tolist() == left
    assert chosen.boxes_xyxy.shape == (len(left), 4)


def test_one_number_gives_one_person_and_a_loop_gives_each():
    poses = people(get_skeleton("COCO_17"), 3)
    assert len(poses[1]) == 1
    assert poses[-1].person_scores.tolist() == [2]
    assert [person.person_scores[0] for person in poses] == [0, 1, 2]
    for beyond in (3, -4):
        with pytest.raises(IndexError, match="person %d of 3" % beyond):
            poses[beyond]


def test_ids_given_as_a_list_go_with_their_people():
    poses = people(get_skeleton("COCO_17"), 2)
    named = Poses(poses.keypoints, poses.scores, poses.person_scores, poses.skeleton, ids=[7, 9])
    assert named[1:].ids.tolist() == [9]
    assert named.with_keypoints(poses.keypoints).ids.tolist() == [7, 9]


WRONG = [
    ("keypoints of another set", {"keypoints": np.zeros((2, 18, 2), np.float32)}, "expected shape (2, 17, 2)"),
    ("scores of other people", {"scores": np.zeros((3, 17), np.float32)}, "scores: expected shape (2, 17)"),
    ("person scores", {"person_scores": np.zeros((2, 1), np.float32)}, "person_scores: expected shape (2,)"),
    ("boxes", {"boxes_xyxy": np.zeros((2, 5), np.float32)}, "boxes_xyxy: expected shape (2, 4)"),
    ("ids", {"ids": np.zeros(3, np.int64)}, "ids: expected shape (2,)"),
]


@pytest.mark.parametrize("change, message", [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_shape_is_refused_with_expected_and_got(change, message):
    parts = {"keypoints": np.zeros((2, 17, 2), np.float32), "scores": np.zeros((2, 17), np.float32),
                 "person_scores": np.zeros(2, np.float32), "skeleton": get_skeleton("COCO_17")}
    with pytest.raises(ShapeError) as caught:
        Poses(**dict(parts, **change))
    assert message in str(caught.value)
    assert "got" in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_boxes_lie_around_what_was_found():
    poses = people(get_skeleton("COCO_17"), 1)
    poses.scores[0, 1:] = 0
    found = Poses(poses.keypoints, poses.scores, poses.person_scores, poses.skeleton)
    assert found.boxes_xyxy.tolist() == [[1, 2, 1, 2]]
    poses.scores[:] = 0
    assert Poses(poses.keypoints, poses.scores, poses.person_scores, poses.skeleton).boxes_xyxy.tolist() == [[0] * 4]


def test_a_mean_of_two_points_needs_both_and_takes_the_lower_score():
    coco = get_skeleton("COCO_17")
    poses = people(coco, 2)
    left, right = coco.index_of("left_shoulder"), coco.index_of("right_shoulder")
    poses.scores[0, [left, right]] = 0.9, 0.4
    poses.scores[1, left] = 0
    converted = poses.to_skeleton("COCO_18")
    neck = converted.skeleton.index_of("neck")
    np.testing.assert_array_equal(converted.keypoints[0, neck], poses.keypoints[0, [left, right]].mean(axis=0))
    assert converted.scores[:, neck].tolist() == pytest.approx([0.4, 0])
    assert converted.keypoints[1, neck].tolist() == [0, 0]


def test_conversion_keeps_people_scores_ids_and_boxes():
    poses = people(get_skeleton("BODY_25"), 2)
    poses.ids = np.array([7, 9])
    converted = poses.to_skeleton("COCO_17")
    assert converted.ids.tolist() == [7, 9]
    np.testing.assert_array_equal(converted.person_scores, poses.person_scores)
    np.testing.assert_array_equal(converted.boxes_xyxy, poses.boxes_xyxy)
    assert poses.to_skeleton("BODY_25") is poses


def test_what_has_no_counterpart_has_score_0():
    converted = people(get_skeleton("COCO_17"), 1).to_skeleton("BODY_25")
    heel = converted.skeleton.index_of("left_heel")
    assert converted.scores[0, heel] == 0
    assert converted.keypoints[0, heel].tolist() == [0, 0]
