"""OpenPose's rules of where faces and hands are, written down for one person at a time."""
import math

import numpy as np

from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton


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
