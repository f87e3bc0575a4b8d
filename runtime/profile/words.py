"""A profile as a table for the terminal, or as Markdown for a pull request."""
from typing import Any, Dict, List, Sequence

import numpy as np

from wholebody.runtime.profile.comparing import Change
from wholebody.runtime.profile.history import Trend, trend_table
from wholebody.runtime.profile.tables import Table, in_columns, in_markdown, layer_tables, sweep_table

FIGURES = (("engine", "engine alone"), ("pipeline", "pipeline, one frame after the other"),
           ("camera_to_result", "camera to result"))
_HEAD = ["ms", "p50", "95 % of the median", "p95", "p99", "runs"]


def rows_of(told: Dict[str, Any]) -> List[List[str]]:
    """The three figures, the stages and the crowds: name, p50, its interval, p95, p99, runs."""
    rows = [_row(title, told["figures"][name]) for name, title in FIGURES]
    rows += [_row("  stage " + name, own) for name, own in told["stages"].items()]
    rows.append(_row("  camera: waiting", told["camera"]["stages"]["waiting"]))
    return rows + [
        _row("  %d %s: %s" % (row["people"], "person" if row["people"] == 1 else "people", row["what"]), row["timing"])
        for row in told["people"]]


def lines_of(told: Dict[str, Any]) -> List[str]:
    """Everything that is no timing, a line each."""
    model, machine, settings = told["model"], told["machine"], told["settings"]
    rate, camera, start = told["in_flight"], told["camera"], told["start_up"]
    memory, gpu = told["memory"]["host_mb"], told["memory"]["device_mb"]
    lines = ["%s (%s, %s) on %s, %s, %d cores; picture %s with %d people found"
             % (model["file"], model["runs_on"], model["input"] or "any size", machine["board"],
                machine["architecture"], machine["cores"], settings["picture"], settings["people_in_picture"]),
             "%.1f frames/s with %d in flight (%.1f to %.1f); camera at %g frames/s: %d done, %d dropped"
             % (rate["frames_per_second"], settings["in_flight"], rate["low"], rate["high"], settings["fps"],
                camera["frames"], camera["dropped"]),
             "start: %.0f ms to open, %.0f ms for the first frame" % (start["open_ms"], start["first_frame_ms"])
             + ("; memory: %.0f MB, at most %.0f MB" % (memory["now"], memory["peak"]) if len(memory) == 2 else "")
             + ("; of the GPU's %.0f MB: %.0f MB, at most %.0f MB" % (gpu["total"], gpu["now"], gpu["peak"])
                if gpu else "")]
    lines += _processor(told) + _conditions(told) + _expected(told) + [told["bottleneck"]["sentence"]]
    lines += ["MARK %s" % mark for mark in told["marks"]]
    return lines + ["not measured: %s: %s" % item for item in sorted(told["not_measured"].items())]


def tables_of(told: Dict[str, Any]) -> List[Table]:
    """What else there is, a table each."""
    return sweep_table(told) + layer_tables(told)


def terminal(told: Dict[str, Any]) -> str:
    """For a quick look."""
    lines = in_columns(_HEAD, rows_of(told))
    for table in tables_of(told):
        lines += ["", table.title] + in_columns(table.head, table.rows)
    return "\n".join(lines + [""] + lines_of(told))


def markdown(told: Dict[str, Any], changes: Sequence[Change] = ()) -> str:
    """For a pull request."""
    lines = in_markdown(_HEAD, rows_of(told))
    for table in tables_of(told):
        lines += ["", table.title + ":", ""] + in_markdown(table.head, table.rows)
    lines += [""] + ["- " + line for line in lines_of(told)]
    if changes:
        lines += ["", "| | before | now | now / before | verdict |", "|---|--:|--:|--:|---|"]
        lines += ["| %s | %.3f ms | %.3f ms | %.3f (%.3f to %.3f) | %s |" % (
            change.what, change.old_ms, change.new_ms, change.ratio, change.low, change.high, change.verdict)
            for change in changes]
    return "\n".join(lines)


def of_trends(found: Sequence[Trend], as_markdown: bool = False) -> str:
    """Trends, a table each."""
    lines: List[str] = []
    for table in map(trend_table, found):
        lines += ["", table.title + (":" if as_markdown else "")] + ([""] if as_markdown else [])
        lines += (in_markdown if as_markdown else in_columns)(table.head, table.rows)
    return "\n".join(lines)


def compared(changes: Sequence[Change]) -> str:
    """Changes for the terminal."""
    width = max([len(change.what) for change in changes] or [0])
    return "\n".join("%-*s  %9.3f -> %9.3f ms  %.3f (%.3f to %.3f)  %s%s" % (
        width, change.what, change.old_ms, change.new_ms, change.ratio, change.low, change.high, change.verdict,
        "; of the processor's time %.3f (%.3f to %.3f)" % change.processor if change.processor else "")
        for change in changes)


def _row(name: str, told: Dict[str, Any]) -> List[str]:
    return [name, "%.3f" % told["p50"], "%.3f to %.3f" % (told["low"], told["high"]), "%.3f" % told["p95"],
            "%.3f" % told["p99"], "%d" % told["count"]]


def _processor(told: Dict[str, Any]) -> List[str]:
    own = told["processor"]
    if own is None:
        return []
    medians = ["%s %.3f ms" % (title.split(",")[0], np.median(own["ms"][name])) for name, title in FIGURES
               if name in own["ms"]]
    waited = "" if own["waited"] is None else "; threads waited for a core %.1f %% as long as they ran" % (
        100 * own["waited"])
    return ["of the processor's time, all threads together: " + ", ".join(medians) + waited]


def _conditions(told: Dict[str, Any]) -> List[str]:
    known, energy = told["conditions"], told["energy"]
    said = ["power mode %s" % known["power_mode"]] if known["power_mode"] else []
    if known["hottest_c"]:
        said.append("%.0f to %.0f C" % (known["hottest_c"]["first"], known["hottest_c"]["most"]))
    if energy:
        said.append("%.1f W, %.2f J a frame" % (energy["watts"], energy["joules_per_frame"]))
    return ["; ".join(said)] if said else []


def _expected(told: Dict[str, Any]) -> List[str]:
    there = told["expected"]
    if there is None:
        return []
    line = ("roofline %.2f ms (%s; %s): %.2f GFLOP, %.0f GFLOP/s reached, %.0f %% of the roofline"
            % (there["roofline_ms"], there["on"], there["bound"], there["gflop"], there["reached_gflops"],
               100 * there["share"]))
    if there["range_ms"]:
        line += "; expected %.2f to %.2f ms: %s" % (tuple(there["range_ms"]) + (there["verdict"],))
    return [line]
