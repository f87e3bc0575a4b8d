"""Two profiles: what became faster or slower, and what shows no difference."""
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from wholebody.runtime.profile.processor import BUSY
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


Ratio = Tuple[float, float, float]  # of the medians, and between which it lies


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
    processor: Optional[Ratio] = None  # the same three of the processor's time, by what a core took for the same work
    worse_by: float = 0.0   # by the witness that the verdict goes by


def compare_profiles(old: Dict[str, Any], new: Dict[str, Any]) -> List[Change]:
    """Of everything that both have."""
    before, cores = dict(_timings(old)), core_ratio(old, new)
    return [_change(what, before[what]["blocks"], own["blocks"], _witness(what, old, new), cores)
            for what, own in _timings(new) if what in before]


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
            if change.judged and change.verdict == SLOWER and change.worse_by > tolerance]


def differences_in_kind(old: Dict[str, Any], new: Dict[str, Any]) -> List[str]:
    """What else is not the same, so that times should not be."""
    found = ["%s %s: %s, and before %s" % (part, name.replace("_", " "), new[part][name], old[part][name])
             for part, name in SAME_KIND if old[part][name] != new[part][name]]
    cores = core_ratio(old, new)
    if cores is not None and abs(cores - 1) > _WORTH:
        found.append("how fast a core is: the same work took %.3f of the time" % cores)
    return found


class Witness(NamedTuple):
    """What the processor's time says beside the clock on the wall."""

    ratio: Ratio
    doubt: bool         # others took the cores, or the cores themselves were not as fast as before
    leads: bool         # its word counts where noise hides what the wall shows


def both(wall: Ratio, witness: Optional[Witness]) -> Tuple[str, float]:
    """The verdict of the two together, and the ratio that it goes by.

    Where noise hides what the processor shows, its word counts, if the wall does not contradict it. Where only the wall
    shows something and there is doubt about it, it is none.

    >>> both((1.1, 0.8, 1.5), Witness((1.2, 1.19, 1.21), True, True))
    ('slower', 1.2)
    >>> both((1.3, 1.2, 1.4), Witness((1.0, 0.99, 1.01), True, True))
    ('no difference shown', 1.3)
    """
    told = verdict(*wall)
    if witness is None:
        return told, wall[0]
    own = verdict(*witness.ratio)
    if witness.leads and told == NOTHING and own != NOTHING and wall[1] <= witness.ratio[0] <= wall[2]:
        return own, witness.ratio[0]
    if witness.doubt and own != told:
        return NOTHING, wall[0]
    return told, min(wall[0], witness.ratio[0]) if witness.doubt else wall[0]


def core_ratio(old: Dict[str, Any], new: Dict[str, Any]) -> Optional[float]:
    """What a core took for the same work, new over old; None where one of them ran on a GPU."""
    if not (old["processor"] and new["processor"]):
        return None
    return float(np.median(new["processor"]["core_ms"]) / max(np.median(old["processor"]["core_ms"]), 1e-9))


def _change(what: str, old: Sequence[float], new: Sequence[float], witness: Optional[Witness],
            cores: Optional[float]) -> Change:
    wall = ratio(old, new)
    if witness is None and cores is not None:  # nothing but how fast a core was
        told, by = both(wall, Witness(agreed(wall, (wall[0] / cores, wall[1] / cores, wall[2] / cores)), True, False))
    else:
        told, by = both(wall, witness)
    return Change(what, what in FIGURES, float(np.median(old)), float(np.median(new)), wall[0], wall[1], wall[2], told,
                  witness.ratio if witness else None, by - 1)


def _witness(what: str, old: Dict[str, Any], new: Dict[str, Any]) -> Optional[Witness]:
    """Of one of the three figures, where both have it."""
    found, cores = [_cpu_ms(what, profile) for profile in (old, new)], core_ratio(old, new)
    if cores is None or not all(found):
        return None
    per_core = [_per_core(own, profile) for own, profile in zip(found, (old, new))]
    doubt = abs(cores - 1) > _WORTH or any(
        (profile["processor"]["waited"] or 0.0) > BUSY for profile in (old, new))
    # Frames in flight share their cores: what they take of them is not how long they are on their way.
    told = agreed(ratio(found[0], found[1]), ratio(per_core[0], per_core[1]))
    return Witness(told, doubt, what != "camera to result")


def agreed(one: Ratio, other: Ratio) -> Ratio:
    """What both say: the one that is nearer to 1, and where their verdicts differ, between what both lie.

    >>> agreed((1.2, 1.1, 1.3), (1.15, 1.05, 1.2)), agreed((1.2, 1.1, 1.3), (1.0, 0.9, 1.1))
    ((1.15, 1.05, 1.2), (1.0, 0.9, 1.3))
    """
    nearer = one if abs(one[0] - 1) < abs(other[0] - 1) else other
    if verdict(*one) == verdict(*other):
        return nearer
    return nearer[0], min(one[1], other[1], 1.0), max(one[2], other[2], 1.0)


def _cpu_ms(what: str, profile: Dict[str, Any]) -> List[float]:
    """The processor's time of each block; [] where it is not known."""
    found: List[float] = (profile["processor"] or {"ms": {}})["ms"].get(FIGURES.get(what), [])
    return found


def _per_core(blocks: Sequence[float], profile: Dict[str, Any]) -> List[float]:
    """The same in units of what a core took for the same work in that round."""
    cores = profile["processor"]["core_ms"]
    if len(cores) != len(blocks):
        cores = [float(np.median(cores))] * len(blocks)
    return [ms / max(core, 1e-9) for ms, core in zip(blocks, cores)]


def _timings(profile: Dict[str, Any]) -> Iterator[Tuple[str, Dict[str, Any]]]:
    for what, name in FIGURES.items():
        yield what, profile["figures"][name]
    for name, own in profile["stages"].items():
        yield "stage " + name, own
    for row in profile["people"]:
        yield "%d people" % row["people"], row["timing"]
