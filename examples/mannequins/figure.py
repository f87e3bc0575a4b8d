"""One jointed wooden doll: a random pose in three dimensions, in body heights."""

from typing import Tuple

import numpy as np

# BODY_25 order.
(NOSE, NECK, RSHOULDER, RELBOW, RWRIST, LSHOULDER, LELBOW, LWRIST, MIDHIP, RHIP, RKNEE, RANKLE, LHIP,
 LKNEE, LANKLE, REYE, LEYE, REAR, LEAR, LBIGTOE, LSMALLTOE, LHEEL, RBIGTOE, RSMALLTOE, RHEEL) = range(25)
RIGHT = (RSHOULDER, RELBOW, RWRIST, RHIP, RKNEE, RANKLE, RBIGTOE, RSMALLTOE, RHEEL)
LEFT = (LSHOULDER, LELBOW, LWRIST, LHIP, LKNEE, LANKLE, LBIGTOE, LSMALLTOE, LHEEL)

Range = Tuple[float, float]
Swing = Tuple[Range, Range]

# (outward, forward) ranges in degrees of the upper and of the lower segment; 0, 0 hangs straight down.
ARMS: Tuple[Tuple[Swing, Swing], ...] = (
    (((8, 28), (-20, 20)), ((2, 22), (-5, 35))),  # hanging
    (((115, 160), (-10, 15)), ((140, 195), (-10, 15))),  # up
    (((70, 100), (-10, 10)), ((50, 115), (-5, 20))),  # straight out
    (((38, 62), (-20, 0)), ((-65, -35), (0, 20))),  # hand on the hip
    (((65, 100), (-10, 15)), ((145, 190), (-5, 20))),  # waving
    (((12, 35), (20, 60)), ((-5, 30), (60, 100))),  # reaching forward
    (((8, 20), (-45, -25)), ((5, 20), (-25, 0))),  # swinging back
    (((8, 20), (20, 45)), ((0, 20), (40, 80))),  # swinging forward
)
LEGS: Tuple[Tuple[Swing, Swing], ...] = (
    (((2, 10), (-4, 8)), ((0, 8), (-8, 0))),  # standing
    (((1, 7), (18, 38)), ((0, 5), (-5, 15))),  # stepping forward
    (((1, 7), (-28, -8)), ((0, 5), (-60, -25))),  # pushing off
    (((15, 30), (0, 10)), ((8, 25), (-10, 0))),  # wide
    (((5, 30), (45, 75)), ((0, 10), (-30, 0))),  # knee up
    (((20, 38), (35, 55)), ((-2, 12), (-35, -12))),  # squatting
)
STANCES = ((0, 0), (0, 0), (1, 2), (2, 1), (1, 2), (2, 1), (3, 3), (3, 0), (0, 3), (4, 0), (0, 4), (5, 5))

LIMBS = (
    (NECK, NOSE), (NOSE, REYE), (REYE, REAR), (NOSE, LEYE), (LEYE, LEAR), (NECK, MIDHIP),
    (NECK, RSHOULDER), (RSHOULDER, RELBOW), (RELBOW, RWRIST), (NECK, LSHOULDER), (LSHOULDER, LELBOW),
    (LELBOW, LWRIST), (MIDHIP, RHIP), (RHIP, RKNEE), (RKNEE, RANKLE), (MIDHIP, LHIP), (LHIP, LKNEE),
    (LKNEE, LANKLE), (LANKLE, LBIGTOE), (LBIGTOE, LSMALLTOE), (LANKLE, LHEEL), (RANKLE, RBIGTOE),
    (RBIGTOE, RSMALLTOE), (RANKLE, RHEEL),
)
UPPER_ARM, FOREARM, THIGH, SHIN = 0.165, 0.145, 0.235, 0.215
HEAD_ABOVE_NECK = 0.125
FACE = {NOSE: (0, 0.014, 0.070), REYE: (-0.033, -0.014, 0.056), LEYE: (0.033, -0.014, 0.056),
        REAR: (-0.080, 0.0, 0.0), LEAR: (0.080, 0.0, 0.0)}
FOOT_BACK, FOOT_DOWN = 0.03, 0.04
FACE_HIDDEN_BELOW = {NOSE: -0.005, REYE: 0.012, LEYE: 0.012, REAR: -0.045, LEAR: -0.045}

