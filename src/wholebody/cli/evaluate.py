"""wb-eval: how well a model finds people, by the protocols of the papers."""
import argparse
import json
import pathlib
import sys
import tempfile
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Tuple

from wholebody.cli.frame import OK, REFUSED, RUN_ERROR, Parser, run_command
from wholebody.cli.topdown_flags import add_topdown, topdown_options
from wholebody.default_model import default_model_path
from wholebody.errors import EvaluationError

if TYPE_CHECKING:
    from wholebody.calibration.coco_protocol import Evaluation
    from wholebody.runtime.lane import StagedEstimator


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of wb-eval."""
    return run_command(_parser(), _run, argv)


def _parser() -> Parser:
    parser = Parser(prog="wb-eval", description="Measure how well a model, or a results file, finds people.")
    what = parser.add_argument_group("what is measured")
    what.add_argument("model", metavar="MODEL", nargs="?",
                      help="a model with a card; runs over the annotated images; without it the default network")
    what.add_argument("--results", metavar="FILE.json", help="a results file instead, as wb-run --coco writes")
    what.add_argument("--images", metavar="DIR", help="the annotated images")
    what.add_argument("--annotations", metavar="FILE.json", required=True, help="COCO person keypoints")
    what.add_argument("--protocol", choices=sorted(PROTOCOLS), default="coco", help="how it is measured")
    how = parser.add_argument_group("network")
    how.add_argument("--net-resolution", metavar="WxH", default="", help="as for wb-run")
    how.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads; 0 takes every core")
    how.add_argument("--flip", action="store_true",
                     help="ask the network about the mirrored picture as well: slower, a little better")
    how.add_argument("--scales", metavar="S,S,...", type=_scales, default=(1.0,),
                     help="a PAF network's maps at several sizes, averaged: 0.5,1,1.5")
    where = add_topdown(parser)
    where.add_argument("--gt-boxes", action="store_true",
                       help="the boxes of the annotations: what the network itself can do")
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the numbers as JSON")
    output.add_argument("--save-results", metavar="FILE.json", help="keep what the model found")
    output.add_argument("--worst", metavar="DIR", help="pictures of the worst images: labels left, found right")
    output.add_argument("--worst-count", type=int, default=10, metavar="N", help="how many of them")
    output.add_argument("--least", type=float, metavar="AP", help="exit with 3 when AP is below this")
    output.add_argument("--overwrite", action="store_true", help="replace files that exist")
    return parser


def _run(args: argparse.Namespace) -> int:
    parser = _parser()
    if args.model is not None and args.results is not None:
        parser.error("expected either MODEL or --results FILE.json, got both")
    if args.images is None and (args.results is None or args.worst):
        parser.error("%s needs --images DIR" % ("a model" if args.results is None else "--worst"))
    if args.gt_boxes:
        args.boxes = args.annotations
    if args.results is None:
        args.model = args.model or default_model_path()
    if sys.version_info < (3, 10):
        parser.error("wb-eval runs on the host: it needs Python 3.10, this is %d.%d" % sys.version_info[:2])
    return PROTOCOLS[args.protocol](args)


def _coco(args: argparse.Namespace) -> int:
    from wholebody.calibration.coco_protocol import evaluate, load_annotations
    from wholebody.calibration.running import AnnotatedImages
    from wholebody.calibration.worst_pictures import write_worst
    from wholebody.files import check_free
    truth = load_annotations(args.annotations)
    images = AnnotatedImages(truth, args.images) if args.images else None
    if args.save_results:
        check_free(args.save_results, args.overwrite)
    with tempfile.TemporaryDirectory(prefix="wholebody-eval-") as scratch:
        results = args.results or args.save_results or str(pathlib.Path(scratch) / "results.json")
        problems = _run_model(args, images, results) if args.model else 0
        evaluation = evaluate(truth, results)
        if args.worst and images is not None:
            write_worst(evaluation, truth, results, images, args.worst, args.worst_count, args.overwrite)
    _report(args, evaluation)
    if problems:
        return RUN_ERROR
    return REFUSED if args.least is not None and evaluation.statistics["AP"] < args.least else OK


def _run_model(args: argparse.Namespace, images: object, results: str) -> int:
    """How many images could not be read."""
    from wholebody.calibration.running import AnnotatedImages, run_on_annotated
    from wholebody.cli.progress import Progress
    assert isinstance(images, AnnotatedImages)
    with _open(args) as estimate:
        progress = Progress(images.length, args.quiet)
        try:
            return len(run_on_annotated(estimate, images, pathlib.Path(results), progress).problems)
        finally:
            progress.done()


def _open(args: argparse.Namespace) -> "StagedEstimator":
    from wholebody.calibration.averaging import AveragedEstimator
    from wholebody.engines.opening import OpenOptions, open_engine
    from wholebody.runtime.estimator import open_estimator
    engine = open_engine(args.model, OpenOptions(args.threads)) if args.flip or args.scales != (1.0,) else None
    if engine is not None and engine.card and any(head.kind == "paf" for head in engine.card.heads):
        try:
            return AveragedEstimator(engine, args.net_resolution, args.scales, args.flip)
        except BaseException:
            engine.close()
            raise
    if engine is not None:
        engine.close()
        if args.scales != (1.0,):
            raise EvaluationError("%s: --scales is for networks that see whole frames" % args.model)
    return open_estimator(args.model, net_resolution=args.net_resolution, threads=args.threads, flip=args.flip,
                          **topdown_options(args))


def _scales(text: str) -> Tuple[float, ...]:
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = ()
    if not scales or not all(0.1 <= scale <= 4 for scale in scales):
        raise argparse.ArgumentTypeError("expected scales from 0.1 to 4, such as 0.5,1,1.5, got %r" % text)
    return scales


def _report(args: argparse.Namespace, evaluation: "Evaluation") -> None:
    if args.json:
        print(json.dumps(dict(evaluation.to_dict(), model=args.model, results=args.results,
                              annotations=args.annotations), indent=2))
        return
    print("%s: %d images, %d people labelled, %d found" % (args.model or args.results, evaluation.images,
                                                          evaluation.labelled, evaluation.found))
    print("  ".join("%s %.4f" % item for item in evaluation.statistics.items()))
    if args.quiet:
        return
    for errors in evaluation.worst[:3]:
        print("worst: image %d, %d missed, %d false" % (errors.image_id, errors.missed, errors.false))


# The other protocols of the papers are entries here.
PROTOCOLS: Dict[str, Callable[[argparse.Namespace], int]] = {"coco": _coco}


if __name__ == "__main__":
    sys.exit(main())
