"""How much two answers agree: drawn people moved, left out, added."""
import numpy as np
import pytest

from wholebody.errors import ShapeError
from wholebody.poses import Poses
from wholebody.runtime.agreement import agreement, overall
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_17")


def crowd(count, shift=0.0, seed=3):
    """People 100 pixels high, far from each other."""
    chance = np.random.RandomState(seed)
    points = chance.uniform(0, 100, (count, 17, 2)).astype(np.float32)
    points[..., 0] += 300 * np.arange(count, dtype=np.float32)[:, None]
    return Poses(points + np.float32(shift), np.ones((count, 17), np.float32), np.ones(count, np.float32), SKELETON)


@pytest.mark.parametrize("found, least, most", [
    (crowd(4), 1.0, 1.0), (crowd(4)[::-1], 1.0, 1.0), (crowd(4, 0.5), 0.99, 1.0), (crowd(4, 10.0), 0.05, 0.9),
    (crowd(4)[:3], 0.75, 0.75), (crowd(5), 0.79, 0.81), (Poses.empty(SKELETON), 0.0, 0.0)],
    ids=["the same", "in another order", "half a pixel off", "ten pixels off", "one missed", "one too many", "nobody"])
def test_agreement_falls_with_what_differs(found, least, most):
    assert least <= agreement(crowd(4), found) <= most


def test_it_is_the_same_from_both_sides_for_who_is_missing():
    assert agreement(crowd(4), crowd(4)[:2]) == agreement(crowd(4)[:2], crowd(4)) == pytest.approx(0.5)


def test_nobody_twice_agrees():
    assert agreement(Poses.empty(SKELETON), Poses.empty(SKELETON)) == 1.0
    assert overall([]) == 1.0


def test_a_keypoint_that_one_of_the_two_lacks_counts_against_it():
    less = crowd(1)
    less.scores[0, :4] = 0
    assert agreement(crowd(1), less) == pytest.approx(13 / 17.0)
    assert agreement(less, crowd(1)) == pytest.approx(13 / 17.0)


def test_somebody_of_three_points_in_a_row_has_a_size_all_the_same():
    points = np.zeros((1, 17, 2), np.float32)
    points[0, :3, 0] = (10, 20, 30)
    scores = np.zeros((1, 17), np.float32)
    scores[0, :3] = 1
    thin = Poses(points, scores, np.ones(1, np.float32), SKELETON)
    assert agreement(thin, thin.with_keypoints(points + np.float32(0.1))) > 0.98


def test_pictures_count_by_their_keypoints():
    assert overall([(crowd(3), crowd(3)), (crowd(1), Poses.empty(SKELETON))]) == pytest.approx(0.75)


def test_other_keypoints_are_refused():
    with pytest.raises(ShapeError, match="expected poses of COCO_17, got BODY_25"):
        agreement(crowd(1), Poses.empty(get_skeleton("BODY_25")))
