"""What an affine map does to maps is what it does to the points behind them."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recipe needs torch: pip install '.[export]'")
pytest.importorskip("cv2", reason="warping needs OpenCV: pip install opencv-python-headless")

from train.affine import after, flipped_keypoints, flipped_limbs, inverse, mirrored, moved, warp
from train.targets import STRIDE, make_targets
from train.teacher import TeacherMaps, warped_maps

from wholebody.errors import SkeletonError
from wholebody.skeletons import get_skeleton, skeleton_from_dict

COCO_18 = get_skeleton("COCO_18")
SIDE, CELLS = 256, 32
CENTRE = SIDE / 2


def around_centre(linear: np.ndarray) -> np.ndarray:
    """The map that leaves the middle of the picture where it is."""
    return np.concatenate([linear, (CENTRE - linear @ (CENTRE, CENTRE))[:, None]], axis=1)


def turn(degrees: float) -> np.ndarray:
    """A rotation."""
    a = np.radians(degrees)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


FLIP = np.array([[-1.0, 0], [0, 1]])
EXACT = [("nothing", np.eye(2)), ("flip", FLIP), ("quarter turn", turn(90)), ("half turn", turn(180)),
         ("flip and quarter turn", turn(90) @ FLIP)]


def someone(seed: int) -> tuple:
    """Two people with every keypoint, away from the edge."""
    keypoints = np.random.RandomState(seed).uniform(60, 196, (2, 18, 2))
    return np.floor(keypoints) + 0.37, np.ones((2, 18), bool)


def expected_targets(keypoints: np.ndarray, known: np.ndarray, affine: np.ndarray) -> tuple:
    """Targets of the moved points, left and right by name."""
    points = moved(keypoints, affine)
    return make_targets(points[:, flipped_keypoints(COCO_18)] if mirrored(affine) else points, known, COCO_18,
                        (CELLS, CELLS))


def teacher_of(keypoints: np.ndarray, known: np.ndarray) -> TeacherMaps:
    """A teacher who knows the labels by heart."""
    heatmaps, pafs = make_targets(keypoints, known, COCO_18, (CELLS, CELLS))
    return TeacherMaps(heatmaps, pafs, np.array([[1.0, 0, 0], [0, 1, 0]]) / STRIDE)


@pytest.mark.parametrize("linear", [linear for _, linear in EXACT], ids=[name for name, _ in EXACT])
def test_maps_move_as_their_points_do(linear: np.ndarray) -> None:
    keypoints, known = someone(3)
    affine = around_centre(linear)
    heatmaps, pafs = warped_maps(teacher_of(keypoints, known), affine, SIDE, COCO_18)
    wanted_heatmaps, wanted_pafs = expected_targets(keypoints, known, affine)
    np.testing.assert_allclose(heatmaps, wanted_heatmaps, atol=2e-3)
    assert np.abs(pafs - wanted_pafs).mean() < 2e-3  # the box of a limb rounds differently when mirrored


@pytest.mark.parametrize("degrees", [-25, 10, 40])
@pytest.mark.parametrize("flip", [np.eye(2), FLIP], ids=["as it is", "flipped"])
def test_fields_of_a_turned_picture_point_along_the_turned_limbs(degrees: float, flip: np.ndarray) -> None:
    keypoints, known = someone(5)
    keypoints, known = keypoints[:1], known[:1]
    affine = around_centre(turn(degrees) @ flip)
    _, pafs = warped_maps(teacher_of(keypoints, known), affine, SIDE, COCO_18)
    _, wanted = expected_targets(keypoints, known, affine)
    assert (pafs * wanted).sum() > 0.85 * (wanted ** 2).sum()


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_vectors_keep_their_length_when_the_picture_grows(factor: float) -> None:
    keypoints, known = someone(6)
    _, pafs = warped_maps(teacher_of(keypoints, known), around_centre(np.eye(2) * factor), SIDE, COCO_18)
    x, y = COCO_18.paf_channels[0]
    lengths = np.hypot(pafs[x], pafs[y])
    assert np.median(lengths[lengths > 0.5]) == pytest.approx(1, abs=0.1)  # a limb of three cells has soft edges


def test_outside_the_photograph_is_background() -> None:
    heatmaps, pafs = warped_maps(teacher_of(*someone(7)), np.array([[1.0, 0, 2 * SIDE], [0, 1, 0]]), SIDE, COCO_18)
    assert (heatmaps[18] == 1).all()
    assert not heatmaps[:18].any()
    assert not pafs.any()


def test_a_mirrored_picture_is_the_picture_mirrored() -> None:
    picture = np.random.RandomState(0).randint(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    np.testing.assert_array_equal(warp(picture, around_centre(FLIP), (SIDE, SIDE), 0.0), picture[:, ::-1])


def test_there_and_back_is_nowhere() -> None:
    affine = around_centre(turn(33) * 1.7)
    np.testing.assert_allclose(after(inverse(affine), affine), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_a_limb_without_a_mirror_says_what_to_do() -> None:
    lopsided = skeleton_from_dict({"name": "lopsided", "keypoints": ["nose", "left_ear", "right_ear"],
                                   "flip_pairs": [[1, 2]], "paf": {"pairs": [[0, 1]]}})
    with pytest.raises(SkeletonError, match="0-1 but not its mirror 0-2: train with --flip 0"):
        flipped_limbs(lopsided)


def test_a_limb_may_run_the_other_way_in_the_mirror() -> None:
    belt = skeleton_from_dict({"name": "belt", "keypoints": ["left_hip", "right_hip"], "flip_pairs": [[0, 1]],
                               "paf": {"pairs": [[0, 1]]}})
    assert flipped_limbs(belt) == [(0, -1)]
