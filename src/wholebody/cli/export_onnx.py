"""wb-export onnx: a training checkpoint becomes an ONNX file with its card inside."""
import argparse
import re
import sys
from typing import Optional, Tuple

from wholebody.cli.frame import OK, Parser
from wholebody.errors import MissingPackage


def add_onnx(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the subcommand."""
    onnx = commands.add_parser(
        "onnx", help="turn a training checkpoint into an ONNX file",
        description="Turn a training checkpoint (.caffemodel, .pth, .safetensors, Keras .h5) of a known network into "
                    "an ONNX file with its card inside. The network is told from the checkpoint's own tensors; nothing "
                    "in the checkpoint is run.")
    onnx.set_defaults(run=_onnx, parser=onnx)
    onnx.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", help="the weights")
    onnx.add_argument("-o", "--output", metavar="MODEL.onnx", help="where to write the network")
    network = onnx.add_argument_group("network")
    network.add_argument("--arch", metavar="NAME", help="which network it is (--list), where the file leaves a choice")
    network.add_argument("--refinements", type=int, choices=(1, 2, 3), metavar="N",
                         help="of lightweight-OpenPose: keep the first N refinement stages; 1 is what its authors run")
    network.add_argument("--skeleton", metavar="NAME",
                         help="of a top-down network, where their number does not tell: known keypoints or a .json")
    network.add_argument("--head", choices=("heatmap", "integral", "combined"),
                         help="how the maps of a top-down network were trained (default: as its authors publish it)")
    network.add_argument("--preset", metavar="NAME",
                         help="another card than the network's own (wb-export card --list): alphapose for an HRNet "
                              "that AlphaPose trained")
    network.add_argument("--list", action="store_true", help="list the known networks")
    shape = onnx.add_argument_group("input")
    shape.add_argument("--size", metavar="WxH", type=parse_size,
                       help="take pictures of this size only, such as 656x368; else any size")
    shape.add_argument("--batch", metavar="N", type=_batch, help="take this many pictures at once; else any number")
    shape.add_argument("--fold-input", action="store_true",
                       help="take pixels as they are, uint8 NHWC, and normalise them in the graph "
                            "(TensorRT 8.5 or later)")
    onnx.add_argument("--native-ops", action="store_true",
                      help="write deformable convolutions as ONNX's DeformConv (opset 19), which new ONNX Runtimes run "
                           "and TensorRT-RTX refuses, and ZoomNet's RoIAlign as RoiAlign, instead of as GridSample "
                           "(opset 16)")
    onnx.add_argument("--no-simplify", action="store_true", help="leave the graph as torch wrote it, without onnxsim")
    onnx.add_argument("--json", action="store_true", help="print the card as JSON")
    onnx.add_argument("--overwrite", action="store_true", help="replace MODEL.onnx where it exists")


def _onnx(args: argparse.Namespace) -> int:
    if sys.version_info < (3, 10):
        raise MissingPackage("wb-export onnx needs Python 3.10 or later and PyTorch: run it on a desktop machine, "
                             "and copy the ONNX file to the board")
    if args.list:
        return _list_networks()
    if args.checkpoint is None or not args.output:
        args.parser.error("expected CHECKPOINT -o MODEL.onnx, or --list")
    if args.refinements and args.arch:
        args.parser.error("--refinements N is --arch lightweight-openpose-N: give one of them")
    from wholebody.card import card_to_json
    from wholebody.files import check_free
    from wholebody.packages import require
    require("torch", "export")
    from wholebody.export.loading import load_network
    from wholebody.export.onnx_export import OnnxOptions, export_onnx, notes_on
    from wholebody.skeletons import get_skeleton
    check_free(args.output, args.overwrite)
    arch = "lightweight-openpose-%d" % args.refinements if args.refinements else args.arch
    loaded = load_network(args.checkpoint, arch, get_skeleton(args.skeleton) if args.skeleton else None)
    if not args.quiet:
        sys.stderr.write("%s is %s\n" % (args.checkpoint, loaded.architecture.name))
    options = OnnxOptions(args.size, args.batch, args.fold_input, not args.no_simplify, args.head, args.preset,
                          args.native_ops)
    card = export_onnx(loaded, args.output, options, args.checkpoint, args.overwrite)
    if args.json:
        print(card_to_json(card))
        return OK
    about = [card.name] + ([loaded.skeleton.name] if loaded.skeleton else [])
    if card.input.box_padding:
        about.append(" and ".join(dict.fromkeys(head.kind for head in card.heads)))
    print("wrote %s: %s" % (args.output, ", ".join(about)))
    for note in notes_on(loaded, options):
        print("Note: " + note)
    if card.input.crop is not None:
        print("Next: wb-run --engine BODY.onnx %s %s --source photo.jpg --overlay out"
              % ("--face" if card.input.crop.kind == "face" else "--hands", args.output))
    if args.batch in (None, 1) and any(head.kind == "paf" for head in card.heads):
        print("Next: wb-run --engine %s --source photo.jpg --overlay out" % args.output)
    elif any(head.kind == "embedding" for head in card.heads):
        print("Next: wb-run --source video.mp4 --track alphapose --looks %s --video out.mp4" % args.output)
    return OK


def _list_networks() -> int:
    from wholebody.packages import require
    require("torch", "export")
    from wholebody.export.networks.architectures import ARCHITECTURES
    for name, architecture in ARCHITECTURES.items():
        maps = ", ".join("%d %s" % (count, output) for output, count in architecture.channels)
        stride = " at stride %d" % architecture.stride if architecture.stride else ""
        others = ", and other keypoints" if architecture.variant else ""
        print("%-24s %-13s %s%s%s" % (name, architecture.skeleton, maps, stride, others))
    return OK


def parse_size(text: str) -> Optional[Tuple[int, int]]:
    """WxH as (height, width), for argparse."""
    found = re.match(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})$", text)
    if not found:
        raise argparse.ArgumentTypeError("expected WIDTHxHEIGHT such as 656x368, got %r" % text)
    return int(found.group(2)), int(found.group(1))


def _batch(text: str) -> int:
    if not re.match(r"[1-9]\d{0,3}$", text):
        raise argparse.ArgumentTypeError("expected a number of pictures from 1 to 9999, got %r" % text)
    return int(text)
