"""What wb-eval and wb-eval compare share: the flags of a model, and running it over labelled images."""
import argparse
import contextlib
import json
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any, Dict, Iterator, Tuple

from wholebody.cli.part_flags import add_parts, part_options
from wholebody.cli.topdown_flags import add_topdown, topdown_options
from wholebody.errors import EvaluationError

if TYPE_CHECKING:
    from wholebody.calibration.protocols.base import Protocol, Truth
    from wholebody.calibration.running import AnnotatedImages
    from wholebody.runtime.lane import StagedEstimator

# The protocols of the papers: name -> module of wholebody.calibration.protocols, which is imported when one is chosen.
PROTOCOLS: Dict[str, str] = {
    "coco": "coco",
    "coco-wholebody": "wholebody",
    "face": "face",
    "foot": "foot",
    "halpe": "halpe",
    "halpe-26": "halpe26",
    "hand": "hand",
    "mpii": "mpii",
    "mpii-multi": "mpii_multi",
    "posetrack": "posetrack",
}


def add_network(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say how a model runs."""
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
    add_parts(parser)


def open_chosen(args: argparse.Namespace) -> "Protocol":
    """The protocol that --protocol names."""
    from wholebody.calibration.protocols import open_protocol
    return open_protocol(PROTOCOLS[args.protocol])


def run_model(args: argparse.Namespace, model: str, protocol: "Protocol", truth: "Truth", images: "AnnotatedImages",
              results: pathlib.Path) -> int:
    """Writes what the model finds; how many images could not be read."""
    from wholebody.calibration.running import run_into
    from wholebody.cli.progress import Progress
    with _labelled_boxes(args, protocol, truth) as boxes, _open(args, model, boxes) as estimate:
        progress = Progress(images.length, args.quiet)
        try:
            return len(run_into(estimate, images, protocol.sink(results, truth), progress).problems)
        finally:
            progress.done()


@contextlib.contextmanager
def _labelled_boxes(args: argparse.Namespace, protocol: "Protocol", truth: "Truth") -> Iterator[str]:
    """What --gt-boxes asks for: a file with the boxes of the labels; no name without it."""
    boxes = protocol.boxes(truth) if args.gt_boxes else None
    if boxes is None:
        yield args.annotations if args.gt_boxes else ""
        return
    with tempfile.TemporaryDirectory(prefix="wholebody-eval-") as scratch:
        path = pathlib.Path(scratch) / "boxes.json"
        path.write_text(json.dumps(boxes))
        yield str(path)


def _open(args: argparse.Namespace, model: str, boxes: str) -> "StagedEstimator":
    from wholebody.calibration.averaging import AveragedEstimator
    from wholebody.engines.opening import OpenOptions, open_engine
    from wholebody.runtime.parts.opening import open_whole
    if (args.face or args.hands) and (args.flip or args.scales != (1.0,)):
        raise EvaluationError("--flip and --scales are for one network: leave --face and --hands out")
    engine = open_engine(model, OpenOptions(args.threads)) if args.flip or args.scales != (1.0,) else None
    if engine is not None and engine.card and any(head.kind == "paf" for head in engine.card.heads):
        try:
            return AveragedEstimator(engine, args.net_resolution, args.scales, args.flip)
        except BaseException:
            engine.close()
            raise
    if engine is not None:
        engine.close()
        if args.scales != (1.0,):
            raise EvaluationError("%s: --scales is for networks that see whole frames" % model)
    options: Dict[str, Any] = dict(topdown_options(args), **part_options(args))
    if boxes:
        options["boxes"] = boxes
    return open_whole(model, net_resolution=args.net_resolution, threads=args.threads, flip=args.flip, **options)


def _scales(text: str) -> Tuple[float, ...]:
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = ()
    if not scales or not all(0.1 <= scale <= 4 for scale in scales):
        raise argparse.ArgumentTypeError("expected scales from 0.1 to 4, such as 0.5,1,1.5, got %r" % text)
    return scales
