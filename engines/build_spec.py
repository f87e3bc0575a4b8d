"""BuildSpec: all that a user decides about an engine, as data, as JSON and as the command that says it."""
import re
import shlex
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from wholebody.errors import BuildError

PRECISIONS = ("fp32", "fp16", "int8")
RTX_TARGET = "rtx"
Size = Tuple[int, int]  # height, width


class BuildSpec(NamedTuple):
    """What kind of engine is wanted. A size or batch of None is the network's own."""

    precision: str = "fp16"
    min_size: Optional[Size] = None
    opt_size: Optional[Size] = None
    max_size: Optional[Size] = None
    min_batch: Optional[int] = None
    max_batch: Optional[int] = None
    workspace_mb: Optional[int] = None
    optimization_level: Optional[int] = None
    dla_core: Optional[int] = None
    gpu_fallback: bool = False
    timing_cache: str = ""           # empty: one for each board and version, in the user's cache folder
    version_compatible: bool = False
    strip: bool = False
    strongly_typed: bool = False     # precision from the graph, also where TensorRT has flags
    target: str = ""                 # rtx:8.6,8.9 builds for those GPUs with TensorRT-RTX
    calibration: str = ""            # a calibration table, for INT8 of a graph without its own ranges
    keep_fp32: Tuple[str, ...] = ()  # nodes that stay in FP32
    own_kernels: bool = False        # no cuBLAS and cuDNN: they take some hundred MB

    @property
    def capabilities(self) -> Tuple[str, ...]:
        """The compute capabilities of a TensorRT-RTX target; none for TensorRT."""
        return tuple(self.target[len(RTX_TARGET) + 1:].split(",")) if self.target else ()


def check_spec(spec: BuildSpec) -> None:
    """BuildError where options contradict each other."""
    if spec.precision not in PRECISIONS:
        raise BuildError("expected a precision of %s, got %r" % (", ".join(PRECISIONS), spec.precision))
    if spec.target and not re.match(RTX_TARGET + r":\d+\.\d(,\d+\.\d)*$", spec.target):
        raise BuildError("expected --target rtx:8.6 or rtx:8.6,8.9 (compute capabilities), got %r" % spec.target)
    sizes = [size for size in (spec.min_size, spec.opt_size, spec.max_size) if size]
    if len(sizes) not in (0, 3):
        raise BuildError("a range of sizes needs --min-size, --opt-size and --max-size together; one size is --size")
    if sizes and not all(low <= middle <= high for low, middle, high in zip(*sizes)):
        raise BuildError("expected --min-size <= --opt-size <= --max-size, got %s" % ", ".join(map(size_text, sizes)))
    if (spec.min_batch is None) != (spec.max_batch is None) or not 1 <= (spec.min_batch or 1) <= (spec.max_batch or 1):
        raise BuildError("expected a batch of at least 1, got %s to %s" % (spec.min_batch, spec.max_batch))
    if spec.dla_core is not None and spec.precision == "fp32":
        raise BuildError("a DLA computes in FP16 or INT8: add --fp16 or --int8, or leave --dla out")
    if spec.gpu_fallback and spec.dla_core is None:
        raise BuildError("--gpu-fallback goes with --dla N")
    if spec.calibration and spec.precision != "int8":
        raise BuildError("--calibration goes with --int8")


def spec_to_dict(spec: BuildSpec) -> Dict[str, Any]:
    """For JSON."""
    return dict(spec._asdict())


def spec_from_dict(data: Any, where: str) -> BuildSpec:
    """The spec of a JSON object; anything unknown is refused."""
    if not isinstance(data, dict) or set(data) - set(BuildSpec._fields):
        raise BuildError("%s: expected the fields %s" % (where, ", ".join(BuildSpec._fields)))
    known: Dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    try:
        spec = BuildSpec(**known)
        check_spec(spec)
    except (TypeError, ValueError) as error:
        raise BuildError("%s: %s" % (where, error))
    return spec


def build_command(spec: BuildSpec, model: str, engine: str) -> str:
    """The command that builds this engine."""
    return " ".join(["wb-export build", shlex.quote(model)] + flags(spec) + ["-o", shlex.quote(engine)])


def flags(spec: BuildSpec) -> List[str]:
    """The flags of wb-export build that say this spec."""
    words = ["--" + spec.precision]
    if spec.opt_size and spec.min_size == spec.opt_size == spec.max_size:
        words.append("--size %s" % size_text(spec.opt_size))
    elif spec.min_size and spec.opt_size and spec.max_size:
        words.append("--min-size %s --opt-size %s --max-size %s"
                     % (size_text(spec.min_size), size_text(spec.opt_size), size_text(spec.max_size)))
    if spec.max_batch is not None:
        words.append("--%s %d" % ("batch" if spec.min_batch == spec.max_batch else "max-batch", spec.max_batch))
    for flag, value in (("--workspace", spec.workspace_mb), ("--optimization-level", spec.optimization_level),
                        ("--dla", spec.dla_core)):
        words += [] if value is None else ["%s %d" % (flag, value)]
    for flag, text in (("--timing-cache", spec.timing_cache), ("--target", spec.target),
                       ("--calibration", spec.calibration)):
        words += ["%s %s" % (flag, shlex.quote(text))] if text else []
    for flag, wanted in (("--gpu-fallback", spec.gpu_fallback), ("--version-compatible", spec.version_compatible),
                         ("--strip", spec.strip), ("--strongly-typed", spec.strongly_typed),
                         ("--own-kernels", spec.own_kernels)):
        words += [flag] if wanted else []
    return words + ["--keep-fp32 %s" % shlex.quote(node) for node in spec.keep_fp32]


def size_text(size: Size) -> str:
    """WxH, as users write it."""
    return "%dx%d" % (size[1], size[0])
