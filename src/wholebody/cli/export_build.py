"""wb-export build: an ONNX file or a checkpoint becomes a TensorRT engine with its manifest."""
import argparse
import pathlib
import re
import sys
from typing import TYPE_CHECKING, List, Optional, Tuple

from wholebody.cli.export_gate import add_gate, judge_engine, pass_build_gate
from wholebody.cli.frame import OK, REFUSED, Parser
from wholebody.cli.progress import BuildProgress
from wholebody.cli.topdown_flags import add_topdown
from wholebody.errors import MissingPackage

if TYPE_CHECKING:
    from wholebody.cli.export_gate import Gated
    from wholebody.engines.build_spec import BuildSpec
    from wholebody.engines.manifest import Manifest


def add_build(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the subcommand."""
    build = commands.add_parser(
        "build", help="build a TensorRT engine from an ONNX file or a checkpoint",
        description="Build a TensorRT engine (8.2 to 11) and its manifest, ENGINE.json, on the board that will run it. "
                    "An ONNX file needs TensorRT alone; a checkpoint needs PyTorch too and is exported first. "
                    "With --target rtx:8.6 a TensorRT-RTX engine for other GPUs is built, on any machine; with "
                    "-o NAME.onnx the network itself is written in FP16 or INT8.")
    build.set_defaults(run=_build, parser=build)
    build.add_argument("model", metavar="MODEL_OR_CHECKPOINT", nargs="?",
                       help="an ONNX file, or a checkpoint of a known network; without one wholebody-lite, which comes "
                            "along")
    build.add_argument("-o", "--output", metavar="MODEL.engine", required=True,
                       help="where to write the engine, or NAME.onnx for the network in that precision")
    build.add_argument("--arch", metavar="NAME", help="of a checkpoint: which network it is (wb-export onnx --list); "
                                                      "default, without a model, is wholebody-lite")
    _add_precision(build.add_argument_group("precision"))
    add_gate(build)
    add_topdown(build)
    _add_shape(build.add_argument_group("shape"))
    _add_builder(build.add_argument_group("builder"))
    build.add_argument("--ignore-memory", action="store_true", help="build even where memory looks too small")
    build.add_argument("--json", action="store_true", help="print the manifest as JSON")
    build.add_argument("--overwrite", action="store_true", help="replace the engine where it exists")


def _add_precision(group: "argparse._ArgumentGroup") -> None:
    one = group.add_mutually_exclusive_group(required=True)
    for name, text in (("fp32", "compute in FP32"), ("fp16", "compute in FP16"),
                       ("int8", "compute in INT8: a quantised graph, --calibration or --images")):
        one.add_argument("--" + name, dest="precision", action="store_const", const=name, help=text)
    group.add_argument("--calibration", metavar="TABLE.json", default="", help="ranges for --int8")
    group.add_argument("--keep-fp32", metavar="NODE", action="append", default=[],
                       help="keep this node in FP32; may be given several times")
    group.add_argument("--strongly-typed", action="store_true",
                       help="take precision from the graph also where TensorRT has flags for it (10.x)")


def _add_shape(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--size", metavar="WxH", type=_size, help="take pictures of this size only, such as 656x368")
    for name, text in (("min", "smallest size"), ("opt", "size to tune for"), ("max", "largest size")):
        group.add_argument("--%s-size" % name, metavar="WxH", type=_size, help="%s of a range" % text)
    group.add_argument("--batch", metavar="N", type=_count, help="take exactly this many pictures at once")
    group.add_argument("--max-batch", metavar="N", type=_count, help="take 1 to N pictures at once")


def _add_builder(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--workspace", metavar="MB", type=_count,
                       help="memory that TensorRT may try kernels in (default: a quarter of what is free)")
    group.add_argument("--optimization-level", metavar="N", type=int, choices=range(6),
                       help="0 builds fastest, 5 searches longest (TensorRT 8.6 on)")
    group.add_argument("--dla", metavar="N", type=int, help="run on this deep-learning accelerator")
    group.add_argument("--gpu-fallback", action="store_true", help="let the GPU do what the accelerator cannot")
    group.add_argument("--timing-cache", metavar="FILE", default="",
                       help="where measured times are kept (default: ~/.cache/wholebody, by board and version)")
    group.add_argument("--version-compatible", action="store_true",
                       help="also open in later versions of the same major TensorRT (8.6 on)")
    group.add_argument("--strip", action="store_true",
                       help="leave the weights out; they are read from the ONNX file beside the engine (10 on)")
    group.add_argument("--own-kernels", action="store_true",
                       help="do without cuBLAS and cuDNN, which take some hundred MB")
    group.add_argument("--target", metavar="rtx:SM[,SM]", default="",
                       help="build with TensorRT-RTX for desktop GPUs of these compute capabilities: rtx:8.6,8.9")


def _build(args: argparse.Namespace) -> int:
    from wholebody.engines.build_spec import check_spec
    from wholebody.engines.engine_pair import manifest_path
    from wholebody.files import check_target
    if not args.output.lower().endswith((".engine", ".onnx")):
        args.parser.error("-o %s: the name of an engine ends in .engine, that of a network in .onnx" % args.output)
    if args.images and args.precision != "int8":
        args.parser.error("--images goes with --int8")
    as_network = args.output.lower().endswith(".onnx")
    spec = _spec(args)
    check_spec(spec)
    for target in (args.output,) if as_network else (args.output, manifest_path(args.output)):
        check_target(target, args.overwrite)
    model = _onnx_of(args)
    gated = pass_build_gate(args, model, spec) if args.images else None
    if gated is not None:
        if not gated.report.passed:
            return REFUSED
        spec = spec._replace(calibration=gated.scales)
    return _write_network(args, model, spec) if as_network else _write_engine(args, model, spec, gated)


def _write_engine(args: argparse.Namespace, model: str, spec: "BuildSpec", gated: "Optional[Gated]") -> int:
    from wholebody.engines.build_process import BuildOptions, build_engine
    from wholebody.engines.engine_pair import remove_pair, write_accuracy
    from wholebody.engines.manifest import manifest_to_json
    progress = BuildProgress(args.quiet)
    try:
        if spec.precision == "fp16" and (spec.target or spec.strongly_typed):
            spec = _checked(model, spec, progress)
        manifest = build_engine(model, args.output, spec,
                                BuildOptions(args.overwrite, args.ignore_memory, args.verbose), progress,
                                accuracy=gated.report.to_dict() if gated else None)
        if gated is not None and not spec.target:
            notes: List[str] = []
            good, accuracy = judge_engine(gated, args.output, notes)
            progress("note", notes[-1])
            manifest = write_accuracy(args.output, manifest, accuracy)
            if not good:
                remove_pair(args.output)
                progress("note", "refused: the engine was removed. Build with --fp16")
                return REFUSED
    finally:
        progress.done()
    if args.json:
        print(manifest_to_json(manifest), end="")
    else:
        _report(args, manifest)
    return OK


def _write_network(args: argparse.Namespace, model: str, spec: "BuildSpec") -> int:
    """The network itself in FP16 or INT8, for ONNX Runtime and other builders."""
    from wholebody.engines.network_writing import network_in
    from wholebody.engines.onnxfile import read_bytes
    from wholebody.files import write_bytes
    if spec.precision == "fp32":
        args.parser.error("-o %s: the network is FP32 already; --fp16 or --int8 writes another" % args.output)
    made = network_in(model, spec)
    write_bytes(args.output, made.data, args.overwrite)
    if not args.json:
        print("wrote %s (%.1f MB; %s has %.1f): %s, %d nodes kept in float"
              % (args.output, len(made.data) / 1e6, model, len(read_bytes(model)) / 1e6, spec.precision.upper(),
                 len(made.kept)))
    return OK


def _checked(model: str, spec: "BuildSpec", progress: BuildProgress) -> "BuildSpec":
    """The graph is to become FP16: nodes that go beyond it are kept in FP32, where ONNX Runtime is here to tell."""
    from wholebody.packages import require
    try:
        require("onnxruntime")
    except MissingPackage as error:
        progress("note", "FP16 was not checked for numbers beyond it: %s" % error)
        return spec
    from wholebody.calibration.finite import check_before_build
    checked, said = check_before_build(model, spec)
    if said:
        progress("note", said)
    return checked


def _report(args: argparse.Namespace, manifest: "Manifest") -> None:
    from wholebody.engines.engine_pair import manifest_path
    print("wrote %s (%.1f MB) and %s: %s in %.1f s by %s %s"
          % (args.output, manifest.engine_bytes / 1e6, manifest_path(args.output), manifest.spec.precision.upper(),
             manifest.build_seconds, manifest.product, manifest.tensorrt))
    for shape in manifest.inputs:
        print("input " + str(shape))
    if manifest.card is None:
        print("Note: it has no card, so wb-run cannot use it: wb-export card %s --preset NAME -o OUT.onnx" % args.model)
    elif manifest.spec.target:
        print("Next: copy both files to a machine with that GPU")
    else:
        print("Next: wb-run --engine %s --source photo.jpg --overlay out" % args.output)


def _spec(args: argparse.Namespace) -> "BuildSpec":
    from wholebody.engines.build_spec import BuildSpec
    if args.size and (args.min_size or args.opt_size or args.max_size):
        args.parser.error("--size is one size, --min-size, --opt-size and --max-size are a range: give one of them")
    if args.batch and args.max_batch:
        args.parser.error("--batch is one number of pictures, --max-batch a range: give one of them")
    low, high = (1, args.max_batch) if args.max_batch else (args.batch, args.batch)
    return BuildSpec(args.precision, args.min_size or args.size, args.opt_size or args.size, args.max_size or args.size,
                     low, high, args.workspace, args.optimization_level, args.dla, args.gpu_fallback,
                     args.timing_cache, args.version_compatible, args.strip, args.strongly_typed, args.target,
                     args.calibration, tuple(args.keep_fp32), args.own_kernels)


def _onnx_of(args: argparse.Namespace) -> str:
    """The file to build from."""
    if args.arch == "default" and args.model:
        args.parser.error("--arch default is the network that comes along: leave %s out" % args.model)
    if args.model is None:
        return _copy_default(args)
    return str(args.model) if args.model.lower().endswith(".onnx") else _export(args)


def _copy_default(args: argparse.Namespace) -> str:
    """wholebody-lite beside the engine, where --rebuild finds it."""
    from wholebody.default_model import DEFAULT_MODEL, default_model_path
    from wholebody.engines.onnxfile import read_bytes
    from wholebody.files import write_bytes
    if args.arch not in (None, "default"):
        args.parser.error("--arch %s is of a checkpoint: name it, or leave --arch out for wholebody-lite" % args.arch)
    data = read_bytes(default_model_path())
    args.model = str(pathlib.Path(args.output).with_name(DEFAULT_MODEL))
    if not pathlib.Path(args.model).is_file() or read_bytes(args.model) != data:
        write_bytes(args.model, data, args.overwrite)
    return str(args.model)


def _export(args: argparse.Namespace) -> str:
    """The checkpoint as an ONNX file beside the engine, where --rebuild finds it."""
    if sys.version_info < (3, 10):
        raise MissingPackage("building from a checkpoint needs Python 3.10 or later and PyTorch: on a desktop machine, "
                             "wb-export onnx %s -o model.onnx; copy that to the board, and build from it" % args.model)
    from wholebody.packages import require
    require("torch", "export")
    from wholebody.export.loading import load_network
    from wholebody.export.onnx_export import OnnxOptions, export_onnx
    onnx = str(pathlib.Path(args.output).with_suffix(".onnx"))
    loaded = load_network(args.model, args.arch)
    if not args.quiet:
        sys.stderr.write("%s is %s; exporting it to %s\n" % (args.model, loaded.architecture.name, onnx))
    export_onnx(loaded, onnx, OnnxOptions(), args.model, args.overwrite)
    return onnx


def _size(text: str) -> Tuple[int, int]:
    """WxH as (height, width)."""
    found = re.match(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})$", text)
    if not found:
        raise argparse.ArgumentTypeError("expected WIDTHxHEIGHT such as 656x368, got %r" % text)
    return int(found.group(2)), int(found.group(1))


def _count(text: str) -> int:
    if not re.match(r"[1-9]\d{0,6}$", text):
        raise argparse.ArgumentTypeError("expected a number of at least 1, got %r" % text)
    return int(text)
