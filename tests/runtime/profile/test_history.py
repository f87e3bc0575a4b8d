"""Profiles of a folder as trends."""
import json

import pytest
from drawn_profile import drawn_profile

from wholebody.errors import WholebodyError
from wholebody.runtime.profile.history import FIRST, read_folder, trend_points, trend_table, trends


def measured(at, engine=10.0, **changes):
    """A drawn profile of January."""
    return drawn_profile([engine] * 8, measured_at="2026-01-%02dT08:00:00Z" % at, **changes)


@pytest.fixture
def folder(tmp_path):
    """Four profiles: three of one kind, whose names do not follow their time, and one of another machine."""
    kept = {"b": measured(3, 12.0), "c": measured(1), "a": measured(2, 10.1), "pi": measured(2, 90.0)}
    kept["pi"]["machine"]["cores"] = 4
    for name, told in kept.items():
        (tmp_path / (name + ".json")).write_text(json.dumps(told))
    (tmp_path / "notes.json").write_text("[1]")
    (tmp_path / "torn.json").write_text("{")
    (tmp_path / "notes.txt").write_text("")
    return tmp_path


def test_profiles_are_sorted_by_time_and_other_files_are_named(folder):
    found, others = read_folder(str(folder))
    assert [name for name, _ in found] == ["c.json", "a.json", "pi.json", "b.json"]
    assert others == ["notes.json", "torn.json"]


def test_machines_are_kept_apart_and_each_profile_is_told_against_the_one_before(folder):
    found, _ = read_folder(str(folder))
    own, other = trends(found, found[-1][1])
    assert [(point.name, point.since) for point in own.points] == [
        ("c.json", FIRST), ("a.json", "no difference shown"), ("b.json", "engine slower (1.19)")]
    assert [point.name for point in other.points] == ["pi.json"]
    assert "2 cores" in own.title
    assert "4 cores" in other.title


@pytest.mark.parametrize("part, name, value", [
    ("model", "file", "other.onnx"), ("model", "input", "320x192"), ("machine", "board", "Jetson Nano"),
    ("conditions", "power_mode", "15W (2)"), ("settings", "picture", "64x64")], ids=lambda value: str(value))
def test_what_cannot_be_compared_is_another_trend(folder, part, name, value):
    told = measured(9)
    told[part][name] = value
    found = trends(read_folder(str(folder))[0], told)
    assert len(found) == 3
    assert [point.name for point in found[0].points] == ["this one"]


def test_a_profile_that_was_just_measured_is_the_last_of_its_trend(folder):
    points = trends(read_folder(str(folder))[0], measured(9, 10.0))[0].points
    assert [point.name for point in points] == ["c.json", "a.json", "b.json", "this one"]
    assert points[-1].since == "engine faster (0.83)"


def test_a_trend_is_a_table_and_points(folder):
    found, _ = read_folder(str(folder))
    trend = trends(found, found[-1][1])[0]
    table = trend_table(trend)
    assert [row[:2] for row in table.rows][0] == ["2026-01-01 08:00:00Z", "10.000"]
    assert {len(row) for row in table.rows} == {len(table.head)}
    assert trend_points(trend)[2]["figures"]["engine"] == {"p50": 12.0, "low": 12.0, "high": 12.0}


@pytest.mark.parametrize("there, said", [(False, "cannot read the folder"), (True, "no profile of this version in")],
                         ids=["missing", "empty"])
def test_a_folder_without_profiles_is_one_line(tmp_path, there, said):
    if there:
        (tmp_path / "kept").mkdir()
    with pytest.raises(WholebodyError, match=said):
        read_folder(str(tmp_path / "kept"))
