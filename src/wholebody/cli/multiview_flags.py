"""The flags of wb-run that concern several calibrated cameras."""
import argparse
import re
from typing import TYPE_CHECKING, Optional, Sequence

if TYPE_CHECKING:
    from wholebody.runtime.multiview import Rig
    from wholebody.runtime.multiview.moments import Moments
    from wholebody.runtime.sources import Source


def add_multiview(parser: argparse.ArgumentParser) -> None:
    """Adds their group."""
    group = parser.add_argument_group("several calibrated cameras")
    group.add_argument("--cameras", metavar="DIR",
                       help="their files, one .xml each (see wb-cameras); in the order of their names they belong to "
                            "the --source flags")
    group.add_argument("--json-3d", metavar="WHERE", action="append", default=[],
                       help="people in three dimensions: FILE.jsonl has a line a moment, - (also without this flag) "
                            "is stdout, a folder gets OpenPose JSON")
    group.add_argument("--least-views", type=_views, default=0, metavar="N",
                       help="cameras that must see a point; 0 is all but one, of two to four")
    group.add_argument("--apart", type=_milliseconds, default=20.0, metavar="MS",
                       help="frames of live cameras taken within so many milliseconds are one moment")


def read_rig(args: argparse.Namespace) -> "Optional[Rig]":
    """The cameras, of which each has a --source; None where nobody asked for them."""
    from wholebody.errors import CameraError
    if args.cameras is None:
        if args.json_3d:
            raise CameraError("--json-3d needs to know where the cameras stand; add --cameras DIR (see wb-cameras)")
        return None
    args.json_3d = args.json_3d or ["-"]
    from wholebody.runtime.multiview import Rig, TriangulationOptions, read_cameras
    cameras = read_cameras(args.cameras)
    names = ", ".join(camera.name for camera in cameras)
    if len(args.source) != len(cameras):
        raise CameraError("%s holds %d cameras (%s), and %d sources were given; give a --source for each, in that order"
                          % (args.cameras, len(cameras), names, len(args.source)))
    if args.least_views > len(cameras):
        raise CameraError("--least-views %d: there are %d cameras (%s)" % (args.least_views, len(cameras), names))
    return Rig(cameras, TriangulationOptions(least_views=args.least_views))


def open_moments(args: argparse.Namespace, rig: "Optional[Rig]", sources: "Sequence[Source]") -> "Optional[Moments]":
    """What brings the sources' results together, where there are cameras."""
    if rig is None:
        return None
    from wholebody.runtime.multiview.moments import Moments
    from wholebody.runtime.multiview.writing import make_sinks
    return Moments(rig, make_sinks(args.json_3d, args.overwrite), sources[0].live, args.apart / 1e3)


def _views(text: str) -> int:
    if not re.match(r"(0|[2-9]|[1-9][0-9])$", text):
        raise argparse.ArgumentTypeError("expected 0 or a number of cameras from 2 to 99, got %r" % text)
    return int(text)


def _milliseconds(text: str) -> float:
    if not re.match(r"[0-9]{1,5}(\.[0-9]+)?$", text):
        raise argparse.ArgumentTypeError("expected a number of milliseconds, got %r" % text)
    return float(text)
