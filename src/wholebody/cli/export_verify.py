"""wb-export verify: does a model file give what its checkpoint gives?"""
import argparse
import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from wholebody.cli.export_onnx import parse_size
from wholebody.cli.export_stages import add_stages, check_prepared, verify_stages
from wholebody.cli.frame import OK, REFUSED, Parser
from wholebody.errors import MissingPackage

if TYPE_CHECKING:
    from wholebody.export.verification import Verification, VerifyOptions


def add_verify(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the subcommand."""
    verify = commands.add_parser(
        "verify", help="compare an ONNX file with its checkpoint, another ONNX file, or your own preprocessing",
        description="Run the checkpoint in PyTorch and the ONNX file in ONNX Runtime on the same random pictures and "
                    "compare what they give. Beyond the tolerance the exit code is 3, and the first node that does "
                    "something else is named. With --images all stages (checkpoint, ONNX, quantised ONNX, engine) are "
                    "compared on real pictures, from preprocessing to people.")
    verify.set_defaults(run=_verify, parser=verify)
    verify.add_argument("reference", metavar="CHECKPOINT", help="the weights it was made from, or another ONNX file")
    verify.add_argument("model", metavar="MODEL.onnx", nargs="?", help="the network to verify")
    verify.add_argument("stages", metavar="STAGE", nargs="*",
                        help="with --images: what was made of it, quantised ONNX files and engines")
    verify.add_argument("--arch", metavar="NAME", help="which network the checkpoint is "
                                                       "(default: the one that the card of MODEL.onnx names)")
    verify.add_argument("--preset", metavar="NAME", help="the --preset that a file with --fold-input was exported with")
    verify.add_argument("--tolerance", metavar="T", type=_tolerance, default=1e-4,
                        help="largest difference allowed, as a part of an output's range")
    pictures = verify.add_argument_group("pictures")
    pictures.add_argument("--size", metavar="WxH", type=parse_size, action="append", default=[],
                          help="run this size, such as 656x368; may be given again (default: a handful of small ones, "
                               "or the file's own)")
    pictures.add_argument("--inputs", metavar="N", type=_count, default=2, help="random pictures of each size")
    pictures.add_argument("--seed", metavar="N", type=_seed, default=0, help="where the random numbers start")
    add_stages(verify)
    verify.add_argument("--json", action="store_true", help="print it as JSON")


def _verify(args: argparse.Namespace) -> int:
    if sys.version_info < (3, 10):
        raise MissingPackage("wb-export verify needs Python 3.10 or later: run it on a desktop machine")
    from wholebody.packages import require
    for package in ("polygraphy", "onnx"):
        require(package, "export")
    if args.prepared:
        return check_prepared(args)
    if args.model is None:
        args.parser.error("the following arguments are required: MODEL.onnx; or --prepared FILE.npy --images PICTURE")
    if args.images:
        return verify_stages(args)
    if args.stages:
        args.parser.error("more than two stages are compared on pictures: --images DIR")
    from wholebody.export.verification import VerifyOptions
    result = _run(args, VerifyOptions(tuple(args.size), args.inputs, args.seed, args.tolerance, args.preset))
    if args.json:
        print(json.dumps(_report(args, result), indent=2))
    else:
        print("\n".join(_text(args, result)))
    return OK if result.passed else REFUSED


def _run(args: argparse.Namespace, options: "VerifyOptions") -> "Verification":
    from wholebody.packages import require
    if args.reference.lower().endswith(".onnx"):
        if args.arch:
            args.parser.error("--arch is for checkpoints; %s is a model file" % args.reference)
        from wholebody.export.verification import verify_models
        return verify_models(args.reference, args.model, options)
    require("torch", "export")
    from wholebody.export.checkpoint_verification import verify_checkpoint
    return verify_checkpoint(args.reference, args.model, args.arch, options)


def _report(args: argparse.Namespace, result: "Verification") -> Dict[str, Any]:
    rows = [{"output": row.output, "width": row.size[1], "height": row.size[0], "batch": row.batch,
             "max_error": _number(row.error), "relative_error": _number(row.relative), "passed": row.passed,
             "reason": row.reason or None} for row in result.rows]
    node = result.divergence
    return {
        "reference": args.reference, "model": args.model, "network": result.network, "tolerance": args.tolerance,
        "passed": result.passed, "rows": rows, "notes": list(result.notes),
        "diverging_node": node and {
            "name": node.name, "operator": node.operator, "index": node.index, "output": node.tensor,
            "module": node.module, "relative_error": _number(node.error), "differences": list(node.differences),
            "reference_name": node.reference_name, "reference_operator": node.reference_operator}}


def _number(value: float) -> Optional[float]:
    """JSON has no infinity: null is "no number"."""
    return value if math.isfinite(value) else None


def _text(args: argparse.Namespace, result: "Verification") -> List[str]:
    lines = ["%-16s %11s %6s %11s %11s" % ("output", "size", "batch", "max error", "of range")]
    for row in result.rows:
        lines.append("%-16s %11s %6d %11.2e %11.2e%s" % (
            row.output, "%dx%d" % (row.size[1], row.size[0]), row.batch, row.error, row.relative,
            "" if row.passed else "  beyond" + (": " + row.reason if row.reason else "")))
    lines += ["Note: " + note for note in result.notes]
    worst = max(row.relative for row in result.rows)
    if result.passed:
        return lines + ["%s gives what %s gives: at most %.1e of the range apart, %.1e allowed"
                        % (args.model, args.reference, worst, args.tolerance)]
    lines.append("%s does not give what %s gives: %.1e of the range apart, %.1e allowed"
                 % (args.model, args.reference, worst, args.tolerance))
    return lines + _blame(args, result)


def _blame(args: argparse.Namespace, result: "Verification") -> List[str]:
    node = result.divergence
    if node is None:
        lines = ["No single node could be found at fault"]
    else:
        off = ("%.1e of the range off" % node.error if math.isfinite(node.error)
               else "which gives another shape, or nothing,")
        lines = ["First node at fault: %s %s (node %d%s), %s when it is fed the right numbers"
                 % (node.operator, node.name or node.tensor, node.index,
                    ", module %s" % node.module if node.module else "", off)]
        lines += ["    " + difference for difference in node.differences]
    if result.network is not None:
        lines.append("Export it again: wb-export onnx %s -o %s --arch %s --overwrite"
                     % (args.reference, args.model, result.network))
    else:
        lines.append("What each holds: wb-export inspect %s" % args.model)
    return lines


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError("expected a number such as 1e-4, got %r" % text)
    return value


def _seed(text: str) -> int:
    if not re.match(r"\d{1,9}$", text):
        raise argparse.ArgumentTypeError("expected a whole number from 0, got %r" % text)
    return int(text)


def _count(text: str) -> int:
    if not re.match(r"[1-9]\d{0,2}$", text):
        raise argparse.ArgumentTypeError("expected a number from 1 to 999, got %r" % text)
    return int(text)
