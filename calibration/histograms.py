"""Magnitudes of a tensor as a histogram that grows with them, and the range that INT8 should take of it."""
import math
from typing import Any, Callable, Dict

import numpy as np

BINS = 4096
_SAMPLE = 1 << 16    # numbers of one tensor of one picture that are counted; all of them are looked at for the largest
_LEVELS = 128        # magnitudes that INT8 has
_STEP = 32           # bins between two ranges that entropy compares
_LEAST_TOP = 2.0 ** -60


class Histogram:
    """Whole numbers only, so that the order of pictures and interruptions change nothing."""

    __slots__ = ("counts", "top", "largest")

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.int64)
        self.top = 0.0      # the bins share 0 .. top, a power of two
        self.largest = 0.0

    def add(self, values: Any) -> None:
        """Every value of one tensor of one picture; ValueError where one is not finite."""
        if not values.size:
            return
        flat = values.reshape(-1)
        largest = float(max(flat.max(), -flat.min()))
        if not math.isfinite(largest):
            raise ValueError("holds numbers that are not finite")
        self.largest = max(self.largest, largest)
        self._reach(largest)
        step = (flat.size // _SAMPLE) | 1  # odd: it walks through all columns of a map
        places = (np.abs(flat[::step]) * np.float32(BINS / self.top)).astype(np.int32)
        self.counts += np.bincount(np.minimum(places, BINS - 1, out=places), minlength=BINS)

    def _reach(self, largest: float) -> None:
        needed = max(2.0 ** math.ceil(math.log2(largest)) if largest > 0 else 0.0, _LEAST_TOP)
        if self.top == 0.0:
            self.top = needed
        while self.top < needed:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([merged, np.zeros_like(merged)])
            self.top *= 2


def by_max(histogram: Histogram) -> float:
    """All of it."""
    return histogram.largest


def by_percentile(histogram: Histogram, percentile: float) -> float:
    """What this share of the magnitudes stays within, to the width of a bin; never beyond the largest."""
    total = np.cumsum(histogram.counts)
    if not total[-1]:
        return histogram.largest
    wanted = math.ceil(int(total[-1]) * percentile / 100)
    place = int(np.searchsorted(total, wanted))
    return float(min((place + 1) * histogram.top / BINS, histogram.largest))


def by_entropy(histogram: Histogram) -> float:
    """The range at which INT8 loses least information (Kullback-Leibler divergence); zeros do not count."""
    counts = histogram.counts.astype(np.float64)
    counts[0] = 0
    used = np.flatnonzero(counts)
    if not used.size or used[-1] < _LEVELS:
        return histogram.largest
    ends = range(_LEVELS, min(int(used[-1]) // _STEP * _STEP + 2 * _STEP, BINS + 1), _STEP)
    best = min(ends, key=lambda end: _divergence(counts, end))
    return float(min(best * histogram.top / BINS, histogram.largest))


def _divergence(counts: Any, end: int) -> float:
    """Of the magnitudes clipped at bin `end` from the same in 128 levels."""
    inside = counts[:end]
    clipped = inside.copy()
    clipped[-1] += counts[end:].sum()
    starts = np.arange(_LEVELS) * end // _LEVELS
    filled = inside > 0
    weight, width = np.add.reduceat(inside, starts), np.add.reduceat(filled.astype(np.float64), starts)
    level = np.searchsorted(starts, np.arange(end), "right") - 1
    quantised = np.where(filled, (weight / np.maximum(width, 1))[level], 0)
    p, q = clipped / clipped.sum(), quantised / max(quantised.sum(), 1)
    there = p > 0
    return float((p[there] * np.log(p[there] / np.maximum(q[there], 1e-12))).sum())


METHODS: Dict[str, Callable[[Histogram], float]] = {
    "max": by_max, "entropy": by_entropy, "percentile-99.9": lambda h: by_percentile(h, 99.9),
    "percentile-99.99": lambda h: by_percentile(h, 99.99), "percentile-99.999": lambda h: by_percentile(h, 99.999)}
DEFAULT_METHOD = "entropy"
