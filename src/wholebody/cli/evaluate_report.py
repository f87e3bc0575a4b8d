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
    rows = [[part] + ["%.4f" % statistics[name] if name in statistics else "" for name in names]
            for part, statistics in parts.items()]
    return columns([["part"] + names] + rows)


def columns(rows: List[List[str]]) -> List[str]:
    """Lines whose first column leans left, the others right.

    >>> columns([["part", "AP"], ["whole", "1"]])
    ['part   AP', 'whole   1']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
                      ).rstrip() for row in rows]
