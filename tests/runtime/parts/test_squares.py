"""Where faces and hands are looked for, against OpenPose's rules written down for one person at a time."""
import math

import numpy as np
import pytest
from fake_parts import PERSON, bodies

from wholebody.poses import Poses
from wholebody.runtime.parts.squares import FaceSquares, HandSquares
from wholebody.skeletons import get_skeleton

BODY_25 = get_skeleton("BODY_25")


def random_bodies(count, skeleton="BODY_25", seed=0):
    """People with points here and there, about half of them above the thresholds, some far outside the picture."""
    random = np.random.RandomState(seed)
    chosen = get_skeleton(skeleton)
    places = random.uniform(-500, 2000, (count, 1, 2)) + random.normal(0, 60, (count, len(chosen.keypoints), 2))
    scores = random.choice([0, 0.02, 0.031, 0.2, 0.25, 0.26, 0.9], (count, len(chosen.keypoints)))
    return Poses(places.astype(np.float32), scores.astype(np.float32), np.ones(count, np.float32), chosen)


def distance(a, b):
    return math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2)


def mean(*points):
    return [sum(p[i] for p in points) / len(points) for i in (0, 1)]


def face_by_hand(point, score):
    """(x, y, side) of the square, top left corner first; None where the face is too small or not there."""
    names = ("nose", "neck", "right_eye", "left_eye", "right_ear", "left_ear")
    ok = {name: score[name] > 0.25 for name in names}
    sum_x = sum_y = size = 0.0
    count = 0

    def add(centre, side):
        nonlocal sum_x, sum_y, size, count
        sum_x, sum_y, size, count = sum_x + centre[0], sum_y + centre[1], size + side, count + 1

    if ok["neck"] and ok["nose"]:
        sides = {side: ok[side + "_eye"] and ok[side + "_ear"] for side in ("left", "right")}
        none = {side: not ok[side + "_eye"] and not ok[side + "_ear"] for side in ("left", "right")}
        profile = "right" if sides["right"] and none["left"] else "left" if sides["left"] and none["right"] else None
        if profile:
            eye, ear = point[profile + "_eye"], point[profile + "_ear"]
            add(mean(eye, ear, point["nose"]), 0.85 * (distance(point["nose"], eye) + distance(point["nose"], ear)
                                                       + distance(point["neck"], point["nose"])))
        else:
            add(mean(point["neck"], point["nose"]), 2 * distance(point["neck"], point["nose"]))
    if ok["right_eye"] and ok["left_eye"]:
        add(mean(point["right_eye"], point["left_eye"]), 3 * distance(point["right_eye"], point["left_eye"]))
    if ok["right_ear"] and ok["left_ear"]:
        add(mean(point["right_ear"], point["left_ear"]), 2 * distance(point["right_ear"], point["left_ear"]))
    if count == 0 or not size / count > 40:
        return None
    side = size / count
    return sum_x / count - side / 2, sum_y / count - side / 2, side


def hand_by_hand(point, score, which):
    """The same of a hand."""
    wrist, elbow, shoulder = (point[which + name] for name in ("_wrist", "_elbow", "_shoulder"))
    if not all(score[which + name] > 0.03 for name in ("_wrist", "_elbow", "_shoulder")):
        return None
    side = 1.5 * max(distance(wrist, elbow), 0.9 * distance(elbow, shoulder))
    if not (side > 1 and side * side > 10):
        return None
    centre = [wrist[i] + 0.33 * (wrist[i] - elbow[i]) for i in (0, 1)]
    return centre[0] - side / 2, centre[1] - side / 2, side


def by_hand(poses):
    """Slot -> square of all faces, and of all hands."""
    faces, hands = {}, {}
    for person in range(len(poses)):
        point = dict(zip(poses.skeleton.keypoints, poses.keypoints[person].astype(float).tolist()))
        score = dict(zip(poses.skeleton.keypoints, poses.scores[person].astype(float).tolist()))
        for slots, slot, square in ((faces, person, face_by_hand(point, score)),
                                    (hands, 2 * person, hand_by_hand(point, score, "left")),
                                    (hands, 2 * person + 1, hand_by_hand(point, score, "right"))):
            if square is not None:
                slots[slot] = square
    return faces, hands


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
