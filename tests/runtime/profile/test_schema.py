"""profile.schema.json: a profile fits it, and what is damaged does not."""
import json

import pytest
from drawn_profile import drawn_profile

from wholebody.errors import WholebodyError
from wholebody.runtime.profile import read_profile
from wholebody.runtime.profile.schema import SCHEMA, problems


def test_a_profile_is_as_the_schema_says():
    assert problems(drawn_profile()) == []
    assert problems(drawn_profile(energy=None, expected=None)) == []


@pytest.mark.parametrize("changes, said", [
    ({"version": 2}, "profile.version: expected 1, got 2"),
    ({"marks": "none"}, 'profile.marks: expected array, got "none"'),
    ({"more": 1}, "profile: 'more' is unknown"),
    ({"start_up": {"open_ms": 1.0}}, "profile.start_up: 'first_frame_ms' is missing"),
    ({"people": [{"people": 0, "what": "", "timing": {}}]}, "profile.people[0].people: expected 1 or more, got 0"),
    ({"energy": {"watts": True, "joules_per_frame": 1}}, "profile.energy.watts: expected number, got true"),
    ({"memory": {"host_mb": {"now": -1}}}, "profile.memory.host_mb.now: expected 0 or more, got -1"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_is_named(changes, said):
    assert said in problems(drawn_profile(**changes))


def test_every_word_of_a_timing_is_required():
    told = drawn_profile()
    for name in list(told["figures"]["engine"]):
        damaged = json.loads(json.dumps(told))
        del damaged["figures"]["engine"][name]
        assert problems(damaged) == ["profile.figures.engine: %r is missing" % name]


def test_nothing_in_the_schema_is_a_mean():
    assert "mean" not in SCHEMA.read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}'])
def test_a_file_that_is_no_profile_is_one_line_with_the_command_that_makes_one(tmp_path, text):
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(WholebodyError, match="old.json .*make one: profile-engine MODEL --json FILE"):
        read_profile(str(tmp_path / "old.json"))
