"""wb-export calibrate: pictures become the table of ranges that INT8 needs."""
import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, Dict, Tuple

from wholebody.cli.frame import OK, REFUSED, Parser
from wholebody.cli.progress import StepProgress
from wholebody.cli.topdown_flags import add_topdown, topdown_options
from wholebody.errors import MissingPackage

if TYPE_CHECKING:
    from wholebody.calibration.calibrating import CalibrationOptions

METHODS = ("max", "entropy", "percentile-99.9", "percentile-99.99", "percentile-99.999")


def add_calibrate(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the subcommand."""
    calibrate = commands.add_parser(
        "calibrate", help="measure the ranges that INT8 needs, over your pictures",
        description="Run the network over the pictures of a folder, prepared as its card says, and write the range of "
                    "every tensor, for wb-export build --int8 --calibration. Interrupted, the same command goes on.")
    calibrate.set_defaults(run=_calibrate, parser=calibrate)
    calibrate.add_argument("model", metavar="MODEL.onnx", help="an FP32 network with a card")
    calibrate.add_argument("--images", metavar="DIR", required=True, help="a folder of pictures, 100 or more")
    calibrate.add_argument("-o", "--output", metavar="SCALES.json", required=True, help="where to write the table")
    calibrate.add_argument("--method", choices=METHODS, default="entropy",
                           help="what a range leaves out; the table holds the ranges of all of them")
    calibrate.add_argument("--most", metavar="N", type=count, default=0,
                           help="take the first N pictures of the folder; 0 takes all")
    calibrate.add_argument("--net-resolution", metavar="WxH", default="", help="as for wb-run")
    calibrate.add_argument("--threads", metavar="N", type=count, default=0, help="CPU threads; 0 takes every core")
    calibrate.add_argument("--strict", action="store_true", help="exit with 3 where the pictures look unfit")
    add_topdown(calibrate)
    calibrate.add_argument("--json", action="store_true", help="print what was found as JSON")
    calibrate.add_argument("--overwrite", action="store_true", help="replace SCALES.json where it exists")


def _calibrate(args: argparse.Namespace) -> int:
    import json
    need_host("calibrate")
    from wholebody.calibration.calibrating import calibrate
    progress = StepProgress("pictures", args.quiet)
    try:
        found = calibrate(args.model, args.images, args.output, calibration_options(args), args.overwrite, progress)
    finally:
        progress.done()
    for line in found.warnings:
        sys.stderr.write("warning: %s\n" % line)
    table = found.table
    if args.json:
        print(json.dumps({"output": args.output, "tensors": len(table.ranges), "method": table.method,
                          "pictures": table.pictures, "warnings": list(found.warnings), "sha256": table.sha256}))
    else:
        print("%s %s: ranges of %d tensors over %d pictures, by %s"
              % (args.output, "is there already" if found.ready else "written", len(table.ranges),
                 (table.pictures or {})["readable"], table.method))
        print("Next: wb-export build %s --int8 --calibration %s -o MODEL.engine" % (args.model, args.output))
    return REFUSED if args.strict and found.warnings else OK


def calibration_options(args: argparse.Namespace) -> "CalibrationOptions":
    """What the flags say."""
    from wholebody.calibration.calibrating import CalibrationOptions
    return CalibrationOptions(args.method, args.most, args.threads, estimator_options(args))


def estimator_options(args: argparse.Namespace) -> Tuple[Tuple[str, Any], ...]:
    """How pictures become inputs, as the estimator takes it; what is left as it is is not named."""
    chosen: Dict[str, Any] = {"net_resolution": args.net_resolution}
    if args.detector or args.boxes or args.whole_frame:
        chosen.update(topdown_options(args))
    return tuple(sorted((name, value) for name, value in chosen.items() if value))


def need_host(command: str) -> None:
    """MissingPackage on a Python that is too old for it."""
    if sys.version_info < (3, 8):
        raise MissingPackage("wb-export %s needs Python 3.8 or later: run it on a desktop machine, and copy the table "
                             "to the board" % command)


def count(text: str) -> int:
    """A whole number from 0, for argparse."""
    if not re.match(r"\d{1,6}$", text):
        raise argparse.ArgumentTypeError("expected a whole number from 0, got %r" % text)
    return int(text)
