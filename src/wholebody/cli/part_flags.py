"""The flags of wb-run and wb-eval that concern faces and hands by networks of their own."""
import argparse
import re
from typing import Any, Dict

WHOLE_BODIES = ("WHOLEBODY_133", "HALPE_136")  # as wholebody.runtime.parts.whole has them
_NAMES = ("face", "hands", "whole_body", "hand_scale_number", "hand_scale_range")


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Adds their group."""
    group = parser.add_argument_group("faces and hands by networks of their own, beside one for bodies")
    group.add_argument("--face", metavar="MODEL", default="", help="a network for one face, such as PFLD or OpenPose's")
    group.add_argument("--hands", metavar="MODEL", default="",
                       help="a network for one hand, such as MediaPipe's or OpenPose's")
    group.add_argument("--whole-body", choices=WHOLE_BODIES, default="",
                       help="the set of points to put them into (default: the points of all the networks)")
    group.add_argument("--hand-scale-number", type=_number, default=1, metavar="N",
                       help="look at each hand in N squares of different sizes and keep the surest answer")
    group.add_argument("--hand-scale-range", type=_range, default=0.4, metavar="R",
                       help="of --hand-scale-number: from 1 - R/2 to 1 + R/2 of the usual side")


def part_options(args: argparse.Namespace) -> Dict[str, Any]:
    """What these flags say."""
    return {name: getattr(args, name) for name in _NAMES}


def _number(text: str) -> int:
    if not re.match(r"([1-9]|1[0-6])$", text):
        raise argparse.ArgumentTypeError("expected a number from 1 to 16, got %r" % text)
    return int(text)


def _range(text: str) -> float:
    if not re.match(r"[01]?(\.[0-9]{1,6})?$", text) or text in ("", "."):
        raise argparse.ArgumentTypeError("expected a number from 0 to below 2, got %r" % text)
    return float(text)
