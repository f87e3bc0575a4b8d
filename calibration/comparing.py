"""Two sets of results over the same images: what differs, and how sure that is."""
from dataclasses import dataclass
from typing import Any

import numpy as np

from wholebody.calibration.protocols.base import Report

_LOW, _HIGH = 2.5, 97.5  # percent: an interval that holds the truth in 95 of 100 cases


@dataclass(frozen=True)
class Difference:
    """Of one part: the second less the first, and between what it would lie for other images of the kind."""

    part: str
    first: float
    second: float
    low: float
    high: float

    @property
    def change(self) -> float:
        """Second less first."""
        return self.second - self.first

    def worse_by(self, lower_is_better: bool) -> float:
        """How much worse the second is; negative where it is better."""
        return self.change if lower_is_better else -self.change

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        return {"part": self.part, "first": round(self.first, 4), "second": round(self.second, 4),
                "difference": round(self.change, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


def compare(first: Report, second: Report, resamples: int, seed: int) -> list[Difference]:
    """Part by part, over both reports' images, each drawn again and again for both at once.

    The interval is of a paired bootstrap: what both find hard cancels out.
    """
    if first.units != second.units:
        raise ValueError("reports of different images")
    chance = np.random.default_rng(seed)
    once = np.ones(len(first.units), np.int64)
    values = first.measure(once), second.measure(once)
    parts = [part for part, value in values[0].items() if not np.isnan(value + values[1].get(part, np.nan))]
    changes = np.zeros((resamples, len(parts)))
    for i in range(resamples):
        weights = np.bincount(chance.integers(0, len(once), len(once)), minlength=len(once)).astype(np.int64)
        drawn = first.measure(weights), second.measure(weights)
        changes[i] = [drawn[1][part] - drawn[0][part] for part in parts]
    low, high = np.nanpercentile(changes, [_LOW, _HIGH], axis=0) if resamples else np.zeros((2, len(parts)))
    return [Difference(part, values[0][part], values[1][part], float(a), float(b))
            for part, a, b in zip(parts, low, high, strict=True)]
