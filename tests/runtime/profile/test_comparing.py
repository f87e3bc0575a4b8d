"""Verdicts over real recorded times (benchmarks/record_profile_times.py --cpu), and over drawn ones."""
import copy
import json
import pathlib

import numpy as np
import pytest
from drawn_profile import drawn_profile

from wholebody.runtime.profile import compare_profiles, regressions
from wholebody.runtime.profile.comparing import (
    FASTER,
    NOTHING,
    SLOWER,
    Witness,
    both,
    differences_in_kind,
    ratio,
    verdict,
)

RECORDED = np.array(json.loads((pathlib.Path(__file__).parent / "recorded_times.json").read_text()))
ROUNDS, RUNS = 20, 25


def one_run(drawn):
    """Medians of blocks of runs, each from anywhere in the recording."""
    return [float(np.median(RECORDED[start:start + RUNS]))
            for start in drawn.randint(0, len(RECORDED) - RUNS, ROUNDS)]


@pytest.mark.parametrize("times, called", [(1.0, 0), (1.2, 20)], ids=["identical builds", "20 % slower"])
def test_of_twenty_pairs_of_recorded_runs_so_many_are_called_a_regression(times, called):
    drawn, found = np.random.RandomState(0), 0
    for _ in range(20):
        old, new = one_run(drawn), [times * ms for ms in one_run(drawn)]
        profiles = [drawn_profile(engine=blocks) for blocks in (old, new)]
        found += [change.what for change in regressions(compare_profiles(*profiles))] == ["engine"]
    assert found == called


@pytest.mark.parametrize("old, new, expected", [
    ([10.0] * 9, [10.0] * 9, NOTHING), ([10.0] * 9, [10.1] * 9, NOTHING), ([10.0] * 9, [11.0] * 9, SLOWER),
    ([10.0] * 9, [9.0] * 9, FASTER), ([8.0, 14.0, 9.0, 15.0, 10.0], [9.0, 15.0, 11.0, 16.0, 10.0], NOTHING),
], ids=["alike", "1 % more", "10 % more", "10 % less", "noise"])
def test_a_verdict_is_as_sure_as_its_blocks(old, new, expected):
    assert verdict(*ratio(old, new)) == expected


WIDE, NARROW, EVEN = (1.05, 0.7, 1.6), (1.3, 1.2, 1.4), (1.0, 0.99, 1.01)
MORE = (1.2, 1.18, 1.22)
WITNESSES = [
    (WIDE, Witness(MORE, True, True), SLOWER, 1.2), (WIDE, Witness(MORE, False, True), SLOWER, 1.2),
    (WIDE, Witness(MORE, True, False), NOTHING, 1.05), (WIDE, Witness(EVEN, True, True), NOTHING, 1.0),
    (EVEN, Witness(MORE, False, True), NOTHING, 1.0), (NARROW, Witness(EVEN, True, True), NOTHING, 1.3),
    (NARROW, Witness(EVEN, False, True), SLOWER, 1.3), (NARROW, Witness(MORE, True, True), SLOWER, 1.2),
    (NARROW, None, SLOWER, 1.3)]


@pytest.mark.parametrize("wall, witness, told, by", WITNESSES, ids=[
    "noise hides it", "noise on a quiet machine too", "in flight it does not lead", "noise and nothing",
    "more threads at work, no longer", "others were at work", "nobody was: it waits", "both, by the lesser", "alone"])
def test_the_processors_time_is_a_second_witness(wall, witness, told, by):
    assert both(wall, witness) == (told, by)


def on_cpu(ms, core, waited):
    """A drawn profile whose network took so much of the processor, and as long by the clock."""
    return drawn_profile([ms] * 8, processor={"ms": {"engine": [ms] * 8}, "core_ms": [core] * 8, "waited": waited})


@pytest.mark.parametrize("new, called", [
    (on_cpu(12.0, 1.2, 0.0), False), (on_cpu(12.0, 1.0, 0.0), True), (on_cpu(12.0, 1.0, 0.5), True)],
    ids=["a slower core", "more work", "more work on a busy machine"])
def test_a_core_that_is_slower_is_no_regression_and_is_told(new, called):
    old = on_cpu(10.0, 1.0, 0.0)
    assert bool(regressions(compare_profiles(old, new))) is called
    assert differences_in_kind(old, new) == (
        [] if called else ["how fast a core is: the same work took 1.200 of the time"])


def test_a_stage_that_is_slower_is_told_but_is_no_regression_by_itself():
    old, new = drawn_profile(), drawn_profile()
    new["stages"]["decode"]["blocks"] = [2 * ms for ms in old["stages"]["decode"]["blocks"]]
    changes = compare_profiles(old, new)
    assert [change.what for change in changes if change.verdict == SLOWER] == ["stage decode"]
    assert regressions(changes) == []


@pytest.mark.parametrize("core, told", [(1.2, NOTHING), (1.0, SLOWER)], ids=["a slower core", "the same core"])
def test_a_stage_and_a_crowd_are_slower_only_beyond_what_a_core_was(core, told):
    old, new = on_cpu(10.0, 1.0, 0.0), on_cpu(10.0, core, 0.0)
    for profile, ms in ((old, 0.3), (new, 0.36)):
        profile["people"][0]["timing"]["blocks"] = [ms] * 8
    assert {change.what: change.verdict for change in compare_profiles(old, new)}["5 people"] == told


def test_a_tolerance_lets_a_small_regression_pass():
    changes = compare_profiles(drawn_profile(engine=[10.0] * 9), drawn_profile(engine=[10.8] * 9))
    assert [change.what for change in regressions(changes, 0.05)] == ["engine"]
    assert regressions(changes, 0.1) == []


def test_what_is_not_the_same_about_two_profiles_is_said():
    old = drawn_profile()
    new = copy.deepcopy(old)
    assert differences_in_kind(old, new) == []
    new["conditions"]["power_mode"] = "15W (2)"
    new["model"]["input"] = "320x192"
    assert differences_in_kind(old, new) == ["model input: 320x192, and before 656x368",
                                             "conditions power mode: 15W (2), and before None"]
