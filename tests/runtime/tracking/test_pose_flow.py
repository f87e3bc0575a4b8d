"""PoseFlow against sums over one joint and one corner at a time, and on a picture that moves."""
import numpy as np
import pytest
from walkers import SKELETON, Walkers

from wholebody.poses import Poses
from wholebody.runtime.tracking.pose_flow import PoseFlow, wide_boxes


def plain_area_share(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0) * max(height, 0)
    return inside / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inside)


def plain_corner_share(a, b, matches):
    """Of matches that begin in box a or end in box b, those that do both."""
    one = {n for n, (x, y, _, _) in enumerate(matches) if a[0] <= x <= a[2] and a[1] <= y <= a[3]}
    other = {n for n, (_, _, x, y) in enumerate(matches) if b[0] <= x <= b[2] and b[1] <= y <= b[3]}
    return len(one & other) / max(len(one | other), 1)


def square(point):
    return np.concatenate([point - 15, point + 15])


def plain_score(before, now, matches, older):
    """(keypoints, found, box) of both."""
    joints, corners = [], []
    for p, q, s, t in zip(before[0], now[0], before[1], now[1]):
        both = bool(s and t)
        joints.append(plain_area_share(square(p), square(q)) if both else 0.0)
        nowhere = np.full(4, np.inf)
        corners.append(plain_corner_share(square(p) if s else nowhere, square(q) if t else nowhere, matches))
    best = [np.mean(sorted(values)[-7:]) for values in (joints, corners)]
    weights = (0, 1, 0, 1) if older else (1, 2, 1, 2)
    parts = (plain_corner_share(before[2], now[2], matches), plain_area_share(before[2], now[2]), best[1], best[0])
    return sum(weight * part for weight, part in zip(weights, parts))


def plain_flow(frames):
    """Numbers of each frame's people; the best assignment of all by trying (SciPy)."""
    optimize = pytest.importorskip("scipy.optimize", reason="the reference: pip install scipy")
    known, told, following = {}, [], 0
    for index, (poses, matches) in enumerate(frames):
        people = list(zip(poses.keypoints, poses.scores > 0, wide_boxes(poses)))
        numbers = [n for n, (_, seen) in known.items() if index - seen <= 100]
        scores = np.array([[plain_score(known[n][0], person, matches, known[n][1] < index - 1) for person in people]
                           for n in numbers]).reshape(len(numbers), len(people))
        scores[scores <= 0.2] = 0
        ids = [-1] * len(people)
        for row, column in zip(*optimize.linear_sum_assignment(-scores)):
            if scores[row, column] > 0:
                ids[column] = numbers[row]
        for person in range(len(people)):
            if ids[person] < 0:
                ids[person], following = following, following + 1
            known[ids[person]] = (people[person], index)
        told.append(ids)
    return told


def test_numbers_are_those_of_one_joint_and_corner_at_a_time():
    for seed in range(3):
        chance, walkers, flow = np.random.RandomState(seed), Walkers(5, seed, missed=0.2, noise=0.01), PoseFlow()
        frames = []
        for index in range(25):
            start = chance.uniform(0, (1280, 720), (60, 2))
            end = start + chance.normal(0, 4, (60, 2))
            frames.append((walkers.frame(index)[0], np.concatenate([start, end], axis=1)))
        expected = plain_flow(frames)
        assert [flow.follow(*frame).tolist() for frame in frames] == expected


def test_corners_of_a_picture_that_moves_are_matched():
    chance = np.random.RandomState(0)
    picture = np.kron(chance.randint(0, 255, (40, 60)), np.ones((12, 12))).astype(np.uint8)
    picture = np.repeat(picture[..., None], 3, axis=2)
    flow = PoseFlow()
    assert len(flow._matches(picture)) == 0
    matches = flow._matches(np.roll(picture, (6, 9), axis=(0, 1)))
    assert len(matches) > 200
    assert np.abs(np.median(matches[:, 2:] - matches[:, :2], axis=0) - (9, 6)).max() < 0.5


def test_somebody_who_jumps_with_the_whole_picture_keeps_the_number():
    """A cut of a shaking camera: boxes no longer overlap, corners still do."""
    chance = np.random.RandomState(3)
    picture = np.kron(chance.randint(0, 255, (60, 100)), np.ones((12, 12))).astype(np.uint8)
    picture = np.repeat(picture[..., None], 3, axis=2)
    poses = Walkers(1, 4, missed=0, noise=0).frame(0)[0]
    moved = Poses(poses.keypoints + (0, 12), poses.scores, poses.person_scores, SKELETON)
    flow = PoseFlow()
    first = flow.update(poses, picture)
    assert flow.update(moved, np.roll(picture, 12, axis=0)).tolist() == first.tolist()


def test_who_was_away_for_long_is_somebody_new():
    poses = Walkers(1, 0, missed=0).frame(0)[0]
    nobody, none = poses[np.zeros(0, np.int64)], np.zeros((0, 4))
    flow = PoseFlow()
    assert flow.follow(poses, none).tolist() == [0]
    for _ in range(60):
        flow.follow(nobody, none)
    assert flow.follow(poses, none).tolist() == [0]
    for _ in range(101):
        flow.follow(nobody, none)
    assert flow.follow(poses, none).tolist() == [1]
