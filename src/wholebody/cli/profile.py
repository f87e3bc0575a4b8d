"""profile-engine: how fast a model is here: engine alone, whole pipeline, camera to result."""
import argparse
import json
import re
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from wholebody.cli.frame import OK, REFUSED, Parser, run_command
from wholebody.cli.part_flags import add_parts, part_options
from wholebody.cli.topdown_flags import add_topdown, topdown_options
from wholebody.cli.values import part_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from wholebody.runtime.geometry import Resolution
    from wholebody.runtime.profile import Change, Sweep
    from wholebody.runtime.profile.history import Trend

STDOUT = "-"


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of profile-engine."""
    return run_command(_parser(), _run, argv)


def _parser() -> Parser:
    parser = Parser(prog="profile-engine",
                    description="Measure a model here: its network alone, the whole pipeline, and from a camera to the "
                                "result; stage by stage and for numbers of people, with spread, heat, power and "
                                "memory. Exit code 3 where --compare finds a regression.")
    model = parser.add_argument_group("network")
    model.add_argument("model", metavar="MODEL", nargs="?",
                       help="a model with a card, or a bundle folder; without one the network that comes along")
    model.add_argument("--net-resolution", metavar="WxH", default="", help="size of the network's input")
    model.add_argument("--threads", type=_number, default=0, metavar="N", help="CPU threads; 0 takes every core")
    model.add_argument("--decoding", choices=("exact", "fast"), default="exact", help="as in wb-run")
    model.add_argument("--decoder", choices=("auto", "cuda", "native", "numpy"), default="auto", help="as in wb-run")
    model.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp16",
                       help="of a TensorRT engine: what to expect of it")
    add_topdown(parser)
    add_parts(parser)
    how = parser.add_argument_group("measuring")
    how.add_argument("--picture", metavar="FILE", help="what is looked at (default: ten drawn people)")
    how.add_argument("--seconds", type=_positive, default=20.0, metavar="S",
                     help="altogether, about; it ends sooner once the medians are known to 1 %%")
    how.add_argument("--fps", type=_positive, default=30.0, metavar="N", help="of the camera that is played")
    how.add_argument("--people", type=_numbers, default=(1, 5, 10, 20, 50), metavar="N,N",
                     help="sizes of drawn crowds (default: 1,5,10,20,50)")
    how.add_argument("--in-flight", type=_lanes, default=3, metavar="N", help="frames on their way at the same time")
    how.add_argument("--sweep", action="store_true",
                     help="also batches and sizes of the input against each other; takes half of --seconds more")
    how.add_argument("--batches", type=_numbers, metavar="N,N", help="of the sweep (default: 1,2,4)")
    how.add_argument("--resolutions", type=_resolutions, metavar="WxH,WxH",
                     help="of the sweep (default: the usual one, three quarters and half of its sides)")
    how.add_argument("--from", metavar="FILE.json", dest="source",
                     help="measure nothing: show or compare what an earlier run wrote; of a folder the newest")
    output = parser.add_argument_group("output")
    output.add_argument("--report", metavar="FILE.html", help="one page with charts, which needs nothing beside it")
    output.add_argument("--json", metavar="FILE", help="all of it, as profile.schema.json describes it; - for stdout")
    output.add_argument("--markdown", action="store_true", help="print Markdown, for a pull request")
    output.add_argument("--overwrite", action="store_true", help="replace files that exist")
    output.add_argument("--compare", metavar="OLD.json", help="say what became faster or slower since then")
    output.add_argument("--history", metavar="FOLDER", help="also the trend of the profiles there")
    output.add_argument("--tolerance", type=part_of, default=0.05, metavar="X",
                        help="with --compare: exit with 3 where one of the three figures is slower by more than this")
    return parser


def _run(args: argparse.Namespace) -> int:
    from wholebody.files import check_free, write_text
    from wholebody.runtime.profile import compare_profiles, read_profile, regressions
    from wholebody.runtime.profile.history import read_folder, trends
    from wholebody.runtime.profile.page import page
    to_file = args.json if args.json != STDOUT else None
    for path in (to_file, args.report):
        if path:
            check_free(path, args.overwrite)
    old = read_profile(args.compare) if args.compare else None  # before long work
    kept, others = read_folder(args.history) if args.history else ([], [])
    told = _kept(args.source) if args.source else _measure(args)
    found = trends(kept, told) if kept else []
    changes = compare_profiles(old, told) if old else []
    if to_file:
        write_text(to_file, json.dumps(told, indent=1) + "\n", args.overwrite)
    if args.report:
        write_text(args.report, page(told, changes, found), args.overwrite)
    _print(args, told, old, changes)
    _print_trends(args, found, others)
    worse = regressions(changes, args.tolerance)
    for change in worse:
        sys.stderr.write("profile-engine: regression: %s is %.1f %% slower, tolerance %.1f %%\n"
                         % (change.what, 100 * change.worse_by, 100 * args.tolerance))
    return REFUSED if worse else OK


def _kept(path: str) -> Dict[str, Any]:
    import os

    from wholebody.runtime.profile import read_profile
    from wholebody.runtime.profile.history import read_folder
    return read_folder(path)[0][-1][1] if os.path.isdir(path) else read_profile(path)


def _measure(args: argparse.Namespace) -> Dict[str, Any]:
    from wholebody.default_model import default_model_path
    from wholebody.runtime.profile import ProfileOptions, profile_model
    options = ProfileOptions(args.seconds, args.fps, args.people, args.in_flight, args.precision, _sweep(args))

    def on_step(step: str) -> None:
        if not args.quiet:
            sys.stderr.write("profile-engine: %s\n" % step)

    return profile_model(args.model or default_model_path(), _picture(args.picture), options, on_step,
                         net_resolution=args.net_resolution, threads=args.threads, decoding=args.decoding,
                         decoder=args.decoder, **dict(topdown_options(args), **part_options(args)))


def _sweep(args: argparse.Namespace) -> "Optional[Sweep]":
    from wholebody.runtime.profile import Sweep
    if not (args.sweep or args.batches or args.resolutions):
        return None
    return Sweep(args.batches or Sweep().batches, args.resolutions or ())


def _picture(path: Optional[str]) -> "npt.NDArray[np.uint8]":
    import os

    import wholebody
    from wholebody.runtime.sources import open_source
    own = os.path.join(os.path.dirname(wholebody.__file__), "data", "gate", "drawn_10.jpg")
    with open_source(path or own) as source:
        return next(iter(source)).image


def _print(args: argparse.Namespace, told: Dict[str, Any], old: Optional[Dict[str, Any]],
           changes: "Sequence[Change]") -> None:
    from wholebody.runtime.profile import words
    from wholebody.runtime.profile.comparing import differences_in_kind
    if args.json == STDOUT:
        print(json.dumps(dict(told, changes=[change._asdict() for change in changes]) if old else told, indent=1))
        return
    if args.quiet:
        return
    print(words.markdown(told, changes) if args.markdown else words.terminal(told))
    if old is not None and not args.markdown:
        print("\n" + words.compared(changes))
    for line in differences_in_kind(old, told) if old else []:
        print("%snot the same: %s" % ("- " if args.markdown else "", line))


def _print_trends(args: argparse.Namespace, found: "Sequence[Trend]", others: Sequence[str]) -> None:
    from wholebody.runtime.profile import words
    if args.quiet or args.json == STDOUT or not found:
        return
    print(words.of_trends(found, args.markdown))
    if others:
        sys.stderr.write("profile-engine: no profiles of this version: %s\n" % ", ".join(others))


def _number(text: str) -> int:
    if not re.match(r"[0-9]{1,3}$", text):
        raise argparse.ArgumentTypeError("expected a whole number from 0 to 999, got %r" % text)
    return int(text)


def _lanes(text: str) -> int:
    if not re.match(r"[1-9][0-9]?$", text):
        raise argparse.ArgumentTypeError("expected a number from 1 to 99, got %r" % text)
    return int(text)


def _positive(text: str) -> float:
    if not re.match(r"[0-9]{1,5}(\.[0-9]{1,3})?$", text) or not float(text):
        raise argparse.ArgumentTypeError("expected a number above 0, got %r" % text)
    return float(text)


def _resolutions(text: str) -> "Tuple[Resolution, ...]":
    from wholebody.errors import ShapeError
    from wholebody.runtime.geometry import Resolution
    try:
        return tuple(Resolution.parse(part) for part in text.split(","))
    except ShapeError as error:
        raise argparse.ArgumentTypeError(str(error))


def _numbers(text: str) -> Tuple[int, ...]:
    if not re.match(r"[1-9][0-9]{0,2}(,[1-9][0-9]{0,2})*$", text):
        raise argparse.ArgumentTypeError("expected numbers such as 1,5,10,20, got %r" % text)
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
