"""wb-export bundle: a folder for a board, which does only the last step of the build there."""
import argparse
import json
import sys

from wholebody.cli.frame import OK, Parser
from wholebody.cli.values import part_of, size_of
from wholebody.errors import MissingPackage


def add_bundle(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the subcommand."""
    bundle = commands.add_parser(
        "bundle", help="make a folder for a board: network, gate, device side, native library",
        description="Make a folder with the network, pictures and what the FP32 network finds in them, the device "
                    "side's Python and the native library for aarch64. Copy it to the board; ./run there builds the "
                    "engine, checks that it finds the same people, and starts wb-run. The board needs its own "
                    "Python (3.6 or later), NumPy, OpenCV, and TensorRT or ONNX Runtime.")
    bundle.set_defaults(run=_bundle, parser=bundle)
    bundle.add_argument("model", metavar="MODEL.onnx", nargs="?",
                        help="a network with a card; without one wholebody-lite, which comes along")
    bundle.add_argument("--board", metavar="NAME", required=True, help="the board it is for, such as tx2 or orin-nx")
    bundle.add_argument("-o", "--output", metavar="FOLDER", required=True, help="the folder to make")
    _add_engine(bundle.add_argument_group("engine"))
    _add_gate(bundle.add_argument_group("gate"))
    people = bundle.add_argument_group("networks that see one person at a time")
    people.add_argument("--detector", metavar="MODEL.onnx", default="", help="a network that finds people's boxes")
    people.add_argument("--whole-frame", action="store_true", help="one person fills the frame")
    bundle.add_argument("--json", action="store_true", help="print what was made as JSON")
    bundle.add_argument("--overwrite", action="store_true", help="replace the bundle where it exists")


def _add_engine(group: "argparse._ArgumentGroup") -> None:
    one = group.add_mutually_exclusive_group()
    for name in ("fp32", "fp16", "int8"):
        one.add_argument("--" + name, dest="precision", action="store_const", const=name, default="fp16",
                         help="compute in %s%s" % (name.upper(), " (unless said otherwise)" if name == "fp16" else ""))
    group.add_argument("--size", metavar="WxH", type=size_of,
                       help="of the network's input (default: the card's at 16:9)")
    group.add_argument("--calibration", metavar="TABLE.json", default="", help="scales for --int8")
    group.add_argument("--timing-cache", metavar="FILE", default="",
                       help="times that TensorRT measured on such a board before: the build is faster")


def _add_gate(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--images", metavar="DIR", default="",
                       help="pictures with people, 8 of which are taken (default: drawn ones)")
    group.add_argument("--reference", metavar="FP32.onnx", default="",
                       help="the network in FP32, where MODEL.onnx is not")
    group.add_argument("--least-agreement", metavar="PART", type=part_of, default=0.95,
                       help="with the FP32 network's keypoints, 0 to 1, for the board to go on")


def _bundle(args: argparse.Namespace) -> int:
    if sys.version_info < (3, 10):
        raise MissingPackage("wb-export bundle needs Python 3.10 or later: make the bundle on a desktop machine, and "
                             "copy it to the board")
    if args.calibration and args.precision != "int8":
        args.parser.error("--calibration goes with --int8")
    from wholebody.default_model import default_model_path
    from wholebody.export.bundle import BundleOptions, make_bundle

    def say(line: str) -> None:
        if not args.quiet:
            sys.stderr.write("wb-export: %s\n" % line)

    names = ("board", "precision", "size", "calibration", "timing_cache", "images", "reference", "least_agreement",
             "detector", "whole_frame", "overwrite")
    options = BundleOptions(**{name: getattr(args, name) for name in names})
    made = make_bundle(args.model or default_model_path(), args.output, options, say)
    if args.json:
        print(json.dumps({"folder": args.output, "board": made.bundle.board, "engine": made.bundle.engine,
                          "bytes": made.bytes, "files": len(made.bundle.files), "native": bool(made.bundle.native),
                          "gate": {"pictures": made.pictures, "people": made.people,
                                   "least_agreement": made.bundle.least_agreement}, "notes": made.notes}, indent=2))
        return OK
    print("wrote %s (%.1f MB): %s for %s; gate: %d people in %d pictures, agreement of %.2f or more; native library: %s"
          % (args.output, made.bytes / 1e6, made.bundle.spec.precision.upper(), made.bundle.board, made.people,
             made.pictures, made.bundle.least_agreement, "for aarch64" if made.bundle.native else "compiled there"))
    for note in made.notes:
        print("Note: " + note)
    print("Next: scp -r %s BOARD: && ssh BOARD %s/run --source clip.mp4 --json out"
          % (args.output, args.output.rstrip("/").split("/")[-1]))
    return OK
