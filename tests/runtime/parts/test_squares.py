"""Where faces and hands are looked for, against OpenPose's rules written down for one person at a time."""
import math

import numpy as np
import pytest
from fake_parts import PERSON, bodies
from part_references import by_hand, distance, random_bodies

from wholebody.poses import Poses
from wholebody.runtime.parts.squares import FaceSquares, HandSquares
from wholebody.skeletons import get_skeleton

BODY_25 = get_skeleton("BODY_25")


def as_dict(squares):
    corner = squares.centre - squares.side[:, None] / 2
    return {int(slot): (x, y, side) for slot, (x, y), side in zip(squares.slots, corner, squares.side)}


@pytest.mark.parametrize("count", [0, 1, 500])
def test_squares_are_where_openpose_has_them(count):
    poses = random_bodies(count)
    for expected, found in zip(by_hand(poses), (FaceSquares(BODY_25)(poses), HandSquares(BODY_25)(poses))):
        assert sorted(as_dict(found)) == sorted(expected)
        for slot, square in as_dict(found).items():
            np.testing.assert_allclose(square, expected[slot], atol=1e-3)
        assert count < 500 or 20 < len(expected) < 980


FACES = [
    ("everything of the head", (), (0, -89 / 3), 124 / 3 * 1.5),
    ("no ears", ("right_ear", "left_ear"), (0, -28), 38 * 1.5),
    ("from the right", ("left_eye", "left_ear"), (-6, -33), 0.85 * (math.hypot(6, 6) + math.hypot(12, 3) + 20) * 1.5),
    ("eyes alone", ("nose", "right_ear", "left_ear"), (0, -36), 36 * 1.5),
]


@pytest.mark.parametrize("without, centre, side", [case[1:] for case in FACES], ids=[case[0] for case in FACES])
def test_a_face_is_found_from_what_there_is(without, centre, side):
    squares = FaceSquares(get_skeleton("COCO_18"), 1)(bodies(size=1.5, without=without))
    np.testing.assert_allclose(squares.centre, [np.array((100, 80)) + 1.5 * np.array(centre)], atol=1e-3)
    np.testing.assert_allclose(squares.side, [side], atol=1e-3)


@pytest.mark.parametrize("size, there", [(0.967, 0), (0.968, 1)])
def test_a_face_of_forty_pixels_is_too_small_for_openpose(size, there):
    """Its side is 41.33 times the person's size."""
    assert len(FaceSquares(get_skeleton("COCO_18"))(bodies(size=size)).side) == there


def test_a_head_of_mpi_is_its_own_centre():
    keypoints, scores = np.zeros((1, 15, 2), np.float32), np.zeros((1, 15), np.float32)
    keypoints[0, :2], scores[0, :2] = [[50, 40], [50, 100]], 0.9
    poses = Poses(keypoints, scores, np.ones(1, np.float32), get_skeleton("MPI_15"))
    squares = FaceSquares(poses.skeleton)(poses)
    np.testing.assert_allclose(squares.centre, [[50, 40]])
    np.testing.assert_allclose(squares.side, [1.33 * 60], rtol=1e-6)


def test_a_set_without_a_neck_takes_the_middle_of_the_shoulders():
    neck = (PERSON["left_shoulder"][1] + PERSON["right_shoulder"][1]) / 2
    squares = FaceSquares(get_skeleton("COCO_17"))(bodies(size=2, skeleton="COCO_17"))
    np.testing.assert_allclose(squares.side, [(2 * 2 * (neck + 30) + 3 * 2 * 12 + 2 * 2 * 24) / 3], rtol=1e-5)


def test_across_the_eyes_and_along_the_forearm_are_told():
    poses = bodies(size=2)
    np.testing.assert_allclose(FaceSquares(poses.skeleton)(poses).right, [[1, 0]], atol=1e-6)
    left, right = HandSquares(poses.skeleton)(poses).right
    for found, name in ((left, "left"), (right, "right")):
        up = np.subtract(PERSON[name + "_wrist"], PERSON[name + "_elbow"]) / distance(PERSON[name + "_wrist"],
                                                                                     PERSON[name + "_elbow"])
        np.testing.assert_allclose([found[1], -found[0]], up, atol=1e-6)  # up is right, turned left


def test_a_point_that_is_not_finite_is_none():
    poses = bodies(size=2)
    poses.keypoints[0, poses.skeleton.index_of("left_wrist")] = np.nan
    assert HandSquares(poses.skeleton)(poses).slots.tolist() == [1]


@pytest.mark.parametrize("name, faces, hands", [("HAND_21", False, False), ("COCO_17", True, True),
                                                ("MPI_15", True, True), ("FACE_68", False, False)])
def test_a_set_says_whether_it_serves(name, faces, hands):
    assert FaceSquares(get_skeleton(name)).serves == faces
    assert HandSquares(get_skeleton(name)).serves == hands
