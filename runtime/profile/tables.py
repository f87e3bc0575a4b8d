"""Tables beside the one of times: a heading, the columns, and rows of text; for the terminal, Markdown and the page."""
from typing import Any, Dict, List, NamedTuple, Sequence

MOST_LAYERS = 10
_LONGEST = 60       # of a layer's name; TensorRT strings together those of all it joined


class Table(NamedTuple):
    """Of which the first column is text."""

    title: str
    head: List[str]
    rows: List[List[str]]


def layer_tables(told: Dict[str, Any], most: int = MOST_LAYERS) -> List[Table]:
    """The layers of each network that take most."""
    return [Table(_layers_title(network, most), ["ms", "kind", "precision", "p50", "p95", "share"],
                  [_layer_row(row) for row in largest(network["rows"], most)]) for network in told["layers"]]


def sweep_table(told: Dict[str, Any]) -> List[Table]:
    """One, or none where nobody asked for it."""
    swept = told["sweep"]
    if swept is None or not swept["rows"]:
        return []
    names = ("engine", "pipeline")
    head = ["input, batch"] + [word for name in names for word in (name + " p50", "p95", swept["of"] + "/s")]
    rows = [["%s, %d" % (row["input"], row["batch"])] + [
        cell for name in names for cell in ("%.3f" % row[name]["p50"], "%.3f" % row[name]["p95"],
                                            "%.1f" % row[name + "_per_second"])] for row in swept["rows"]]
    return [Table("batches and sizes, ms of a whole batch", head, rows)]


def largest(rows: Sequence[Dict[str, Any]], most: int) -> List[Dict[str, Any]]:
    """Those that take most, first."""
    return sorted(rows, key=lambda row: -float(row["p50"]))[:most]


def in_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    """Lines for a terminal; numbers end below each other.

    >>> in_columns(["ms", "p50"], [["a", "10.0"], ["bc", "9.0"]])
    ['ms   p50', 'a   10.0', 'bc   9.0']
    """
    table = [list(head)] + [list(row) for row in rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    return ["  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
            for row in table]


def in_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    """Lines for a pull request."""
    lines = ["| %s |" % " | ".join(head), "|---" + "|--:" * (len(head) - 1) + "|"]
    return lines + ["| %s |" % " | ".join(cell.strip().replace("|", "\\|") for cell in row) for row in rows]


def _layers_title(network: Dict[str, Any], most: int) -> str:
    count = len(network["rows"])
    title = "%s, %s of %d layers, by %s over %d runs%s: together %.3f ms" % (
        network["network"], "all" if count <= most else "the largest %d" % most, count, network["by"], network["runs"],
        " of %d people" % network["batch"] if network["network"] == "pose" else "", network["sum_ms"])
    if network["run_ms"] is not None:
        title += ", a run there %.3f ms" % network["run_ms"]
    return title + (", the stage %.3f ms" % network["stage_ms"] if network["stage_ms"] is not None else "")


def _layer_row(row: Dict[str, Any]) -> List[str]:
    name = row["name"] if len(row["name"]) <= _LONGEST else row["name"][:_LONGEST - 3] + "..."
    return [name, row["kind"], row["precision"], "%.3f" % row["p50"], "%.3f" % row["p95"],
            "%.1f %%" % (100 * row["share"])]
