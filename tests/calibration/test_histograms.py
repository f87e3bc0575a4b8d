"""Ranges of a tensor: what INT8 should hold of it."""
import numpy as np
import pytest

from wholebody.calibration.histograms import BINS, METHODS, Histogram, by_entropy, by_max, by_percentile


def histogram(*arrays):
    made = Histogram()
    for array in arrays:
        made.add(np.asarray(array, np.float32))
    return made


def test_the_largest_magnitude_counts_whatever_its_sign():
    assert by_max(histogram([0.5, -3.25], [1.0])) == 3.25


def test_the_order_of_pictures_does_not_matter():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(0, 3.0 ** k, 1000) for k in range(5)]
    for method in METHODS.values():
        assert method(histogram(*arrays)) == method(histogram(*reversed(arrays)))
    np.testing.assert_array_equal(histogram(*arrays).counts, histogram(*reversed(arrays)).counts)


def test_a_histogram_grows_and_forgets_nothing():
    grown = histogram(np.full(10, 0.9), np.full(3, 100.0))
    assert (grown.top, int(grown.counts.sum())) == (128.0, 13)
    assert np.flatnonzero(grown.counts).tolist() == [int(0.9 / 128 * BINS), int(100 / 128 * BINS)]


@pytest.mark.parametrize("percentile, expected", [(90, 1.0), (99, 1.0), (99.95, 50.0)])
def test_a_percentile_leaves_the_rarest_out(percentile, expected):
    made = histogram(np.concatenate([np.full(9990, 1.0), np.full(10, 50.0)]))
    assert by_percentile(made, percentile) == pytest.approx(expected, abs=64 / BINS)


def test_entropy_cuts_a_lone_outlier_and_keeps_an_even_spread():
    spread = np.abs(np.random.default_rng(1).normal(0, 1, 100000))
    assert by_entropy(histogram(spread, [200.0])) < 20
    even = np.linspace(0, 1, 65000)
    assert by_entropy(histogram(even)) == pytest.approx(1, abs=0.05)


def test_a_large_tensor_is_sampled_but_its_largest_number_is_not_missed():
    values = np.ones(1 << 20, np.float32)
    values[777777] = -9
    made = histogram(values)
    assert made.largest == 9
    assert int(made.counts.sum()) < 1 << 17


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        histogram([1.0, bad])


def test_nothing_but_zeros_has_the_range_zero():
    made = histogram(np.zeros(100), np.zeros(0))
    assert [method(made) for method in METHODS.values()] == [0.0] * len(METHODS)
