"""wb-export verify --images: all stages of a network on real pictures; --prepared: somebody's own preprocessing."""
import argparse
import json
import math
import pathlib
from typing import TYPE_CHECKING, List, Optional

from wholebody.cli.export_calibrate import count, estimator_options
from wholebody.cli.frame import OK, REFUSED
from wholebody.cli.topdown_flags import add_topdown

if TYPE_CHECKING:
    from wholebody.export.stage_parity import StageReport


def add_stages(verify: argparse.ArgumentParser) -> None:
    """The flags that concern real pictures."""
    group = verify.add_argument_group("stages on real pictures")
    group.add_argument("--images", metavar="DIR", help="compare on the pictures of this folder; with --prepared, the "
                                                       "picture itself")
    group.add_argument("--most", metavar="N", type=count, default=8, help="take the first N pictures")
    group.add_argument("--least-agreement", metavar="A", type=float, default=0.9,
                       help="of the people that FP16, INT8 and engines find with those of the first stage (0 to 1)")
    group.add_argument("--net-resolution", metavar="WxH", default="", help="as for wb-run")
    group.add_argument("--prepared", metavar="FILE.npy", default="",
                       help="what your own code feeds MODEL.onnx for the picture --images: is it what the card says?")
    add_topdown(verify)


def verify_stages(args: argparse.Namespace) -> int:
    """Compares them; 3 where they part."""
    from wholebody.export.stage_parity import StageOptions, compare_stages
    paths = [args.reference, args.model, *args.stages]
    if any(not path.lower().endswith((".onnx", ".engine")) for path in paths):
        from wholebody.packages import require
        require("torch", "export")
    report = compare_stages(paths, StageOptions(args.images, args.most, args.tolerance, args.least_agreement,
                                                estimator_options(args), args.arch))
    print(_json(report) if args.json else "\n".join(_lines(report)))
    return OK if report.passed else REFUSED


def check_prepared(args: argparse.Namespace) -> int:
    """Compares an array with what the card makes of the picture; 3 where it is something else."""
    from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
    from wholebody.export.input_check import check_file
    if not args.images or not pathlib.Path(args.images).is_file() or args.model is not None:
        args.parser.error("expected MODEL.onnx --prepared FILE.npy --images PICTURE, one network and one picture")
    card = card_of(parse_onnx(read_bytes(args.reference), args.reference), args.reference)
    found = check_file(card.input, args.images, args.prepared)
    if args.json:
        print(json.dumps({"same": found.same, "differences": list(found.differences), "error": _number(found.error)}))
    elif found.same:
        print("%s is what the card of %s makes of %s (%.2g of the range apart on average)"
              % (args.prepared, args.reference, args.images, found.error))
    else:
        print("your preprocessing differs from the card of %s: %s" % (args.reference, "; ".join(found.differences)))
    return OK if found.same else REFUSED


def _lines(report: "StageReport") -> List[str]:
    lines = ["%-40s %-10s %11s %7s %9s" % ("stage", "precision", "max error", "people", "agreement")]
    for stage in report.stages:
        lines.append("%-40s %-10s %11.1e %7d %9.4f%s" % (stage.path[-40:], stage.kind, stage.error, stage.people,
                                                        stage.agreement, "" if stage.passed else "  parts"))
    lines += ["  %s %s: error %.1e of what it reads, %.1e of what it makes" % (c.operator, c.name, c.before, c.after)
              for c in report.culprits[:5]]
    return lines + [report.parted or "all stages find the same people"]


def _json(report: "StageReport") -> str:
    return json.dumps({"passed": report.passed, "parted": report.parted or None, "stages": [
        {"path": s.path, "precision": s.kind, "max_error": _number(s.error), "agreement": round(s.agreement, 4),
         "people": s.people, "preprocessing": list(s.preprocessing), "passed": s.passed} for s in report.stages],
        "culprits": [{"node": c.name, "operator": c.operator, "before": _number(c.before), "after": _number(c.after)}
                     for c in report.culprits]}, indent=2)


def _number(value: float) -> Optional[float]:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None
