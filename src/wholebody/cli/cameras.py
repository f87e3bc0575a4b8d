"""wb-cameras: calibrates several cameras with a checkerboard, and says where they stand."""
import argparse
import json
import pathlib
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from wholebody.cli.frame import OK, REFUSED, Parser, run_command

if TYPE_CHECKING:
    from wholebody.runtime.multiview.board import Board

_GOOD = 1.0  # pixels: a camera that is further off does not fit its own pictures


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of wb-cameras."""
    return run_command(_parser(), lambda args: int(args.action(args)), argv)


def _parser() -> Parser:
    parser = Parser(prog="wb-cameras", description="Calibrate cameras that look at the same people: for wb-run.")
    commands = parser.commands()
    calibrate = commands.add_parser("calibrate", help="from pictures of a checkerboard, taken by all at the same time")
    calibrate.add_argument("--board", metavar="9x6", required=True, help="its inner corners, across and down")
    calibrate.add_argument("--square", metavar="METRES", type=float, required=True, help="the side of a square")
    calibrate.add_argument("--view", metavar="PATH", action="append", required=True,
                           help="a folder of pictures or a video of each camera; the first of each were taken at the "
                                "same time, then the second, and so on. The folder or file gives the camera its name")
    calibrate.add_argument("--every", type=int, default=1, metavar="N", help="look at every Nth frame of videos")
    calibrate.add_argument("-o", "--output", metavar="DIR", required=True, help="a folder for one .xml a camera")
    calibrate.add_argument("--overwrite", action="store_true", help="replace files that exist")
    calibrate.set_defaults(action=_calibrate, parser=calibrate)
    show = commands.add_parser("show", help="where cameras stand, and how they see")
    show.add_argument("folder", metavar="DIR", help="what calibrate, or OpenPose, has written")
    show.add_argument("--json", action="store_true", help="as JSON")
    show.set_defaults(action=_show, parser=show)
    return parser


def _calibrate(args: argparse.Namespace) -> int:
    from wholebody.errors import CameraError
    from wholebody.files import check_free, claim_folder
    from wholebody.runtime.multiview.board import Board
    from wholebody.runtime.multiview.calibration import calibrate
    from wholebody.runtime.multiview.cameras import write_camera
    board = Board.parse(args.board, args.square)
    names = [pathlib.Path(view).stem for view in args.view]
    if len(set(names)) != len(names) or len(names) < 2:
        raise CameraError("--view: expected two or more with names of their own, got %s" % ", ".join(names))
    if names != sorted(names):
        raise CameraError("--view: cameras are read back in the order of their names: give %s"
                          % ", ".join(sorted(names)))
    folder = claim_folder(args.output)
    for name in names:
        check_free(folder / (name + ".xml"), args.overwrite)
    sizes, seen = zip(*[_corners(view, board, max(args.every, 1), args.quiet) for view in args.view])
    moments = max(map(len, seen))
    padded = [corners + [None] * (moments - len(corners)) for corners in seen]
    found = calibrate(names, sizes, padded, board)
    for camera, error, used in zip(found.cameras, found.errors, found.used):
        write_camera(folder, camera, args.overwrite)
        print("%s: %d of %d pictures, %.3f pixels off%s"
              % (camera.name, used, moments, error, "" if error < _GOOD else
                 ": too much; is the board flat, are --board and --square right, were pictures taken at one time?"))
    return OK if max(found.errors) < _GOOD else REFUSED


def _corners(view: str, board: "Board", every: int, quiet: bool) -> "Tuple[Tuple[int, int], List[Any]]":
    """The size of a camera's pictures, and the board's corners in each."""
    from wholebody.errors import CameraError
    from wholebody.runtime.multiview.board import find_corners
    from wholebody.runtime.sources import open_source
    size: Optional[Tuple[int, int]] = None
    corners: List[Any] = []
    with open_source(view) as source:
        for frame in source:
            if frame.index % every:
                continue
            height, width = frame.image.shape[:2]
            if size is not None and size != (width, height):
                raise CameraError("%s: pictures of %dx%d and %dx%d" % ((view,) + size + (width, height)))
            size = (width, height)
            corners += [None] * (frame.index // every - len(corners))  # pictures that could not be read
            corners.append(find_corners(frame.image, board))
            if not quiet:
                sys.stderr.write("\r%s: board in %d of %d pictures" % (view, sum(c is not None for c in corners),
                                                                       len(corners)))
    if not quiet:
        sys.stderr.write("\n")
    if size is None:
        raise CameraError("%s: no pictures" % view)
    return size, corners


def _show(args: argparse.Namespace) -> int:
    from wholebody.runtime.multiview.cameras import read_cameras
    rows: List[Dict[str, Any]] = []
    for camera in read_cameras(args.folder):
        rows.append({"name": camera.name, "centre": [round(float(x), 4) for x in camera.centre],
                     "focal": [round(float(camera.intrinsics[i, i]), 2) for i in (0, 1)],
                     "size": camera.size, "distortion": [round(float(x), 5) for x in camera.distortion]})
    if args.json:
        print(json.dumps(rows, indent=2))
        return OK
    for row in rows:
        print("%s: at %.3f, %.3f, %.3f m; focal length %.1f, %.1f pixels%s"
              % ((row["name"],) + tuple(row["centre"]) + tuple(row["focal"])
                 + (" of %dx%d" % row["size"] if row["size"] else "",)))
    return OK


if __name__ == "__main__":
    sys.exit(main())
