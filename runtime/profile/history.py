"""Profiles of a folder as trends: those of one model on one machine in the order of time, others apart."""
import json
import pathlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from wholebody.errors import WholebodyError
from wholebody.runtime.profile.comparing import FASTER, FIGURES, SAME_KIND, SLOWER, compare_profiles
from wholebody.runtime.profile.schema import problems
from wholebody.runtime.profile.tables import Table

FIRST = "the first"


class Point(NamedTuple):
    """One profile of a trend."""

    name: str                   # of its file
    at: str                     # when it was measured
    since: str                  # the verdict against the one before
    profile: Dict[str, Any]


class Trend(NamedTuple):
    """Profiles of one kind, the oldest first."""

    title: str
    points: Tuple[Point, ...]


def read_folder(folder: str) -> Tuple[List[Tuple[str, Dict[str, Any]]], List[str]]:
    """Name and content of every profile in a folder, the oldest first, and which other JSON files are there."""
    try:
        files = sorted(path for path in pathlib.Path(folder).iterdir() if path.suffix == ".json")
    except OSError as error:
        raise WholebodyError("cannot read the folder %s: %s" % (folder, error.strerror or error))
    found: List[Tuple[str, Dict[str, Any]]] = []
    others: List[str] = []
    for path in files:
        told = _profile(path)
        if told is None:
            others.append(path.name)
        else:
            found.append((path.name, told))
    if not found:
        raise WholebodyError("no profile of this version in %s; make one: profile-engine MODEL --json %s/FIRST.json"
                             % (folder, folder))
    return sorted(found, key=_when), others


def trends(profiles: List[Tuple[str, Dict[str, Any]]], told: Dict[str, Any]) -> List[Trend]:
    """Trends of all kinds among them, that of `told` first; it is the last of its own unless the folder has it."""
    if told not in [profile for _, profile in profiles]:
        profiles = sorted(profiles + [("this one", told)], key=_when)
    groups: Dict[Tuple[Any, ...], List[Tuple[str, Dict[str, Any]]]] = {_kind(told): []}
    for name, profile in profiles:
        groups.setdefault(_kind(profile), []).append((name, profile))
    return [Trend(_title(own[-1][1]), tuple(_points(own))) for own in groups.values()]


def trend_table(trend: Trend) -> Table:
    """For the terminal, Markdown and the page."""
    head = ["measured"] + list(FIGURES) + ["frames/s", "wholebody", "since the one before", "file"]
    rows = [[point.at.replace("T", " ")] + ["%.3f" % point.profile["figures"][name]["p50"] for name in FIGURES.values()]
            + ["%.1f" % point.profile["in_flight"]["frames_per_second"], point.profile["machine"]["wholebody"],
               point.since, point.name] for point in trend.points]
    return Table("p50 in ms of " + trend.title, head, rows)


def trend_points(trend: Trend) -> List[Dict[str, Any]]:
    """What a chart of it takes."""
    names = ("p50", "low", "high")
    return [{"at": point.at, "file": point.name, "since": point.since, "figures": {
        name: {part: point.profile["figures"][name][part] for part in names} for name in FIGURES.values()}}
        for point in trend.points]


def _profile(path: pathlib.Path) -> Optional[Dict[str, Any]]:
    try:
        told: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return None if problems(told) else told


def _when(named: Tuple[str, Dict[str, Any]]) -> Tuple[str, str]:
    return str(named[1]["measured_at"]), named[0]


def _kind(profile: Dict[str, Any]) -> Tuple[Any, ...]:
    return (profile["model"]["file"],) + tuple(profile[part][name] for part, name in SAME_KIND)


def _title(profile: Dict[str, Any]) -> str:
    model, machine, settings = profile["model"], profile["machine"], profile["settings"]
    mode = profile["conditions"]["power_mode"]
    return "%s (%s, %s) on %s, %s, %d cores%s; picture %s, %d people, %g frames/s, %d in flight" % (
        model["file"], model["runs_on"], model["input"] or "any size", machine["board"], machine["architecture"],
        machine["cores"], ", " + mode if mode else "", settings["picture"], settings["people_in_picture"],
        settings["fps"], settings["in_flight"])


def _points(own: List[Tuple[str, Dict[str, Any]]]) -> List[Point]:
    before: List[Optional[Dict[str, Any]]] = [None]
    before += [profile for _, profile in own[:-1]]
    return [Point(name, profile["measured_at"], _since(old, profile), profile)
            for old, (name, profile) in zip(before, own)]


def _since(old: Optional[Dict[str, Any]], new: Dict[str, Any]) -> str:
    if old is None:
        return FIRST
    changes = [change for change in compare_profiles(old, new) if change.judged and change.verdict in (SLOWER, FASTER)]
    return "; ".join("%s %s (%.2f)" % (change.what, change.verdict, change.ratio) for change in changes) \
        or "no difference shown"
