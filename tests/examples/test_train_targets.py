"""Training targets of the recipe: cases worked out by hand, for any skeleton."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recipe needs torch: pip install '.[export]'")

from mannequins.targets import make_targets as mannequin_targets
from train.data import labelled_area
from train.targets import make_targets, to_cells

from wholebody.skeletons import get_skeleton, skeleton_from_dict

COCO_18 = get_skeleton("COCO_18")
NECK, RIGHT_HIP = 1, 8
SHAPE = (8, 12)


def people(*persons: dict) -> tuple:
    """Keypoints and which are known, of persons who show only the points given, as {1: (x, y)}."""
    keypoints, known = np.zeros((len(persons), 18, 2), np.float32), np.zeros((len(persons), 18), bool)
    for i, person in enumerate(persons):
        for k, xy in person.items():
            keypoints[i, k], known[i, k] = xy, True
    return keypoints, known


def test_the_centre_of_a_cell_is_where_openpose_puts_it() -> None:
    pixel_index = np.array([3.5, 11.5, 8 * 40 + 3.5])
    assert to_cells(pixel_index + 0.5).tolist() == [0, 1, 40]


def test_a_peak_is_one_at_its_cell_and_falls_with_a_sigma_of_seven_pixels() -> None:
    heatmaps = make_targets(*people({4: (8 * 5 + 4, 8 * 3 + 4)}), COCO_18, SHAPE).heatmaps
    assert heatmaps.shape == (19, 8, 12)
    assert heatmaps[4, 3, 5] == 1
    assert heatmaps[4, 3, 6] == pytest.approx(np.exp(-64 / 98), abs=1e-6)
    assert heatmaps[4, 3, 8] == 0  # 24 px away: cut off
    np.testing.assert_allclose(heatmaps[18], 1 - heatmaps[4], atol=1e-6)


def test_a_limb_field_points_along_the_limb_within_one_cell() -> None:
    pafs = make_targets(*people({NECK: (44, 12), RIGHT_HIP: (44, 52)}), COCO_18, SHAPE).pafs
    x, y = COCO_18.paf_channels[COCO_18.paf_pairs.index((NECK, RIGHT_HIP))]
    expected = np.zeros(SHAPE)
    expected[0:8, 4:7] = 1
    np.testing.assert_array_equal(pafs[y], expected)
    assert not pafs[x].any()
    assert not np.delete(pafs, y, axis=0).any()


def test_fields_of_people_who_cross_are_averaged() -> None:
    pafs = make_targets(*people({NECK: (44, 12), RIGHT_HIP: (44, 52)}, {NECK: (12, 28), RIGHT_HIP: (76, 28)}),
                        COCO_18, SHAPE).pafs
    x, y = COCO_18.paf_channels[COCO_18.paf_pairs.index((NECK, RIGHT_HIP))]
    assert pafs[x, 3, 5] == pafs[y, 3, 5] == 0.5
    assert (pafs[x, 3, 8], pafs[y, 3, 8]) == (1, 0)


def test_nobody_is_all_background() -> None:
    heatmaps, pafs = make_targets(*people(), COCO_18, SHAPE)
    assert (heatmaps[18] == 1).all()
    assert not heatmaps[:18].any()
    assert not pafs.any()


def test_both_recipes_of_this_project_have_the_same_targets() -> None:
    rng = np.random.RandomState(4)
    keypoints, known = rng.uniform(-20, 200, (3, 25, 2)), rng.uniform(size=(3, 25)) < 0.8
    theirs = mannequin_targets(keypoints, known, 192, 128)
    ours = make_targets(keypoints, known, get_skeleton("BODY_25"), (16, 24))
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_skeleton_without_background_has_one_map_a_keypoint() -> None:
    pair = skeleton_from_dict({"name": "pen", "keypoints": ["tip", "end"], "paf": {"pairs": [[0, 1]]}})
    heatmaps, pafs = make_targets(np.full((1, 2, 2), 20.0), np.ones((1, 2), bool), pair, SHAPE)
    assert heatmaps.shape == pafs.shape == (2, 8, 12)
    assert not pafs.any()  # both ends in one place: no direction


def test_labels_count_outside_the_boxes_of_unlabelled_people_only() -> None:
    shift = np.array([[1.0, 0, 8], [0, 1.0, 0]])
    mask = labelled_area(np.array([(16.0, 8.0, 40.0, 24.0)]), shift, 8)
    assert not mask[1:3, 3:6].any()
    assert mask[4:].all()  # beyond the box and the one cell that its edge may take
    assert mask[:, :2].all()
    assert mask[:, 7:].all()
