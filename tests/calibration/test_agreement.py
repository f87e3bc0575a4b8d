"""How alike two runs are, without labels."""
import numpy as np
import pytest

from wholebody.calibration.agreement import agreement
from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton

COCO = get_skeleton("COCO_17")
WHOLE = get_skeleton("WHOLEBODY_133")


def people(count, skeleton=COCO, shift=0.0, scores=None, seed=0):
    rng = np.random.default_rng(seed)
    points = (rng.uniform(0, 100, (count, len(skeleton.keypoints), 2)) + 200 * np.arange(count)[:, None, None] + shift)
    return Poses(points.astype(np.float32), np.ones(points.shape[:2], np.float32),
                 np.ones(count, np.float32) if scores is None else np.float32(scores), skeleton)


def test_the_same_people_agree_wholly_whatever_their_order():
    both = people(3)
    assert agreement([both], [both]).overall == pytest.approx(1)
    assert agreement([both], [both[np.array([2, 0, 1])]]).overall == pytest.approx(1)
    assert agreement([Poses.empty(COCO)], [Poses.empty(COCO)]).overall == 1


CASES = [("nobody where two were", people(2), Poses.empty(COCO), 0.0),
         ("one of two", people(2), people(2)[:1], 2 / 3),
         ("one too many", people(2), people(3), 4 / 5),
         ("far away", people(2), people(2, shift=5000), 0.0),
         ("one whom the network hardly believes in is lacking", people(2, scores=[1, 0.01]), people(2)[:1], 2 / 2.01)]


@pytest.mark.parametrize("a, b, expected", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_people_count_by_their_scores(a, b, expected):
    assert agreement([a], [b]).overall == pytest.approx(expected, abs=1e-6)
    assert agreement([b], [a]).overall == pytest.approx(expected, abs=1e-6)


def test_the_further_points_move_the_less_alike_they_are():
    moved = [agreement([people(2)], [people(2, shift=shift)]).overall for shift in (0, 1, 3, 10, 30)]
    assert moved == sorted(moved, reverse=True)
    assert moved[1] > 0.98
    assert moved[-1] < 0.5


def test_a_point_that_only_one_has_counts_as_wrong():
    lacking = people(1)
    lacking.scores[0, :3] = 0
    assert agreement([people(1)], [lacking]).overall == pytest.approx(14 / 17)


def test_each_part_is_told_apart():
    worse = people(2, WHOLE)
    worse.keypoints[:, list(WHOLE.part("left_hand"))] += 60
    parts = dict(agreement([people(2, WHOLE)], [worse]).parts)
    assert set(parts) == {name for name, _ in WHOLE.parts}
    assert parts["left_hand"] < 0.1
    assert parts["right_hand"] == parts["face"] == pytest.approx(1)


def test_as_many_pictures_are_compared():
    with pytest.raises(ValueError, match="as many pictures as the reference has, 2, got 1"):
        agreement([people(1)] * 2, [people(1)])
