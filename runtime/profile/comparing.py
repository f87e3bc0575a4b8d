"""Two profiles: what became faster or slower, and what shows no difference."""
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.runtime.profile.spread import NEIGHBOURS, drawn_medians

FASTER, SLOWER, NOTHING = "faster", "slower", "no difference shown"
TOLERANCE = 0.05
_WORTH = 0.02       # less is not worth a word: one process differs from the next
_SURE = (0.1, 99.9)  # a false alarm stops somebody's work

FIGURES = {"engine": "engine", "pipeline": "pipeline", "camera to result": "camera_to_result"}
# What must be the same of two profiles for their times to be.
SAME_KIND = tuple([("model", name) for name in ("kind", "input", "skeleton", "runs_on")]
                  + [("machine", name) for name in ("board", "architecture", "cores")]
                  + [("settings", name) for name in ("picture", "people_in_picture", "fps", "in_flight")]
                  + [("conditions", "power_mode")])


class Change(NamedTuple):
    """Of one figure."""

    what: str
    judged: bool        # one of the three figures: a regression counts
    old_ms: float
    new_ms: float
    ratio: float        # new over old, of the medians
    low: float          # between which it lies, 998 times of 1000
    high: float
    verdict: str


def compare_profiles(old: Dict[str, Any], new: Dict[str, Any]) -> List[Change]:
    """Of everything that both have."""
    before = dict(_timings(old))
    return [_change(what, before[what]["blocks"], own["blocks"]) for what, own in _timings(new) if what in before]


def ratio(old: Sequence[float], new: Sequence[float]) -> Tuple[float, float, float]:
    """New over old, and between what it lies, the wider of two bootstraps, from the medians of blocks."""
    ends = []
    for neighbours in (1, NEIGHBOURS):  # few blocks drawn in threes vary too little, one by one as if independent
        drawn = drawn_medians(new, 1, neighbours) / np.maximum(drawn_medians(old, 2, neighbours), 1e-9)
        ends.append(np.percentile(drawn, _SURE))
    low, high = min(float(pair[0]) for pair in ends), max(float(pair[1]) for pair in ends)
    return float(np.median(new) / max(float(np.median(old)), 1e-9)), low, high


def verdict(times: float, low: float, high: float) -> str:
    """Faster or slower where the interval excludes 1 and the change is worth a word.

    >>> verdict(1.2, 1.1, 1.3), verdict(1.2, 0.9, 1.4), verdict(1.01, 1.005, 1.02)
    ('slower', 'no difference shown', 'no difference shown')
    """
    if abs(times - 1) <= _WORTH or low <= 1 <= high:
        return NOTHING
    return SLOWER if times > 1 else FASTER


def regressions(changes: Sequence[Change], tolerance: float = TOLERANCE) -> List[Change]:
    """Of the three figures those that are slower by more than the tolerance."""
    return [change for change in changes
            if change.judged and change.verdict == SLOWER and change.ratio > 1 + tolerance]


def differences_in_kind(old: Dict[str, Any], new: Dict[str, Any]) -> List[str]:
    """What else is not the same, so that times should not be."""
    return ["%s %s: %s, and before %s" % (part, name.replace("_", " "), new[part][name], old[part][name])
            for part, name in SAME_KIND if old[part][name] != new[part][name]]


def _change(what: str, old: Sequence[float], new: Sequence[float]) -> Change:
    times, low, high = ratio(old, new)
    return Change(what, what in FIGURES, float(np.median(old)), float(np.median(new)), times, low, high,
                  verdict(times, low, high))


def _timings(profile: Dict[str, Any]) -> Iterator[Tuple[str, Dict[str, Any]]]:
    for what, name in FIGURES.items():
        yield what, profile["figures"][name]
    for name, own in profile["stages"].items():
        yield "stage " + name, own
    for row in profile["people"]:
        yield "%d people" % row["people"], row["timing"]
