"""The flags of wb-run and wb-eval that concern networks for one person at a time."""
import argparse
import re
from typing import Any, Dict

from wholebody.cli.values import part_of

POSE_NMS = ("oks", "soft-oks", "alphapose", "none")  # as wholebody.runtime.topdown.estimator has them
_NAMES = ("detector", "boxes", "whole_frame", "box_score", "box_overlap", "people_at_once", "pose_nms")


def add_topdown(parser: argparse.ArgumentParser) -> "argparse._MutuallyExclusiveGroup":
    """Adds their group; returns those that say where people are, of which one may be given."""
    group = parser.add_argument_group("networks that see one person at a time")
    where = group.add_mutually_exclusive_group()
    where.add_argument("--detector", metavar="MODEL", default="", help="a network that finds people's boxes")
    where.add_argument("--boxes", metavar="FILE.json", default="",
                       help="boxes from a file: COCO results or annotations")
    where.add_argument("--whole-frame", action="store_true", help="one person fills the frame")
    group.add_argument("--box-score", type=part_of, default=0.1, metavar="S", help="the least score of a box")
    group.add_argument("--box-overlap", type=part_of, default=0.6, metavar="S",
                       help="of two boxes that overlap by more (intersection over union) the lesser goes")
    group.add_argument("--people-at-once", type=_count, default=0, metavar="N",
                       help="through the network; 0 is as many as it takes, at most 16")
    group.add_argument("--pose-nms", choices=POSE_NMS, default="oks", help="how one person found twice is told")
    return where


def topdown_options(args: argparse.Namespace) -> Dict[str, Any]:
    """What these flags say."""
    return {name: getattr(args, name) for name in _NAMES}


def _count(text: str) -> int:
    if not re.match(r"[0-9]{1,3}$", text):
        raise argparse.ArgumentTypeError("expected a whole number from 0 to 999, got %r" % text)
    return int(text)
