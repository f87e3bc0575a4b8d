"""AlphaPose's pose NMS against plain loops, for both of its sets of constants."""
import math

import numpy as np
import pytest

from wholebody.poses import Poses
from wholebody.runtime.topdown.pose_nms import BODY, WHOLE_BODY, options_for, pose_nms
from wholebody.skeletons import get_skeleton


def crowd(name, count, seed=0, near=3.0, low=0.0):
    """Threes of nearly the same person."""
    skeleton, random = get_skeleton(name), np.random.RandomState(seed)
    points = len(skeleton.keypoints)
    base = random.uniform(0, 120, (count // 3 + 1, points, 2)) + random.uniform(0, 500, (count // 3 + 1, 1, 2))
    keypoints = np.repeat(base, 3, axis=0)[:count] + random.uniform(-near, near, (count, points, 2))
    scores = random.uniform(low, 1, (count, points))
    boxes = np.concatenate([keypoints.min(axis=1, initial=1e9), keypoints.max(axis=1, initial=0)], axis=1)
    return Poses(keypoints, scores, random.rand(count), skeleton, boxes)


def distance(a, b):
    return math.hypot(float(a[0]) - float(b[0]), float(a[1]) - float(b[1]))


def alike_body(p, s, one, other, o):
    total = 0.0
    for k in range(len(s[one])):
        d = distance(p[one][k], p[other][k])
        if d <= 1:
            total += math.tanh(s[one][k] / o.delta1) * math.tanh(s[other][k] / o.delta1)
        total += o.mu * math.exp(-d / o.delta2)
    return total


def matches_body(p, s, one, other, near, people, o):
    return sum(distance(p[one][k], p[other][k]) / near <= 1 for k in range(len(s[one])))


def alike_whole(p, s, one, other, o):
    points = len(s[one])
    sums = {"body": [0.0, 0.0, 0], "face": [0.0, 0.0, 0], "hand": [0.0, 0.0, 0]}
    for k in range(points):
        part = "body" if k < points - 110 else "face" if k < points - 42 else "hand"
        d, low = distance(p[one][k], p[other][k]), s[other][k] < o.least_score
        sums[part][2] += 1
        if d <= 1 and low:
            sums[part][0] += math.tanh(s[one][k]) * math.tanh(s[other][k])
        if not low:
            sums[part][1] += math.exp(-d / (o.delta2 * {"body": 1, "face": 1.9, "hand": 0.55}[part]))
    t, e = ({part: v[i] / v[2] for part, v in sums.items()} for i in (0, 1))
    return t["body"] + t["face"] + 0.1 * t["hand"] + o.mu * (e["body"] + e["face"] + 1.5 * e["hand"])


def matches_whole(p, s, one, other, near, people, o):
    points, count = len(s[one]), 0
    certain = sum(score > o.least_score / 2 for score in s[one])
    if 2 * people * certain < 2:
        return 0
    for k in range(points):
        limit = 1 if k < 26 else 1.9 if k < 94 else 0.55
        count += distance(p[one][k], p[other][k]) / near <= limit
    return count * points / (4 * people * certain)


def nms_by_hand(poses, o):
    p, s = poses.keypoints.astype(float), poses.scores.astype(float)
    s[s == 0] = 1e-5
    sides = [max(float(x1 - x0), float(y1 - y0)) for x0, y0, x1, y1 in poses.boxes_xyxy]
    alike, matches = (alike_whole, matches_whole) if o.full_body else (alike_body, matches_body)
    left, told = list(range(len(poses))), []
    while left:
        pick = max(left, key=lambda i: s[i].mean())
        ref = o.alpha * sides[pick]
        same = [i for i in left if alike(p, s, pick, i, o) > o.gamma
                or matches(p, s, pick, i, min(ref, 7), len(left), o) >= o.matches]
        same = same or [pick]
        left = [i for i in left if i not in same and i != pick]
        if s[pick].max() < o.least_score:
            continue
        place, score = [], []
        for k in range(len(s[pick])):
            near = [i for i in same if distance(p[i][k], p[pick][k]) <= min(ref, 15)]
            total = sum(s[i][k] for i in near)
            place.append([sum(p[i][k][axis] * s[i][k] for i in near) / total if total else 0 for axis in (0, 1)])
            score.append(sum(s[i][k] ** 2 for i in near) / total if total else 0)
        if max(score) >= o.least_score:
            told.append((pick, place, score, np.mean(score) + poses.person_scores[pick] + 1.25 * max(score)))
    return told


CASES = [("COCO_17", BODY), ("HALPE_26", BODY), ("HALPE_136", BODY), ("HALPE_136", WHOLE_BODY),
         ("WHOLEBODY_133", WHOLE_BODY)]


@pytest.mark.parametrize("count, near, low", [(0, 1, 0), (1, 1, 0), (7, 0.3, 0), (12, 4, 0), (20, 12, 0), (9, 0, 0)])
@pytest.mark.parametrize("name, options", CASES, ids=["%s %s" % (c[0], "whole" if c[1].full_body else "body")
                                                      for c in CASES])
def test_who_stays_and_where_is_as_plain_loops_have_it(name, options, count, near, low):
    poses = crowd(name, count, seed=count, near=near, low=low)
    found, expected = pose_nms(poses, options), nms_by_hand(poses, options)
    assert len(found) == len(expected)
    for i, (pick, place, score, proposal) in enumerate(expected):
        np.testing.assert_allclose(found.keypoints[i], place, atol=1e-3)
        np.testing.assert_allclose(found.scores[i], score, atol=1e-6)
        np.testing.assert_allclose(found.person_scores[i], proposal, rtol=1e-5)
        np.testing.assert_array_equal(found.boxes_xyxy[i], poses.boxes_xyxy[pick])


@pytest.mark.parametrize("seed", range(4))
def test_doubtful_points_are_counted_as_coded(seed):
    poses = crowd("HALPE_136", 9, seed=seed, near=1.0)
    poses.scores[:] = np.where(np.random.RandomState(seed).rand(*poses.scores.shape) < 0.7, 0.004, poses.scores)
    found, expected = pose_nms(poses, WHOLE_BODY), nms_by_hand(poses, WHOLE_BODY)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.scores, [one[2] for one in expected], atol=1e-6)


def test_degenerate_people_do_no_harm():
    poses = crowd("COCO_17", 6)
    poses.scores[1] = np.nan
    poses.scores[2] = 0
    poses.boxes_xyxy[3] = 5
    found = pose_nms(poses, BODY)
    assert 0 < len(found) <= 6
    assert np.isfinite(found.keypoints).all()
    assert np.isfinite(found.person_scores).all()
    same = crowd("COCO_17", 1)[np.zeros(50, np.int64)]
    assert len(pose_nms(same, BODY)) == 1


def test_the_second_set_of_constants_is_for_whole_bodies_that_are_integrated():
    assert options_for(136, True) is WHOLE_BODY
    assert options_for(133, True) is WHOLE_BODY
    assert options_for(136, False) is BODY
    assert options_for(26, True) is BODY
    assert (WHOLE_BODY.mu, WHOLE_BODY.delta2, WHOLE_BODY.gamma, WHOLE_BODY.least_score, WHOLE_BODY.matches,
            WHOLE_BODY.alpha) == (1.65, 8.0, 3.6, 0.01, 3.0, 0.15)
    assert (BODY.mu, BODY.delta2, BODY.gamma, BODY.least_score, BODY.matches, BODY.alpha) == (
        1.7, 2.65, 22.48, 0.3, 5.0, 0.1)
