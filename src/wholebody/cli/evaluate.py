"""wb-eval: how well a model finds people, by the protocols of the papers."""
import argparse
import pathlib
import sys
import tempfile
from typing import TYPE_CHECKING, List, Optional

from wholebody.cli.evaluate_model import PROTOCOLS, add_network, open_chosen, run_model
from wholebody.cli.evaluate_report import print_report
from wholebody.cli.frame import OK, REFUSED, RUN_ERROR, Parser, run_command
from wholebody.default_model import default_model_path

if TYPE_CHECKING:
    from wholebody.calibration.protocols.base import Report


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of wb-eval."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["compare"]:
        from wholebody.cli.evaluate_compare import main as compare
        return compare(words[1:])
    return run_command(_parser(), _run, argv)


def _parser() -> Parser:
    parser = Parser(prog="wb-eval", description="Measure how well a model, or a results file, finds people. "
                    "Two of them: wb-eval compare -h.")
    what = parser.add_argument_group("what is measured")
    what.add_argument("model", metavar="MODEL", nargs="?",
                      help="a model with a card; runs over the annotated images; without it the default network")
    what.add_argument("--results", metavar="FILE.json", help="a results file instead, as wb-run --coco writes or "
                      "as the protocol has it; of PoseTrack also a folder")
    what.add_argument("--images", metavar="DIR", help="the annotated images")
    what.add_argument("--annotations", metavar="FILE.json", required=True,
                      help="labels in the protocol's own layout; of PoseTrack also a folder")
    what.add_argument("--protocol", choices=sorted(PROTOCOLS), default="coco", help="how it is measured")
    add_network(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the numbers as JSON")
    output.add_argument("--save-results", metavar="FILE.json", help="keep what the model found")
    output.add_argument("--worst", metavar="DIR", help="pictures of the worst images: labels left, found right")
    output.add_argument("--worst-count", type=int, default=10, metavar="N", help="how many of them")
    output.add_argument("--least", type=float, metavar="AP", help="exit with 3 when AP, or what the protocol has for "
                        "it, is below this")
    output.add_argument("--most", type=float, metavar="ERROR", help="exit with 3 when a protocol's error is above this")
    output.add_argument("--overwrite", action="store_true", help="replace files that exist")
    return parser


def _run(args: argparse.Namespace) -> int:
    parser = _parser()
    if args.model is not None and args.results is not None:
        parser.error("expected either MODEL or --results FILE.json, got both")
    if args.images is None and (args.results is None or args.worst):
        parser.error("%s needs --images DIR" % ("a model" if args.results is None else "--worst"))
    if args.results is None:
        args.model = args.model or default_model_path()
    if sys.version_info < (3, 10):
        parser.error("wb-eval runs on the host: it needs Python 3.10, this is %d.%d" % sys.version_info[:2])
    return _evaluate(args)


def _evaluate(args: argparse.Namespace) -> int:
    from wholebody.calibration.running import AnnotatedImages
    from wholebody.calibration.worst_pictures import write_worst
    from wholebody.files import check_free
    protocol = open_chosen(args)
    truth = protocol.load(args.annotations)
    images = AnnotatedImages(truth, args.images) if args.images else None
    if args.save_results:
        check_free(args.save_results, args.overwrite)
    problems = 0
    with tempfile.TemporaryDirectory(prefix="wholebody-eval-") as scratch:
        results = args.results or args.save_results or str(pathlib.Path(scratch) / "results.json")
        if args.model and images is not None:
            problems = run_model(args, args.model, protocol, truth, images, pathlib.Path(results))
        found = protocol.read(results, truth)
    report = protocol.evaluate(truth, found)
    if args.worst and images is not None:
        write_worst(protocol, report, truth, found, images, args.worst, args.worst_count, args.overwrite)
    print_report(args, report)
    return RUN_ERROR if problems else _gate(args, report)


def _gate(args: argparse.Namespace, report: "Report") -> int:
    """REFUSED when the headline is worse than --least or --most allows."""
    too_low = args.least is not None and report.value < args.least
    too_high = args.most is not None and report.value > args.most
    return REFUSED if too_low or too_high else OK


if __name__ == "__main__":
    sys.exit(main())