# Two keypoints and the radius at each: what covers the picture, in body heights.
CAPSULES: Tuple[Tuple[int, int, float, float], ...] = (
    (RSHOULDER, RELBOW, 0.036, 0.030), (RELBOW, RWRIST, 0.030, 0.024),
    (LSHOULDER, LELBOW, 0.036, 0.030), (LELBOW, LWRIST, 0.030, 0.024),
    (RHIP, RKNEE, 0.050, 0.036), (RKNEE, RANKLE, 0.036, 0.026),
    (LHIP, LKNEE, 0.050, 0.036), (LKNEE, LANKLE, 0.036, 0.026),
    (RANKLE, RBIGTOE, 0.024, 0.018), (LANKLE, LBIGTOE, 0.024, 0.018),
    (RSHOULDER, RHIP, 0.050, 0.055), (LSHOULDER, LHIP, 0.050, 0.055), (NECK, MIDHIP, 0.050, 0.055),
    (REAR, LEAR, 0.080, 0.080),
)


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Rotation matrix (3, 3) about axis 0 (x, right), 1 (y, down) or 2 (z, towards the viewer)."""
    angle = np.deg2rad(degrees)
    a, b = [i for i in range(3) if i != axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[a, b], matrix[b, a] = -np.sin(angle), np.sin(angle)
    return matrix


def _segment(rng: np.random.RandomState, swing: Swing, side: int, length: float) -> np.ndarray:
    outward, forward = (np.deg2rad(rng.uniform(*limits)) for limits in swing)
    return length * np.array([side * np.sin(outward) * np.cos(forward),
                              np.cos(outward) * np.cos(forward), np.sin(forward)])


def _foot(rng: np.random.RandomState, ankle: np.ndarray, side: int) -> Tuple[np.ndarray, ...]:
    turn = rotation(1, side * rng.uniform(2, 38))
    return (ankle + np.array([side * -0.012, FOOT_DOWN, 0.095]) @ turn,
            ankle + np.array([side * 0.042, FOOT_DOWN, 0.070]) @ turn,
            ankle + np.array([0, FOOT_DOWN, -FOOT_BACK]) @ turn)


def random_figure(rng: np.random.RandomState) -> np.ndarray:
    """Keypoints (25, 3) in body heights: x right, y down, z towards the viewer, MidHip at the origin."""
    p = np.zeros((25, 3))
    bend = rotation(2, rng.normal(0, 6)) @ rotation(0, rng.uniform(-12, 4))
    look = rotation(1, rng.uniform(-25, 25)) @ rotation(0, rng.uniform(-10, 12))
    look = look @ rotation(2, rng.normal(0, 6))
    p[NECK] = bend @ (0, -0.29, 0)
    head = p[NECK] + bend @ (0, -HEAD_ABOVE_NECK, 0.012)
    for keypoint, offset in FACE.items():
        p[keypoint] = head + bend @ look @ np.array(offset)
    arms = rng.randint(0, len(ARMS), 2) if rng.uniform() < 0.7 else np.repeat(rng.randint(0, len(ARMS)), 2)
    legs = STANCES[rng.randint(0, len(STANCES))]
    for joints, side, arm, leg in ((RIGHT, -1, ARMS[arms[0]], LEGS[legs[0]]),
                                   (LEFT, 1, ARMS[arms[1]], LEGS[legs[1]])):
        shoulder, elbow, wrist, hip, knee, ankle, big_toe, small_toe, heel = joints
        p[shoulder] = p[NECK] + bend @ (side * 0.125, 0, 0)
        p[elbow] = p[shoulder] + bend @ _segment(rng, arm[0], side, UPPER_ARM)
        p[wrist] = p[elbow] + bend @ _segment(rng, arm[1], side, FOREARM)
        p[hip] = (side * 0.075, 0, 0)
        p[knee] = p[hip] + _segment(rng, leg[0], side, THIGH)
        p[ankle] = p[knee] + _segment(rng, leg[1], side, SHIN)
        p[big_toe], p[small_toe], p[heel] = _foot(rng, p[ankle], side)
    sideways = rng.uniform() < 0.2
    yaw = rng.choice([-1, 1]) * rng.uniform(50, 70) if sideways else rng.uniform(-45, 45)
    camera = rotation(2, rng.normal(0, 5)) @ rotation(0, -rng.uniform(8, 20)) @ rotation(1, yaw)
    return np.asarray(p @ camera.T)


def hidden_face(figure: np.ndarray) -> np.ndarray:
    """Which keypoints (25,) of a figure lie on the far side of its head."""
    depth = figure[:, 2] - figure[[REAR, LEAR], 2].mean()
    hidden = np.zeros(25, bool)
    for keypoint, limit in FACE_HIDDEN_BELOW.items():
        hidden[keypoint] = depth[keypoint] < limit
    return hidden
