"""The fast mode: maxima among the cells and a parabola through their logarithms."""
import numpy as np
import pytest

from wholebody.runtime.paf import PafDecoder, PafOptions
from wholebody.runtime.paf.fast_peaks import natural_log


def peaks_of(skeleton, backend, channel, stride=8, **options):
    heat = np.zeros((skeleton.heatmap_channels,) + channel.shape, np.float32)
    heat[0] = channel
    options = PafOptions.for_skeleton(skeleton, mode="fast", **options)
    return PafDecoder(skeleton, stride, backend, options).candidates(heat)[0]


def bell(centre_x, centre_y, size=(20, 24), sigma=0.875, height=0.9):
    y, x = np.mgrid[:size[0], :size[1]]
    squared = (x - centre_x) ** 2 + (y - centre_y) ** 2
    return (height * np.exp(-squared / (2 * sigma * sigma))).astype(np.float32)


@pytest.mark.parametrize("centre", [(7.0, 9.0), (7.3, 9.4), (7.49, 8.6), (10.1, 3.9)], ids=str)
def test_the_middle_of_a_bell_is_found_to_a_hundredth_of_a_pixel(centre, skeleton_of, backend):
    found = peaks_of(skeleton_of("STICK"), backend, bell(*centre))
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :2], [8 * (c + .5) for c in centre], atol=0.01)
    assert found[0, 2] == pytest.approx(0.9, abs=2e-3)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (23, 0), (0, 19), (23, 19), (0, 7), (11, 19)])
def test_a_maximum_in_an_edge_cell_counts_and_stays_there(x, y, skeleton_of, backend):
    found = peaks_of(skeleton_of("STICK"), backend, bell(x, y))
    np.testing.assert_allclose(found[:, :2], [[8 * (x + .5), 8 * (y + .5)]], atol=0.01)


def test_of_equal_neighbours_the_first_in_scan_order_wins(skeleton_of, backend):
    channel = np.zeros((12, 12), np.float32)
    channel[4:6, 4:7] = 0.5
    channel[8, 8] = channel[9, 7] = 0.5
    found = peaks_of(skeleton_of("STICK"), backend, channel)
    assert (found[:, :2] // 8).tolist() == [[4, 4], [8, 8]]


def test_a_peak_with_nothing_beside_it_is_its_cell(skeleton_of, backend):
    channel = np.zeros((9, 9), np.float32)
    channel[3, 5] = 0.25
    np.testing.assert_array_equal(peaks_of(skeleton_of("STICK"), backend, channel), [[44, 28, 0.25]])


def test_the_logarithm_is_right_to_1e_6():
    values = np.geomspace(1e-6, 1e9, 5001).astype(np.float32)
    error = np.abs(natural_log(values) - np.log(values.astype(np.float64)))
    assert (error <= 1e-6 * np.maximum(1, np.abs(np.log(values)))).all()


def test_nearly_the_same_people_are_found_as_in_the_exact_mode(skeleton_of, crowd, backend):
    skeleton = skeleton_of("COCO_18")
    exact, fast = (PafDecoder(skeleton, 8, backend, PafOptions.for_skeleton(skeleton, mode=mode))(
        *crowd(skeleton, 5, seed=3)) for mode in ("exact", "fast"))
    assert abs(len(exact) - len(fast)) <= 1
    apart = np.linalg.norm(exact.keypoints[:, None] - fast.keypoints[None], axis=3)
    both = (exact.scores[:, None] > 0) & (fast.scores[None] > 0)
    close = (both & (apart < 2)).sum(axis=2).max(axis=1)
    assert close.sum() > 0.8 * (exact.scores > 0).sum()
