"""Verdicts over real recorded times (benchmarks/record_profile_times.py --cpu), and over drawn ones."""
import copy
import json
import pathlib

import numpy as np
import pytest
from drawn_profile import drawn_profile

from wholebody.runtime.profile import compare_profiles, regressions
from wholebody.runtime.profile.comparing import FASTER, NOTHING, SLOWER, differences_in_kind, ratio, verdict

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


def test_a_stage_that_is_slower_is_told_but_is_no_regression_by_itself():
    old, new = drawn_profile(), drawn_profile()
    new["stages"]["decode"]["blocks"] = [2 * ms for ms in old["stages"]["decode"]["blocks"]]
    changes = compare_profiles(old, new)
    assert [change.what for change in changes if change.verdict == SLOWER] == ["stage decode"]
    assert regressions(changes) == []


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
