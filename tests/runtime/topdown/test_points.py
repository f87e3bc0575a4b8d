"""Maps to points, against plain loops over people, joints and cells."""
import math

import numpy as np
import pytest

from wholebody.runtime.topdown.backend import REFINEMENTS

SHAPES = [(1, 17, 64, 48), (5, 3, 64, 48), (0, 17, 64, 48), (2, 4, 7, 5), (1, 2, 1, 1), (3, 2, 2, 33)]
ids = ["%dx%dx%dx%d" % shape for shape in SHAPES]


def bumps(shape, seed=0):
    """A smooth peak in every map, on a little noise."""
    random = np.random.RandomState(seed)
    people, channels, height, width = shape
    y, x = np.mgrid[:height, :width]
    px, py = (random.uniform(0, side - 1, shape[:2] + (1, 1)) for side in (width, height))
    maps = np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) * random.uniform(0.2, 1, shape[:2] + (1, 1))
    return (maps + random.uniform(0, 0.001, shape)).astype(np.float32), np.stack([px[..., 0, 0], py[..., 0, 0]], 2)


def quarter_by_hand(maps):
    """As AlphaPose's heatmap_to_coord has it: argmax, and a quarter towards the higher neighbour."""
    people, channels, height, width = maps.shape
    found = np.zeros((people, channels, 3), np.float32)
    for n in range(people):
        for k in range(channels):
            best, px, py = 0.0, 0, 0
            for y in range(height):
                for x in range(width):
                    if maps[n, k, y, x] > best:
                        best, px, py = maps[n, k, y, x], x, y
            if best <= 0:
                continue
            fx, fy = float(px), float(py)
            if 1 < px < width - 1 and 1 < py < height - 1:
                fx += 0.25 * np.sign(maps[n, k, py, px + 1] - maps[n, k, py, px - 1])
                fy += 0.25 * np.sign(maps[n, k, py + 1, px] - maps[n, k, py - 1, px])
            found[n, k] = fx, fy, best
    return found


def integral_by_hand(maps):
    people, channels, height, width = maps.shape
    found = np.zeros((people, channels, 3))
    for n in range(people):
        for k in range(channels):
            total = across = down = top = 0.0
            for y in range(height):
                for x in range(width):
                    c = 1 / (1 + math.exp(-float(maps[n, k, y, x])))
                    total, across, down, top = total + c, across + x * c, down + y * c, max(top, c)
            found[n, k] = across / total, down / total, top
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=ids)
def test_a_peak_is_where_a_plain_search_finds_it(backend, shape):
    maps, _ = bumps(shape)
    np.testing.assert_array_equal(backend.peaks(maps, "quarter"), quarter_by_hand(maps))


@pytest.mark.parametrize("maps", [
    pytest.param(np.zeros((1, 2, 6, 5), np.float32), id="nothing"),
    pytest.param(np.full((1, 2, 6, 5), -3, np.float32), id="all below nothing"),
    pytest.param(np.full((1, 2, 6, 5), 2, np.float32), id="all alike: the first of them"),
    pytest.param(np.where(np.eye(6, 5) > 0, np.float32(1), np.float32(0))[None, None], id="the same peak five times"),
])
def test_odd_maps_are_searched_alike(backend, maps):
    for refine in ("none", "quarter"):
        found = backend.peaks(maps, refine)
        np.testing.assert_array_equal(found[..., 2], np.maximum(maps.max(axis=(2, 3)), 0))
    np.testing.assert_array_equal(found, quarter_by_hand(maps))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_counts_for_nothing(backend, bad):
    maps, _ = bumps((2, 2, 20, 30))
    maps[:, :, 3, 4] = maps[0, 0, 19, 29] = bad
    cleaned = np.where(np.isfinite(maps), maps, np.float32(0))
    for refine in REFINEMENTS:
        np.testing.assert_allclose(backend.peaks(maps, refine), backend.peaks(cleaned, refine), atol=1e-3)
    weights = np.where(np.isfinite(maps), 1 / (1 + np.exp(-cleaned.astype(np.float64))), 0)
    x = (weights.sum(axis=2) * np.arange(30)).sum(axis=2) / weights.sum(axis=(2, 3))
    np.testing.assert_allclose(backend.integrals(maps)[..., 0], x, atol=1e-3)
    everywhere = np.full((1, 1, 4, 4), bad, np.float32)
    assert not backend.integrals(everywhere).any()
    assert not backend.peaks(everywhere, "dark").any()


