"""The highest pixel of an enlarged map, against the whole enlarged map and against OpenCV's."""
import time

import numpy as np
import pytest

from wholebody.errors import ShapeError
from wholebody.runtime.native.library import HOW_TO_BUILD, find_library
from wholebody.runtime.paf.upsample import bicubic_taps, upsample
from wholebody.runtime.topdown.choosing import choose_backend

SHAPES = [((2, 3, 46, 46), 8), ((0, 3, 46, 46), 8), ((1, 4, 7, 5), 8), ((2, 2, 1, 1), 8), ((1, 2, 2, 9), 4),
          ((1, 2, 20, 33), 1), ((1, 1, 9, 9), 16)]


def plain(maps, factor):
    """By making the whole map, as OpenPose does."""
    found = np.zeros(maps.shape[:2] + (3,), np.float32)
    for n in range(maps.shape[0]):
        for c in range(maps.shape[1]):
            full = upsample(maps[n, c], bicubic_taps(factor, "opencv"))
            y, x = np.unravel_index(full.argmax(), full.shape)
            if full[y, x] > 0:
                found[n, c] = x, y, full[y, x]
    return found


def bumps(random, shape):
    people, channels, height, width = shape
    y, x = np.mgrid[:height, :width]
    px, py = (random.uniform(0, side - 1, shape[:2] + (1, 1)) for side in (width, height))
    return np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) + random.uniform(-0.05, 0.05, shape)


KINDS = {
    "peaks": bumps,
    "noise": lambda random, shape: random.uniform(-1, 1, shape),
    "whole numbers: many pixels alike": lambda random, shape: random.randint(-2, 3, shape),
    "one value": lambda random, shape: np.full(shape, 0.25),
    "nothing above 0": lambda random, shape: -random.uniform(0, 1, shape),
    "cells, each on its own": lambda random, shape: (random.uniform(0, 1, shape) > 0.97) * 1.0,
    "large beside small": lambda random, shape: random.uniform(0, 1, shape) ** 20 * 1e6,
}


@pytest.mark.parametrize("shape, factor", SHAPES, ids=["%dx%dx%dx%d by %d" % (s + (f,)) for s, f in SHAPES])
@pytest.mark.parametrize("kind", list(KINDS))
def test_it_is_that_of_the_whole_map(backend, shape, factor, kind):
    maps = np.asarray(KINDS[kind](np.random.RandomState(0), shape), np.float32)
    np.testing.assert_array_equal(backend.enlarged_peaks(maps, factor), plain(maps, factor))


def test_it_is_where_opencv_has_it(backend):
    cv2 = pytest.importorskip("cv2", reason="compares with OpenCV")
    maps = np.asarray(bumps(np.random.RandomState(1), (4, 5, 46, 46)), np.float32)
    found = backend.enlarged_peaks(maps, 8)
    for map_, (x, y, value) in zip(maps.reshape(-1, 46, 46), found.reshape(-1, 3)):
        full = cv2.resize(map_, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
        assert abs(full[int(y), int(x)] - full.max()) < 1e-6
        assert abs(full.max() - value) < 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e9])
def test_what_is_not_finite_or_far_too_large_counts_as_nothing(backend, bad):
    maps = np.asarray(bumps(np.random.RandomState(2), (2, 2, 20, 30)), np.float32)
    clean = maps.copy()
    maps[:, :, 3, 4] = maps[0, 0, 19, 29] = bad
    clean[:, :, 3, 4] = clean[0, 0, 19, 29] = 0
    np.testing.assert_array_equal(backend.enlarged_peaks(maps, 8), plain(clean, 8))


def test_channels_of_a_larger_array_are_taken_as_they_are(backend):
    maps = np.asarray(bumps(np.random.RandomState(3), (2, 71, 12, 14)), np.float32)
    np.testing.assert_array_equal(backend.enlarged_peaks(maps[:, :70], 8), plain(maps[:, :70].copy(), 8))


@pytest.mark.parametrize("factor", [0, 17, -1])
def test_a_factor_that_is_none_is_refused(factor):
    if find_library() is None:
        pytest.skip("the native library is not built; " + HOW_TO_BUILD)
    with pytest.raises(ShapeError, match="peaks of enlarged maps"):
        choose_backend("native").enlarged_peaks(np.zeros((1, 1, 4, 4), np.float32), factor)


def spent(work, rounds=5):
    started = time.perf_counter()
    for _ in range(rounds):
        work()
    return time.perf_counter() - started


def test_a_face_takes_a_fraction_of_the_whole_maps():
    if find_library() is None:
        pytest.skip("the native library is not built; " + HOW_TO_BUILD)
    maps = np.asarray(bumps(np.random.RandomState(4), (1, 70, 46, 46)), np.float32)
    native, taps = choose_backend("native"), bicubic_taps(8, "opencv")

    def ratio():
        return spent(lambda: native.enlarged_peaks(maps, 8)) / spent(lambda: [upsample(m, taps) for m in maps[0]])
    assert min(ratio(), ratio()) < 0.5
