"""Who is the same person twice, against plain loops."""
import math

import numpy as np
import pytest

from wholebody.poses import Poses
from wholebody.runtime.topdown.oks_nms import oks_nms, soft_oks_nms
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_17")


def people(count, seed=0, near=20.0):
    """Pairs of people who stand close together."""
    random = np.random.RandomState(seed)
    points = random.uniform(0, 300, (count, 17, 2))
    points[1::2] = points[:count - count % 2:2] + random.uniform(-near, near, (count // 2, 17, 2))
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return Poses(points, random.rand(count, 17), random.rand(count), SKELETON, boxes)


def oks_by_hand(poses, a, b):
    area = [float((x1 - x0) * (y1 - y0)) for x0, y0, x1, y1 in poses.boxes_xyxy[[a, b]].astype(float)]
    total = 0.0
    for k, sigma in enumerate(SKELETON.oks_sigmas):
        dx, dy = (poses.keypoints[a, k] - poses.keypoints[b, k]).astype(float)
        total += math.exp(-(dx * dx + dy * dy) / (2 * sigma) ** 2 / (sum(area) / 2 + 2.220446049250313e-16) / 2)
    return total / 17


def hard_by_hand(poses, threshold):
    kept = []
    for one in sorted(range(len(poses)), key=lambda i: -poses.person_scores[i]):
        if all(oks_by_hand(poses, other, one) <= threshold for other in kept):
            kept.append(one)
    return kept


def soft_by_hand(poses, threshold, most):
    left, kept = {i: float(s) for i, s in enumerate(poses.person_scores)}, []
    while left and len(kept) < most:
        best = max(left, key=lambda i: left[i])
        del left[best]
        kept.append(best)
        for i in left:
            left[i] *= math.exp(-oks_by_hand(poses, best, i) ** 2 / threshold)
    return kept


@pytest.mark.parametrize("count, near", [(0, 1), (1, 1), (2, 0), (9, 5), (40, 10), (40, 2)])
def test_who_stays_is_who_stays_in_a_plain_loop(count, near):
    poses = people(count, near=near)
    for threshold in (0.3, 0.9):
        assert oks_nms(poses, threshold).tolist() == hard_by_hand(poses, threshold)
        assert soft_oks_nms(poses, threshold, 15).tolist() == soft_by_hand(poses, threshold, 15)


def test_identical_people_are_one():
    poses = people(1)[np.zeros(30, np.int64)]
    assert oks_nms(poses).tolist() == [0]
    assert len(soft_oks_nms(poses)) == 20


def test_scores_that_are_not_numbers_come_last():
    poses = people(5, near=300)
    poses.person_scores[2] = np.nan
    assert oks_nms(poses).tolist()[-1] == 2
    assert sorted(soft_oks_nms(poses).tolist()) == [0, 1, 2, 3, 4]