@pytest.mark.parametrize("refine, within", [("none", 0.71), ("quarter", 0.36), ("dark", 0.06), ("udp", 0.06)])
def test_refining_comes_as_near_as_its_paper_says(backend, refine, within):
    maps, truth = bumps((4, 17, 64, 48), seed=3)
    inside = ((truth > 8) & (truth < [39, 55])).all(axis=2)
    error = np.linalg.norm(backend.peaks(maps, refine)[..., :2] - truth, axis=2)[inside]
    assert inside.sum() > 20
    assert error.max() < within


@pytest.mark.parametrize("shape", SHAPES, ids=ids)
@pytest.mark.parametrize("refine", REFINEMENTS)
def test_both_ways_refine_alike(backend, refine, shape):
    from wholebody.runtime.topdown.numpy_backend import NumpyBackend
    maps = np.abs(np.random.RandomState(4).standard_normal(shape)).astype(np.float32)
    atol = 0 if refine in ("none", "quarter") else 1e-3
    expected, found = NumpyBackend().peaks(maps, refine), backend.peaks(maps, refine)
    near = np.abs(expected[..., :2]).max(initial=0, axis=2) < 1000  # a flat top is anywhere
    np.testing.assert_allclose(found[near], expected[near], atol=atol, rtol=1e-4 if atol else 0)


@pytest.mark.parametrize("shape", SHAPES, ids=ids)
def test_an_integral_is_the_mean_place_of_the_sigmoid(backend, shape):
    maps = (8 * np.random.RandomState(5).standard_normal(shape)).astype(np.float32)
    expected, found = integral_by_hand(maps), backend.integrals(maps)
    np.testing.assert_allclose(found[..., :2], expected[..., :2], atol=1e-3)
    np.testing.assert_allclose(found[..., 2], expected[..., 2], atol=1e-6)


@pytest.mark.parametrize("logit", [-1e9, -100.0, 0.0, 100.0, 1e9])
def test_extreme_logits_have_their_middle(backend, logit):
    found = backend.integrals(np.full((1, 1, 9, 21), logit, np.float32))
    np.testing.assert_allclose(found[0, 0, :2], [10, 4], atol=1e-4)
    assert found[0, 0, 2] == pytest.approx(1 / (1 + math.exp(-max(-87, min(logit, 87)))), rel=1e-5)


def test_simcc_is_the_highest_bin_of_each_axis(backend):
    random = np.random.RandomState(6)
    x, y = (random.standard_normal((3, 5, bins)).astype(np.float32) for bins in (384, 512))
    x[0, 0] = -1          # nothing above 0
    y[1, 2] = np.nan
    x[2, 1, [7, 300]] = 9  # the first of two
    found = backend.simcc(x, y, 2.0)
    for n in range(3):
        for k in range(5):
            best = [int(np.argmax(values)) for values in (x[n, k], y[n, k])]
            score = np.minimum(x[n, k].max(), y[n, k].max())  # NaN where either is
            expected = [best[0] / 2, best[1] / 2, score] if score > 0 else [0, 0, 0]
            np.testing.assert_array_equal(found[n, k], np.float32(expected))
    assert found[2, 1, 0] == 3.5
    assert backend.simcc(x[:0], y[:0], 2.0).shape == (0, 5, 3)


def test_views_are_taken_as_they_are(backend):
    maps, _ = bumps((2, 6, 16, 12))
    for view in (maps[:, 2:5], maps[::-1], maps.transpose(0, 1, 3, 2), maps[:, :, ::2]):
        dense = np.ascontiguousarray(view)
        np.testing.assert_array_equal(backend.peaks(view, "quarter"), backend.peaks(dense, "quarter"))
        np.testing.assert_array_equal(backend.integrals(view), backend.integrals(dense))
