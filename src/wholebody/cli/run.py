"""wb-run: finds people in pictures, videos and what cameras see."""
import argparse
import contextlib
import json
import re
import sys
from typing import TYPE_CHECKING, List, Optional, Sequence, Union

from wholebody.cli.frame import INTERRUPTED, OK, REFUSED, RUN_ERROR, Parser, run_command
from wholebody.cli.multiview_flags import add_multiview, open_moments, read_rig
from wholebody.cli.part_flags import add_parts, part_options
from wholebody.cli.topdown_flags import add_topdown, topdown_options

if TYPE_CHECKING:
    from wholebody.runtime.pipeline import Summary
    from wholebody.runtime.sinks import Sink
    from wholebody.runtime.soak import SoakLog
    from wholebody.runtime.tracking import TrackOptions
    from wholebody.skeletons import Skeleton

STDOUT = "-"
IN_FLIGHT = 3  # as wholebody.runtime.pipeline.PipelineOptions has it
SCALES = ("input", "net", "output", "unit", "centred")
WAYS = ("oks", "alphapose", "poseflow")  # as wholebody.runtime.tracking has them
VARIANTS = ("body", "foot", "face", "hand21", "hand42")
MAPS = ("parts", "background", "pafs")


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of wb-run."""
    return run_command(_parser(), _run, argv)


def check_words(words: List[str]) -> None:
    """Ends with one line and exit code 2 where wb-run would not take these words: before long work that precedes it."""
    _parser().parse_args(words)


def _parser() -> Parser:
    parser = Parser(prog="wb-run", description="Find people in pictures, videos and what cameras see.")
    model = parser.add_argument_group("network")
    model.add_argument("--engine", metavar="MODEL",
                       help="a model with a card (see wb-export card); without it the network that comes along")
    model.add_argument("--net-resolution", metavar="WxH", type=_resolution, default="",
                       help="size of the network's input, such as 656x368; -1 follows the picture: -1x368")
    model.add_argument("--threads", type=_count, default=0, metavar="N", help="CPU threads; 0 takes every core")
    model.add_argument("--rebuild", action="store_true",
                       help="build a TensorRT engine again that does not fit this board, from the ONNX file beside it")
    model.add_argument("--trust", metavar="FILE", default="",
                       help="open no TensorRT engine whose sha256 is not in this list (as sha256sum writes it)")
    add_topdown(parser)
    add_parts(parser)
    source = parser.add_argument_group("input")
    source.add_argument("--source", metavar="PATH", required=True, action="append",
                        help="a picture, a folder, a video file, a camera (0, /dev/video0, csi://0), a stream "
                             "(rtsp://...) or - for stdin; several go through the network together, and each has its "
                             "results in a folder or file of its own: DIR/0-NAME, FILE-0-NAME.json")
    source.add_argument("--in-flight", type=_lanes, default=IN_FLIGHT, metavar="N",
                        help="frames on their way at the same time; 1 works on one after the other")
    source.add_argument("--limit", type=_frames, default=0, metavar="N", help="end well after N frames")
    source.add_argument("--duration", type=_seconds, default=0.0, metavar="S", help="end well after S seconds")
    source.add_argument("--reconnect", type=_seconds, default=60.0, metavar="S",
                        help="a camera that is lost is tried again for so many seconds")
    source.add_argument("--hold-fps", type=_rate, default=0.0, metavar="N",
                        help="rather than be slower than N frames a second make the network's input smaller, "
                             "then leave frames out; and go back when the board can")
    people = parser.add_argument_group("people")
    people.add_argument("--number-people-max", type=_people, default=-1, metavar="N",
                        help="keep the N best people; -1 keeps all")
    people.add_argument("--track", choices=WAYS, nargs="?", const=WAYS[0], default="",
                        help="the same number for the same person, frame after frame: by poses and boxes (oks, also "
                             "without a word), by AlphaPose's stages of looks and places, or by PoseFlow")
    people.add_argument("--looks", metavar="HOW", default="",
                        help="of --track alphapose: colours (of clothes), or a network that tells people apart")
    people.add_argument("--smooth", action="store_true", help="keypoints that do not tremble (One-Euro filter)")
    people.add_argument("--maximize-positives", action="store_true",
                        help="lower the thresholds: more people, more mistakes")
    people.add_argument("--decoding", choices=("exact", "fast"), default="exact",
                        help="exact is OpenPose's answer; fast takes half the time and places points by log-parabola")
    people.add_argument("--decoder", choices=("auto", "cuda", "native", "numpy"), default="auto",
                        help="what assembles people from the network's maps")
    _add_outputs(parser.add_argument_group("output"))
    add_multiview(parser)
    return parser


def _add_outputs(output: "argparse._ArgumentGroup") -> None:
    output.add_argument("--overlay", metavar="DIR", help="pictures with the people drawn in")
    output.add_argument("--video", metavar="FILE.mp4", help="an H.264 video with the people drawn in")
    output.add_argument("--json", metavar="DIR", nargs="?", const=STDOUT, action="append", default=[],
                        help="OpenPose JSON 1.3, one file a frame; without DIR: the summary of the run on stdout")
    output.add_argument("--json-keep", type=_size, default=0, metavar="SIZE",
                        help="of --json DIR: beyond 500M, 2G and so on the oldest files of this run go; 0 keeps all")
    output.add_argument("--mqtt", metavar="URL", help="a message a frame to a broker: mqtt://[user:password@]host/topic")
    output.add_argument("--json-lines", action="store_true", help="a line of JSON on stdout for every frame")
    output.add_argument("--coco", metavar="FILE.json", help="COCO keypoint results")
    output.add_argument("--coco-variants", metavar="WHICH", type=_variants, default="body",
                        help="some of %s: one file each, named FILE_foot.json and so on" % ",".join(VARIANTS))
    output.add_argument("--alphapose-json", metavar="FILE.json", help="AlphaPose's results file")
    output.add_argument("--alphapose-format", choices=("default", "cmu", "open"), default="default",
                        help="of --alphapose-json; cmu and open also write a file a frame into sep-json beside it")
    output.add_argument("--keypoint-scale", type=_scale, default="input", metavar="SCALE",
                        help="coordinates in OpenPose JSON: input (0), net (1), output (2), unit (3) or centred (4)")
    output.add_argument("--part-candidates", action="store_true",
                        help="add every peak before assembly to OpenPose JSON")
    output.add_argument("--write-heatmaps", metavar="DIR", help="the network's maps, one file a frame")
    output.add_argument("--heatmaps-add", metavar="WHICH", type=_which,
                        help="some of %s: what --write-heatmaps writes (default: all there are)" % ",".join(MAPS))
    output.add_argument("--heatmaps-format", choices=("png", "jpg", "float"), default="png",
                        help="of --write-heatmaps")
    output.add_argument("--heatmaps-scale", type=int, choices=(0, 1, 2, 3), default=2,
                        help="0: [-1, 1], 1: [0, 1], 2: 0 to 255, 3: as they are")
    output.add_argument("--web", metavar="HOST:PORT",
                        help="watch the run in a browser: pictures, people and figures, such as 127.0.0.1:8080")
    output.add_argument("--web-token", metavar="TOKEN",
                        help="of --web: let in only who knows it; needed where other machines can reach the address")
    output.add_argument("--soak", metavar="FILE.jsonl",
                        help="log memory, rate and latency every second; exit 3 when memory grows")
    output.add_argument("--overwrite", action="store_true", help="replace files that exist")


def _run(args: argparse.Namespace) -> int:
    from wholebody.cli.progress import LiveLine, Progress
    from wholebody.cli.run_outputs import check_outputs, make_sinks, web_address
    from wholebody.default_model import default_model_path
    from wholebody.runtime.live_status import LiveStatus
    from wholebody.runtime.parts.opening import open_whole
    from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds
    from wholebody.runtime.soak import SoakLog
    from wholebody.runtime.sources import open_source
    from wholebody.runtime.web import WebPreview
    if args.engine is None:
        args.engine = default_model_path()
    check_outputs(args)
    web = web_address(args)
    with contextlib.ExitStack() as stack:
        rig = read_rig(args)
        sources = [stack.enter_context(open_source(path, args.reconnect)) for path in args.source]
        estimate = stack.enter_context(open_whole(
            args.engine, net_resolution=args.net_resolution, threads=args.threads,
            number_people_max=args.number_people_max, decoder=args.decoder, decoding=args.decoding,
            maximize_positives=args.maximize_positives, trust=args.trust, rebuild=args.rebuild,
            keep_maps=bool(args.write_heatmaps), **dict(topdown_options(args), **part_options(args))))
        sinks = make_sinks(args, sources, estimate.skeleton.has_background)
        status = LiveStatus(sources)
        soak = SoakLog(args.soak, status, args.overwrite) if args.soak else None
        looked_at = sources[0].live or soak is not None or web is not None
        watchers: List[Sink] = ([status] if looked_at else []) + ([soak] if soak else [])
        if web is not None:
            preview = stack.enter_context(WebPreview(web, status, estimate.skeleton))
            sinks = [own + [sink] for own, sink in zip(sinks, preview.sinks)]
        moments = open_moments(args, rig, sources)
        if moments is not None:
            sinks = [own + [view] for own, view in zip(sinks, moments.views())]
        progress: Union[LiveLine, Progress] = LiveLine(status, args.quiet)
        if not sources[0].live:
            lengths = [source.length for source in sources if source.length is not None]
            progress = Progress(sum(lengths) if len(lengths) == len(sources) else None, args.quiet)
        options = PipelineOptions(args.keypoint_scale, args.part_candidates, args.in_flight, args.limit, args.duration,
                                  _tracking(args, stack, estimate.skeleton), args.hold_fps)
        try:
            summary = run_feeds([Feed(source, watchers + own) for source, own in zip(sources, sinks)], estimate,
                                options, progress)
        finally:
            progress.done()
    _report(args, summary, wrote_something=any(sinks) or soak is not None)
    if moments is not None and not args.quiet:
        sys.stderr.writelines(line + "\n" for line in moments.report())
    grows = soak is not None and _report_memory(soak)
    if summary.stopped:
        return INTERRUPTED
    if summary.problems:
        return RUN_ERROR
    return REFUSED if grows else OK


def _tracking(args: argparse.Namespace, stack: contextlib.ExitStack, skeleton: "Skeleton") -> "Optional[TrackOptions]":
    from wholebody.errors import CardError
    from wholebody.runtime.tracking import TrackOptions
    from wholebody.runtime.tracking.looks import open_appearance
    if args.looks and args.track != "alphapose":
        raise CardError("--looks is for --track alphapose")
    if not (args.track or args.smooth):
        return None
    looks = stack.enter_context(open_appearance(args.looks, skeleton, args.threads, args.trust)) if args.looks else None
    return TrackOptions(smooth=args.smooth, ids=bool(args.track), way=args.track or WAYS[0], appearance=looks)


def _report_memory(soak: "SoakLog") -> bool:
    """On stderr, whatever else is said: whether memory grew."""
    trend = soak.trend()
    sys.stderr.write((trend.line() if trend else "memory: the run was too short to tell a trend") + "\n")
    return trend is not None and trend.grows


def _report(args: argparse.Namespace, summary: "Summary", wrote_something: bool) -> None:
    if STDOUT in args.json:
        source = args.source[0] if len(args.source) == 1 else args.source
        print(json.dumps(dict(summary.to_dict(), engine=args.engine, source=source), indent=2, sort_keys=True))
        return
    if args.quiet or args.json_lines or STDOUT in args.json_3d:
        return
    stages = ", ".join("%s %.1f" % (stage, spread["p50"]) for stage, spread in summary.stage_ms.items())
    print("%s, %s in %d of them, %.1f frames/s; median ms: %s"
          % (_counted(summary.frames, "frame", "frames"), _counted(summary.people, "person", "people"),
             summary.frames_with_people, summary.frames / max(summary.seconds, 1e-9), stages))
    _report_flow(summary)
    _report_hold(summary)
    for one in summary.by_source:
        print("%s: %s, %s" % (one["source"], _counted(one["frames"], "frame", "frames"),
                              _counted(one["people"], "person", "people")))
    if summary.problems:
        print("%d could not be read: see above" % len(summary.problems))
    if not wrote_something and not args.json_3d:
        print("Nothing was written: add --overlay DIR, --json DIR, --coco FILE or --video FILE")


def _report_flow(summary: "Summary") -> None:
    """How old results were, what was dropped, and which stage the others waited for."""
    if not summary.frames:
        return
    busy = ["%s %.0f %%" % (name, 100 * seconds / max(summary.seconds, 1e-9))
            for name, seconds in sorted(summary.busy_seconds.items(), key=lambda item: -item[1])]
    latency = summary.latency_ms
    print("capture to result p50 %.1f, p95 %.1f, p99 %.1f ms; %d in flight, %d dropped; at work: %s"
          % (latency["p50"], latency["p95"], latency["p99"], summary.in_flight, summary.dropped, ", ".join(busy)))


def _report_hold(summary: "Summary") -> None:
    """At which levels frames were looked at."""
    if summary.hold is not None:
        levels = ", ".join("%d at %s" % (frames, level) for level, frames in summary.hold["frames"].items())
        print("held %g frames/s: %s; %d left out, %d changes"
              % (summary.hold["fps"], levels, summary.hold["skipped"], len(summary.hold["changes"])))


def _counted(number: int, one: str, many: str) -> str:
    return "%d %s" % (number, one if number == 1 else many)


def _count(text: str) -> int:
    if not re.match(r"[0-9]{1,3}$", text):
        raise argparse.ArgumentTypeError("expected a whole number from 0 to 999, got %r" % text)
    return int(text)


def _frames(text: str) -> int:
    if not re.match(r"[0-9]{1,9}$", text):
        raise argparse.ArgumentTypeError("expected a number of frames, got %r" % text)
    return int(text)


def _size(text: str) -> int:
    from wholebody.errors import OutputError
    from wholebody.runtime.sinks.rotation import parse_size
    try:
        return 0 if text == "0" else parse_size(text)
    except OutputError as error:
        raise argparse.ArgumentTypeError(str(error))


def _seconds(text: str) -> float:
    if not re.match(r"[0-9]{1,8}(\.[0-9]+)?$", text):
        raise argparse.ArgumentTypeError("expected a number of seconds, got %r" % text)
    return float(text)


def _lanes(text: str) -> int:
    if not re.match(r"[1-9][0-9]?$", text):
        raise argparse.ArgumentTypeError("expected a number from 1 to 99, got %r" % text)
    return int(text)


def _rate(text: str) -> float:
    if not re.match(r"\d{1,4}(\.\d{1,3})?$", text):
        raise argparse.ArgumentTypeError("expected a number of frames a second, got %r" % text)
    return float(text)


def _resolution(text: str) -> str:
    from wholebody.errors import ShapeError
    from wholebody.runtime.geometry import Resolution
    try:
        if text:  # empty is the card's own
            Resolution.parse(text)
    except ShapeError as error:
        raise argparse.ArgumentTypeError(str(error))
    return text


def _people(text: str) -> int:
    if not re.match(r"-1$|[1-9][0-9]{0,5}$", text):
        raise argparse.ArgumentTypeError("expected -1 (all) or a number of people, got %r" % text)
    return int(text)


def _scale(text: str) -> str:
    if re.match(r"[0-4]$", text):
        return SCALES[int(text)]
    if text not in SCALES:
        raise argparse.ArgumentTypeError("expected 0 to 4 or one of %s, got %r" % (", ".join(SCALES), text))
    return text


def _which(text: str) -> str:
    return _some_of(MAPS, text)


def _variants(text: str) -> str:
    return _some_of(VARIANTS, text)


def _some_of(known: Sequence[str], text: str) -> str:
    if set(text.split(",")) - set(known):
        raise argparse.ArgumentTypeError("expected some of %s, got %r" % (",".join(known), text))
    return text


if __name__ == "__main__":
    sys.exit(main())
