"""The fast mode: maxima among the cells and a parabola through their logarithms."""
import numpy as np
import pytest

from wholebody.runtime.paf import PafDecoder, PafOptions
from wholebody.runtime.paf.fast_peaks import natural_log
from wholebody.runtime.paf.upsample import linear_taps, sample_field
from wholebody.skeletons import skeleton_from_dict

LIMB = skeleton_from_dict({"name": "LIMB", "keypoints": ["start", "end"], "paf": {"pairs": [[0, 1]]}})


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


@pytest.mark.parametrize(("x", "y", "value"), [(0, 0, 1), (1, 0, 1.25), (2, 0, 1.75), (3, 0, 2), (0, 1, 1.5),
                                               (1, 1, 1.875), (3, 3, 6)], ids=str)
def test_a_pixel_of_a_field_is_made_of_the_two_nearest_cells_along_each_axis(x, y, value):
    channel = np.array([[1, 2], [3, 6]], np.float32)
    assert sample_field(channel, linear_taps(2), np.array([x]), np.array([y])) == value


def test_where_four_cells_meet_the_field_is_their_mean():
    channel, (y, x) = np.array([[1, 2], [3, 6]], np.float32), np.mgrid[3:5, 3:5]
    assert sample_field(channel, linear_taps(4), x, y).mean() == 3


# With candidates before the start and past its end a field is copied before it is read; from none of them a limb leads
# forward.
@pytest.mark.parametrize("others", [False, True], ids=["few pairs", "many pairs"])
@pytest.mark.parametrize(("start", "end", "before", "past"), [
    ((6, 4), (17, 4), (0, 8), (18, 8)), ((17, 11), (6, 4), (18, 13), (0, 0)), ((0, 4), (0, 11), (0, 0), (0, 13)),
    ((23, 11), (23, 4), (0, 13), (0, 0)), ((9, 15), (20, 15), (0, 8), (18, 0)),
], ids=["across", "up and left", "along the left edge", "along the right edge", "along the last row"])
def test_a_limb_scores_the_mean_of_its_samples_between_cells(start, end, before, past, others, backend):
    heat, pafs = np.zeros((2, 16, 24), np.float32), np.random.default_rng(7).uniform(.2, .9, (2, 16, 24))
    (x0, y0), (x1, y1) = start, end
    unit = np.subtract(end, start) / np.hypot(x1 - x0, y1 - y0)
    pafs = (pafs * np.sign(unit)[:, None, None]).astype(np.float32)
    if others:
        for channel, (x, y) in zip(heat, (past, before)):
            channel[y:y + 3:2, x:x + 5:2] = 1
    heat[0, y0, x0] = heat[1, y1, x1] = 1
    count = int(np.clip(np.sqrt(5 * 8 * max(abs(x1 - x0), abs(y1 - y0))) + .5, 5, 25))
    along = np.arange(count) / count
    x, y = (((8 * (a + .5) + along * 8 * (b - a) + .5).astype(int) + .5) / 8 - .5 for a, b in ((x0, x1), (y0, y1)))
    paf = np.mean(unit[0] * between(pafs[0], x, y) + unit[1] * between(pafs[1], x, y))
    poses = PafDecoder(LIMB, 8, backend, PafOptions.for_skeleton(LIMB, mode="fast", min_keypoints=2))(heat, pafs)
    np.testing.assert_array_equal(poses.keypoints, [[np.add(start, .5) * 8, np.add(end, .5) * 8]])
    np.testing.assert_allclose(poses.person_scores, (2 + paf) / 3, rtol=1e-5)


def between(channel, x, y):
    """By np.interp along the rows, then down; beyond the last cells it repeats them."""
    rows = [np.interp(x, np.arange(channel.shape[1]), row) for row in channel]
    return np.array([np.interp(v, np.arange(channel.shape[0]), column) for v, column in zip(y, np.transpose(rows))])


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
