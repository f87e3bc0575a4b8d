"""What wb-eval prints: a line for one part, a table for several, JSON for machines."""
import argparse
import json
from typing import TYPE_CHECKING, Dict, List

if TYPE_CHECKING:
    from wholebody.calibration.protocols.base import Report


def print_report(args: argparse.Namespace, report: "Report") -> None:
    """The numbers of one model or results file."""
    if args.json:
        print(json.dumps(dict(report.to_dict(), model=args.model, results=args.results,
                              annotations=args.annotations), indent=2))
        return
    print("%s: %d images, %d %s labelled, %d found" % (args.model or args.results, report.images, report.labelled,
                                                      report.counted, report.found))
    if len(report.parts) == 1:
        print("  ".join("%s %.4f" % item for item in report.statistics.items()))
    else:
        print("\n".join(table(report.parts)))
    if args.quiet:
        return
    for errors in report.worst[:3]:
        print("worst: image %d, %d missed, %d false, %s %.4f" % (errors.image_id, errors.missed, errors.false,
                                                                report.quality, errors.quality))


def table(parts: Dict[str, Dict[str, float]]) -> List[str]:
    """A row a part, a column a statistic.

    >>> table({"body": {"AP": 0.5}, "foot": {"AP": 0.25}})
    ['part      AP', 'body  0.5000', 'foot  0.2500']
    """
    names = list(dict.fromkeys(name for statistics in parts.values() for name in statistics))
    width = max(len("part"), max(len(part) for part in parts))
    columns = [max(len(name), 6) for name in names]

    def row(head: str, cells: List[str]) -> str:
        return "  ".join([head.ljust(width)] + [cell.rjust(space) for cell, space in zip(cells, columns)])
    lines = [row("part", names)]
    for part, statistics in parts.items():
        lines.append(row(part, ["%.4f" % statistics[name] if name in statistics else "" for name in names]))
    return lines
