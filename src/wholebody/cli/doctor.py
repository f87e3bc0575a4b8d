"""wb-doctor: what will go wrong on this machine, and the command that mends it."""
import argparse
import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, List, Optional

from wholebody.cli.frame import OK, REFUSED, Parser, run_command

if TYPE_CHECKING:
    from wholebody.jetson.findings import Finding

_USUAL = (368, 656)  # height and width that a network of any size is mostly built for
_SIGNS = {"ok": "ok  ", "look": "look", "mend": "MEND"}


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of wb-doctor."""
    parser = Parser(prog="wb-doctor", description="Look for what goes wrong in the field: one row each, with the "
                                                  "command that mends it. Exit code 3 when something must be mended.")
    parser.add_argument("--model", metavar="MODEL.onnx", help="ask whether an engine of it can be built here; without "
                                                              "it the network that comes along")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return run_command(parser, _run, argv)


def _run(args: argparse.Namespace) -> int:
    findings = examine(args.model)
    must = [finding for finding in findings if finding.state == "mend"]
    if args.json:
        print(json.dumps({"findings": [finding.to_dict() for finding in findings], "to_mend": len(must)}, indent=2))
    else:
        _print(findings, args.quiet)
    return REFUSED if must else OK


def examine(model: Optional[str] = None) -> "List[Finding]":
    """Every question, in the order in which the answers matter."""
    from wholebody.jetson import doctor_board as board_checks
    from wholebody.jetson import doctor_packages as packages
    from wholebody.jetson.identity import read_board
    board = read_board()
    tensorrt = packages.check_tensorrt(board.is_jetson)
    version = tensorrt.found if tensorrt.state == "ok" else None
    return [
        board_checks.check_board(board), packages.check_python(), packages.check_numpy(version), tensorrt,
        board_checks.check_cuda(board), packages.check_pycuda(board.is_jetson),
        packages.check_onnxruntime(board.is_jetson), packages.check_opencv(board.is_jetson), _check_decoder(),
        board_checks.check_gstreamer(board.is_jetson), board_checks.check_cameras(),
        board_checks.check_power(board.is_jetson), board_checks.check_heat(),
    ] + board_checks.check_memory() + [_check_build(model), board_checks.check_storage(os.getcwd()),
                                       board_checks.check_storage(tempfile.gettempdir())]


def _check_decoder() -> "Finding":
    """The native decoder, without which people are put together many times slower."""
    from wholebody.errors import ModelError
    from wholebody.jetson.findings import LOOK, Finding
    from wholebody.jetson.findings import OK as FINE
    from wholebody.runtime.native.library import HOW_TO_BUILD, load_library
    try:
        return Finding("Native decoder", FINE, str(load_library()._name))
    except ModelError as error:
        return Finding("Native decoder", LOOK, str(error), HOW_TO_BUILD)


def _check_build(model: Optional[str]) -> "Finding":
    """Memory for building an engine of this network, by the build's own estimate."""
    from wholebody.card import METADATA_KEY
    from wholebody.default_model import default_model_path
    from wholebody.engines.build_spec import BuildSpec
    from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
    from wholebody.engines.preflight import available_mb, choose_workspace, memory_need
    from wholebody.engines.shapes import input_shapes
    from wholebody.jetson.findings import LOOK, MEND, Finding
    from wholebody.jetson.findings import OK as FINE
    path = model or default_model_path()
    parsed = parse_onnx(read_bytes(path), path)
    card = card_of(parsed, path) if METADATA_KEY in parsed.metadata else None
    dynamic = not all(isinstance(side, int) for info in parsed.inputs for side in info.shape[1:])
    spec = BuildSpec(min_size=_USUAL, opt_size=_USUAL, max_size=_USUAL) if dynamic else BuildSpec()
    shapes = input_shapes(parsed.inputs, card, spec, path)
    need = memory_need(os.path.getsize(path), shapes, choose_workspace(spec, available_mb()), own_kernels=False)
    free = available_mb()
    if free is None:
        return Finding("Build", LOOK, "needs about %s; how much is free is not said" % (need,))
    text = "%s needs about %s, %d MB are free" % (os.path.basename(path), need, free)
    return Finding("Build", FINE if free >= need.total_mb else MEND, text,
                   "" if free >= need.total_mb else "wb-export build %s --workspace 64, or close other programs" % path)


def _print(findings: "List[Finding]", quiet: bool) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        if quiet and finding.state == "ok":
            continue
        print("%s  %-*s  %s" % (_SIGNS[finding.state], width, finding.name, finding.found))
        if finding.mend and finding.state != "ok":
            print("      %-*s  -> %s" % (width, "", finding.mend))
    must = sum(finding.state == "mend" for finding in findings)
    if not quiet:
        print("%d to mend" % must if must else "nothing must be mended")


if __name__ == "__main__":
    sys.exit(main())
