"""What every command shares: its parser, -v and -q, one line for an error, and the exit codes."""
import argparse
import contextlib
import difflib
import logging
import os
import re
import signal
import sys
import traceback
from typing import Any, Callable, Iterator, List, NoReturn, Optional

from wholebody import __version__
from wholebody.errors import WholebodyError

OK, RUN_ERROR, USAGE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130
_EXITS = "exit codes: 0 ok, 1 run error, 2 usage, 3 a gate or comparison said no, 130 Ctrl-C"


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of a flag that has one to show."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        silent = action.default in (None, "", False, argparse.SUPPRESS) or action.default == []
        return action.help if silent else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """argparse that answers a misspelt flag or command with the nearest one."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(epilog=_EXITS, formatter_class=_Formatter, allow_abbrev=False, **settings)
        self.add_argument("--version", action="version", version="wholebody " + __version__)
        # SUPPRESS: a subcommand's own default must not undo what stood before the subcommand.
        self.add_argument("-v", "--verbose", action="store_true", default=argparse.SUPPRESS,
                          help="say more, and show where an error came from")
        self.add_argument("-q", "--quiet", action="store_true", default=argparse.SUPPRESS,
                          help="say nothing but errors")

    def commands(self) -> "argparse._SubParsersAction[Parser]":
        """Where subcommands are added; one of them is required."""
        added = self.add_subparsers(dest="command", metavar="COMMAND")
        added.required = True  # an argument of add_subparsers only since Python 3.7
        return added

    def parse_args(self, args: Optional[List[str]] = None,  # type: ignore[override]
                   namespace: Optional[argparse.Namespace] = None) -> argparse.Namespace:
        known, extra = self.parse_known_args(_join_values(sys.argv[1:] if args is None else args), namespace)
        if extra:
            parser = getattr(known, "parser", self)
            parser.error("unknown argument %s%s" % (extra[0], parser.nearest(extra[0].split("=")[0])))
        return known

    def nearest(self, word: str) -> str:
        """; did you mean ...?"""
        flags = [flag for action in self._actions for flag in action.option_strings]
        close = difflib.get_close_matches(word, flags, 1)
        return "; did you mean %s?" % close[0] if close else "; see %s -h" % self.prog

    def error(self, message: str) -> NoReturn:
        """One line, exit 2."""
        sys.stderr.write("%s: error: %s\n" % (self.prog, message))
        sys.exit(USAGE)


def _join_values(args: List[str]) -> List[str]:
    """argparse takes -1x368 and -?live=1 for flags; joined to the flag before them they are values."""
    joined: List[str] = []
    for arg in args:
        if re.match(r"-1[xX]-?\d+$|-\?", arg) and joined and joined[-1].startswith("--"):
            joined[-1] += "=" + arg
        else:
            joined.append(arg)
    return joined


def run_command(parser: Parser, action: Callable[[argparse.Namespace], int], argv: Optional[List[str]] = None) -> int:
    """Parses, runs and returns the exit code; an error is one line on stderr."""
    args = parser.parse_args(argv)
    args.verbose, args.quiet = getattr(args, "verbose", False), getattr(args, "quiet", False)
    level = logging.DEBUG if args.verbose else logging.ERROR if args.quiet else logging.INFO
    try:
        with _logging_to_stderr(parser.prog, level), _sigterm_as_interrupt():
            code = action(args)
        sys.stdout.flush()  # here, where a full disk is still one line, and not when Python ends
        return code
    except KeyboardInterrupt:
        return _say(parser, "interrupted", INTERRUPTED, args.verbose)
    except BrokenPipeError:  # the reader of our output has gone: nobody to tell
        _forget_stdout()
        return RUN_ERROR
    except (WholebodyError, OSError) as error:
        _forget_stdout()
        return _say(parser, "error: %s" % error, RUN_ERROR, args.verbose)
    except MemoryError:
        return _say(parser, "error: out of memory; try a smaller --net-resolution", RUN_ERROR, args.verbose)
    except Exception as error:  # a fault of ours is one line too
        return _say(parser, "error: %s: %s; this is a fault of wholebody: run again with -v and report what it says"
                    % (type(error).__name__, error), RUN_ERROR, args.verbose)


@contextlib.contextmanager
def _logging_to_stderr(prog: str, level: int) -> Iterator[None]:
    """The library's log on stderr for as long as a command runs; afterwards all is as it was."""
    logger = logging.getLogger("wholebody")
    before = logger.handlers[:], logger.propagate, logger.level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(prog + ": %(message)s"))
    logger.handlers[:], logger.propagate = [handler], False
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before[:2]
        logger.setLevel(before[2])


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """What `docker stop` and `timeout` send ends a run as Ctrl-C does, so that unfinished files are removed."""
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # signals belong to the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _say(parser: Parser, message: str, code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exc()
    sys.stderr.write("%s: %s\n" % (parser.prog, " ".join(message.splitlines())))
    return code


def _forget_stdout() -> None:
    """What could not be written is not tried again when Python ends, with a second message and code 120."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # a stand-in for stdout may have no descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
