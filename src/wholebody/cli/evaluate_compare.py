"""wb-eval compare: two models, or two results files, over the same images."""
import argparse
import json
import pathlib
import sys
import tempfile
from typing import TYPE_CHECKING, Any, List, Optional

from wholebody.cli.evaluate_model import PROTOCOLS, add_network, open_chosen, run_model
from wholebody.cli.evaluate_report import columns
from wholebody.cli.frame import OK, REFUSED, RUN_ERROR, Parser, run_command

if TYPE_CHECKING:
    from wholebody.calibration.comparing import Difference
    from wholebody.calibration.protocols.base import Protocol, Report, Truth

_RESULTS = (".json", ".mat")


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of wb-eval compare."""
    return run_command(_parser(), _run, argv)


def _parser() -> Parser:
    parser = Parser(prog="wb-eval compare",
                    description="Measure two models, or results files, over the same images: the difference of every "
                                "part, and between what it lies 95 times of 100 for other images of the kind.")
    what = parser.add_argument_group("what is compared")
    what.add_argument("first", metavar="A", help="a model with a card, or a results file (.json, .mat, or a folder of "
                      "them): what there was")
    what.add_argument("second", metavar="B", help="the same: what is new")
    what.add_argument("--images", metavar="DIR", help="the annotated images; results files need none")
    what.add_argument("--annotations", metavar="FILE.json", required=True,
                      help="labels in the protocol's own layout; of PoseTrack also a folder")
    what.add_argument("--protocol", choices=sorted(PROTOCOLS), default="coco", help="how it is measured")
    add_network(parser)
    how = parser.add_argument_group("comparison")
    how.add_argument("--tolerance", type=float, metavar="X", help="exit with 3 when B is worse by more than this "
                     "in the protocol's headline: AP, or what it has for it")
    how.add_argument("--every-part", action="store_true", help="the tolerance holds for every part")
    how.add_argument("--resamples", type=_count, default=1000, metavar="N", help="how often images are drawn again")
    how.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws: the same gives the same interval")
    parser.add_argument_group("output").add_argument("--json", action="store_true", help="print the numbers as JSON")
    return parser


def _run(args: argparse.Namespace) -> int:
    parser = _parser()
    if sys.version_info < (3, 10):
        parser.error("wb-eval runs on the host: it needs Python 3.10, this is %d.%d" % sys.version_info[:2])
    models = [name for name in (args.first, args.second) if not _is_results(name)]
    if models and args.images is None:
        parser.error("%s is a model: it needs --images DIR; a results file ends in .json" % models[0])
    return _compare(args)


def _is_results(name: str) -> bool:
    """A bundle folder is a model; one of results has nothing but JSON."""
    place = pathlib.Path(name)
    if place.is_dir():
        return not any(path.suffix in (".onnx", ".engine") for path in place.iterdir())
    return name.endswith(_RESULTS)


def _compare(args: argparse.Namespace) -> int:
    from wholebody.calibration.comparing import compare
    protocol = open_chosen(args)
    truth = protocol.load(args.annotations)
    problems: List[int] = []
    reports = [protocol.evaluate(truth, _found(args, name, protocol, truth, problems))
               for name in (args.first, args.second)]
    differences = compare(reports[0], reports[1], args.resamples, args.seed)
    worse = _worse(args, reports[0], differences)
    _print(args, reports[0], differences, worse)
    if any(problems):
        return RUN_ERROR
    return REFUSED if worse else OK


def _found(args: argparse.Namespace, name: str, protocol: "Protocol", truth: "Truth", problems: List[int]) -> Any:
    """What a results file says, or a model finds."""
    from wholebody.calibration.running import AnnotatedImages
    if _is_results(name):
        return protocol.read(name, truth)
    with tempfile.TemporaryDirectory(prefix="wholebody-eval-") as scratch:
        results = pathlib.Path(scratch) / "results.json"
        problems.append(run_model(args, name, protocol, truth, AnnotatedImages(truth, args.images), results))
        return protocol.read(str(results), truth)


def _worse(args: argparse.Namespace, report: "Report", differences: "List[Difference]") -> List[str]:
    """Parts that lost more than --tolerance allows."""
    if args.tolerance is None:
        return []
    judged = [d for d in differences if args.every_part or d.part == report.headline[0]]
    return [d.part for d in judged if d.worse_by(report.lower_is_better) > args.tolerance]


def _print(args: argparse.Namespace, report: "Report", differences: "List[Difference]", worse: List[str]) -> None:
    if args.json:
        print(json.dumps({"protocol": report.protocol, "statistic": report.headline[1], "images": report.images,
                          "first": args.first, "second": args.second, "resamples": args.resamples, "seed": args.seed,
                          "parts": [d.to_dict() for d in differences], "worse": worse}, indent=2))
        return
    print("%s of A %s and B %s, %d images" % (report.headline[1], args.first, args.second, report.images))
    rows = [[d.part, "%.4f" % d.first, "%.4f" % d.second, "%+.4f" % d.change,
             "%+.4f to %+.4f" % (d.low, d.high) if args.resamples else "", "worse" if d.part in worse else ""]
            for d in differences]
    print("\n".join(columns([["part", "A", "B", "B - A", "95 % interval", ""]] + rows)))
    if len(report.units) < 2 and not args.quiet:
        sys.stderr.write("wb-eval compare: one %s alone says nothing about others; the interval is empty\n"
                         % ("image" if isinstance(report.units[0], int) else "sequence"))


def _count(text: str) -> int:
    if not text.isdigit() or int(text) > 100000:
        raise argparse.ArgumentTypeError("expected a whole number up to 100000, got %r" % text)
    return int(text)
