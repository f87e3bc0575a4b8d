"""Targets: cases worked out by hand."""

import numpy as np
import pytest
from mannequins.targets import make_targets, to_cells

from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("BODY_25")
NECK, MID_HIP = 1, 8


def one_person(**points: tuple) -> tuple:
    """Keypoints and visibility of one person who shows only the points given, as k12=(x, y)."""
    keypoints, visible = np.zeros((1, 25, 2), np.float32), np.zeros((1, 25), bool)
    for name, xy in points.items():
        keypoints[0, int(name[1:])], visible[0, int(name[1:])] = xy, True
    return keypoints, visible


def test_the_centre_of_a_cell_is_where_openpose_puts_it() -> None:
    pixel_index = np.array([3.5, 11.5, 8 * 40 + 3.5])
    assert to_cells(pixel_index + 0.5).tolist() == [0, 1, 40]


def test_channels_are_those_of_body_25() -> None:
    heatmaps, pafs = make_targets(*one_person(), 64, 48)
    assert heatmaps.shape == (26, 6, 8)
    assert pafs.shape == (52, 6, 8)
    assert heatmaps.dtype == pafs.dtype == np.float32


def test_a_peak_is_one_at_its_cell_and_falls_with_a_sigma_of_seven_pixels() -> None:
    heatmaps = make_targets(*one_person(k4=(8 * 5 + 4, 8 * 3 + 4)), 96, 64).heatmaps
    assert heatmaps[4, 3, 5] == 1
    assert heatmaps[4, 3, 6] == pytest.approx(np.exp(-64 / 98), abs=1e-6)
    assert heatmaps[4, 3, 8] == 0  # 24 px away: cut off
    assert heatmaps[4].sum() == pytest.approx(heatmaps[:25].sum())


def test_the_background_is_what_the_keypoints_leave() -> None:
    heatmaps = make_targets(*one_person(k4=(44, 28), k7=(52, 28)), 96, 64).heatmaps
    np.testing.assert_allclose(heatmaps[25], 1 - heatmaps[:25].max(axis=0), atol=1e-6)


def test_two_people_are_merged_by_the_larger_value() -> None:
    keypoints, visible = one_person(k4=(44, 28))
    both = np.concatenate([keypoints, keypoints + 8]), np.concatenate([visible, visible])
    alone = [make_targets(keypoints + d, visible, 96, 64).heatmaps[4] for d in (0, 8)]
    np.testing.assert_array_equal(make_targets(*both, 96, 64).heatmaps[4], np.maximum(*alone))


def test_a_limb_field_points_along_the_limb_within_one_cell() -> None:
    person = one_person(k1=(44, 12), k8=(44, 52))  # straight down, column 5, rows 1 to 6
    pafs = make_targets(*person, 96, 64).pafs
    x, y = SKELETON.paf_channels[SKELETON.paf_pairs.index((NECK, MID_HIP))]
    expected = np.zeros((8, 12))
    expected[0:8, 4:7] = 1
    np.testing.assert_array_equal(pafs[y], expected)
    assert not pafs[x].any()
    assert not np.delete(pafs, y, axis=0).any()


def test_fields_of_people_who_cross_are_averaged() -> None:
    down, visible = one_person(k1=(44, 12), k8=(44, 52))
    across, _ = one_person(k1=(12, 28), k8=(76, 28))
    pafs = make_targets(np.concatenate([down, across]), np.concatenate([visible, visible]), 96, 64).pafs
    x, y = SKELETON.paf_channels[SKELETON.paf_pairs.index((NECK, MID_HIP))]
    assert pafs[x, 3, 5] == pafs[y, 3, 5] == 0.5
    assert pafs[x, 3, 8] == 1
    assert pafs[y, 3, 8] == 0


def test_a_limb_with_a_hidden_end_has_no_field() -> None:
    assert not make_targets(*one_person(k1=(44, 12)), 96, 64).pafs.any()


@pytest.mark.parametrize("pair", range(26), ids=["%d-%d" % pair for pair in SKELETON.paf_pairs])
def test_every_limb_uses_its_own_channels(pair: int) -> None:
    (a, b), (x, y) = SKELETON.paf_pairs[pair], SKELETON.paf_channels[pair]
    pafs = make_targets(*one_person(**{"k%d" % a: (12, 12), "k%d" % b: (60, 60)}), 96, 64).pafs
    assert sorted(set(np.nonzero(pafs)[0])) == sorted((x, y))
