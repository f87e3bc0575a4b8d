"""./run of a bundle: makes it ready on its board and starts wb-run with the words that follow."""
import argparse
import sys
from typing import TYPE_CHECKING, List, Optional, Tuple

from wholebody.cli.frame import OK, REFUSED, Parser, run_command
from wholebody.cli.progress import BuildProgress

if TYPE_CHECKING:
    from wholebody.runtime.bundle.starting import Ready

_OURS, _BOTH = ("--again", "--ignore-gate", "-h", "--help", "--version"), ("-v", "--verbose", "-q", "--quiet")


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of a bundle's run."""
    ours, theirs = _split(sys.argv[1:] if argv is None else argv)
    parser = Parser(prog="run", description="Check this bundle, build its engine where none fits, ask its "
                                            "gate, and start wb-run with all further words (run --source FILE --help "
                                            "shows them). Without further words: only get ready.")
    parser.add_argument("folder", help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help="check all files and ask the gate again")
    parser.add_argument("--ignore-gate", action="store_true",
                        help="start even where the engine does not find what the FP32 network found")
    parser.set_defaults(more=theirs)
    return run_command(parser, _run, ours)


def _split(words: List[str]) -> Tuple[List[str], List[str]]:
    """The folder and our own flags, which come first; everything else is wb-run's, and how much to say is for both."""
    end = 1
    while end < len(words) and words[end] in _OURS + _BOTH:
        end += 1
    ours, theirs = words[:end], words[end:]
    return ours, [word for word in ours if word in _BOTH] + theirs if theirs else []


def _run(args: argparse.Namespace) -> int:
    from wholebody.packages import require
    require("numpy")
    from wholebody.cli import run
    from wholebody.runtime.bundle.starting import run_words, start_bundle
    if args.more:
        run.check_words(args.more)
    progress = BuildProgress(args.quiet)
    try:
        ready = start_bundle(args.folder, progress, args.again)
    finally:
        progress.done()
    if not args.quiet or not ready.passed:
        sys.stderr.write(_said(ready, args.folder))
    if not ready.passed and not args.ignore_gate:
        return REFUSED
    if not args.more:
        print("ready: %s/run --source clip.mp4 --json out" % args.folder)
        return OK
    return run.main(run_words(ready, args.more))


def _said(ready: "Ready", folder: str) -> str:
    """The gate's verdict in a line."""
    if ready.verdict is None:
        return ""
    line = "gate: agreement %.4f with the FP32 network" % ready.verdict.agreement
    if ready.passed:
        return line + "\n"
    return (line + ", too little; least in %s/gate/%s. Make the bundle with --fp32, or with --least-agreement; or "
            "start all the same with --ignore-gate\n" % (folder, ready.verdict.worst))


if __name__ == "__main__":
    sys.exit(main())
