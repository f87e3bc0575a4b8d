"""What a bundle does on its board before it runs: check, compile, build, ask the gate; nothing is done twice."""
import json
import logging
import pathlib
import platform
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from wholebody import __version__
from wholebody.engines.build_process import BuildOptions, build_engine
from wholebody.engines.build_spec import BuildSpec, check_spec
from wholebody.engines.engine_pair import Here, check_here, read_manifest, read_plan
from wholebody.engines.onnxfile import card_of, graph_sha256, parse_onnx, read_bytes
from wholebody.engines.preflight import affordable, available_mb
from wholebody.engines.shapes import input_shapes
from wholebody.engines.trt_module import TensorRT, load_tensorrt
from wholebody.errors import EngineMismatch, MissingPackage, OutputError, WholebodyError
from wholebody.files import write_text
from wholebody.jetson.boards import board_here
from wholebody.jetson.identity import Board, read_board
from wholebody.runtime.bundle.contents import (
    CALIBRATION,
    DETECTOR,
    GATE,
    MODEL,
    NATIVE,
    TIMING_CACHE,
    Bundle,
    check_files,
    read_bundle,
    sha256_of,
)
from wholebody.runtime.bundle.gate import Verdict, check_gate, read_gate
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.native.build import build
from wholebody.runtime.native.library import load_library

_log = logging.getLogger(__name__)
STATE = "state.json"
Listener = Callable[[str, Any], None]


class Ready(NamedTuple):
    """A bundle that may run."""

    model: str                     # the engine, or the ONNX file where there is no TensorRT
    options: Dict[str, Any]        # of wholebody.open, with paths as they are here
    verdict: Optional[Verdict]     # None where the bundle has no gate
    passed: bool


def start_bundle(folder: str, listen: Optional[Listener] = None, again: bool = False) -> Ready:
    """Makes a bundle ready; `again` forgets what was done before."""
    root = pathlib.Path(folder).resolve()
    bundle = read_bundle(str(root))
    state: Dict[str, Any] = {} if again else _read_state(root)
    here = read_board()
    _tell_of_board(bundle, here)
    state["files"] = check_files(root, bundle, state.get("files", {}))
    _keep(root, state)
    _native_library(root, bundle, state)
    trt = _tensorrt()
    model, options = str(root / MODEL), _options(bundle, root)
    if trt is not None:
        model = _engine(root, MODEL, bundle.engine, _with_folder(bundle.spec, root), trt, here, listen)
        if "detector" in options:
            spec = BuildSpec("fp32" if bundle.spec.precision == "fp32" else "fp16",
                             timing_cache=str(root / TIMING_CACHE))
            name = "detector-%s.engine" % spec.precision
            options["detector"] = _engine(root, DETECTOR, name, spec, trt, here, listen)
    return _gated(root, bundle, model, options, state)


def run_words(ready: Ready, more: List[str]) -> List[str]:
    """The words of wb-run for a bundle and what its user adds; a size that he names is his."""
    words = ["--engine", ready.model]
    if "detector" in ready.options:
        words += ["--detector", ready.options["detector"]]
    if ready.options.get("whole_frame"):
        words.append("--whole-frame")
    if ready.options.get("net_resolution") and not any(word.split("=")[0] == "--net-resolution" for word in more):
        words += ["--net-resolution", ready.options["net_resolution"]]
    return words + more


def _options(bundle: Bundle, root: pathlib.Path) -> Dict[str, Any]:
    options = dict(bundle.options)
    if "detector" in options:
        options["detector"] = str(root / DETECTOR)
    return options


def _with_folder(spec: BuildSpec, root: pathlib.Path) -> BuildSpec:
    """The spec with the bundle's own timing cache and scales."""
    return spec._replace(timing_cache=str(root / TIMING_CACHE),
                         calibration=str(root / CALIBRATION) if spec.calibration else "")


def _tell_of_board(bundle: Bundle, here: Board) -> None:
    found = board_here()
    if found is None or found.name != bundle.board:
        _log.warning("this bundle was made for %s; this is %s: going on, the gate will tell",
                     bundle.board, found.name if found else here.model if here.is_jetson else "no board that is known")


def _native_library(root: pathlib.Path, bundle: Bundle, state: Dict[str, Any]) -> None:
    """As it came for aarch64, or compiled here; without a compiler NumPy does its work, slowly, and says so."""
    path = root / NATIVE
    whole = sha256_of(path) in (bundle.native, state.get("native")) and path.is_file()
    if whole and (platform.machine() == "aarch64" or state.get("native")):
        try:
            load_library(path.parent)
            return
        except WholebodyError as error:
            _log.warning("%s; compiling it here", error)
    try:
        _log.info("compiling the native library, once")
        state["native"] = sha256_of(build(folder=path.parent))
        _keep(root, state)
    except WholebodyError as error:
        if path.is_file():  # of another machine, or cut short: nobody may load it
            path.unlink()
        _log.warning("no native library, decoding takes many times as long: %s", str(error).splitlines()[0])


def _tensorrt() -> Optional[TensorRT]:
    """TensorRT of this machine; None, said aloud, where there is none at all. A broken one is an error."""
    try:
        return load_tensorrt()
    except MissingPackage as error:
        if "is not installed" not in str(error):
            raise
        _log.warning("there is no TensorRT here: the network runs on the CPU with ONNX Runtime")
        return None


def _engine(root: pathlib.Path, onnx: str, name: str, spec: BuildSpec, trt: TensorRT, here: Board,
            listen: Optional[Listener]) -> str:
    """The engine of a network, built where none is there that fits."""
    path = root / name
    why = _unfit(path, root / onnx, trt, here)
    if why:
        _log.info("building %s: %s", name, why)
        build_engine(str(root / onnx), str(path), _affordable(root / onnx, spec), BuildOptions(overwrite=True), listen,
                     here)
    return str(path)


def _unfit(path: pathlib.Path, onnx: pathlib.Path, trt: TensorRT, here: Board) -> str:
    """Why an engine must be built; empty where it is there, whole, of this network, board and TensorRT."""
    if not path.exists():
        return "there is none yet"
    try:
        manifest = read_manifest(str(path))
        check_here(str(path), manifest, Here(here, trt.name, trt.features.version))
        read_plan(str(path), manifest)
    except EngineMismatch as error:
        return str(error)
    return "" if manifest.graph_sha256 == _graph(onnx) else "the one there is of another network"


def _graph(onnx: pathlib.Path) -> str:
    data = read_bytes(onnx)
    return graph_sha256(data, [onnx.parent / name for name in parse_onnx(data, str(onnx)).external_files])


def _affordable(onnx: pathlib.Path, spec: BuildSpec) -> BuildSpec:
    """The spec with no more workspace and libraries than memory has room for."""
    data = read_bytes(onnx)
    model = parse_onnx(data, str(onnx))
    size = len(data) + sum((onnx.parent / name).stat().st_size for name in model.external_files)
    check_spec(spec)
    fitted = affordable(spec, size, input_shapes(model.inputs, card_of(model, str(onnx)), spec, str(onnx)),
                        available_mb())
    if fitted != spec:
        _log.info("memory is short: building with a workspace of %d MB%s", fitted.workspace_mb or 0,
                  " and without cuBLAS and cuDNN" if fitted.own_kernels else "")
    return fitted


def _gated(root: pathlib.Path, bundle: Bundle, model: str, options: Dict[str, Any], state: Dict[str, Any]) -> Ready:
    if not (root / GATE).is_dir():
        _log.warning("this bundle has no gate: nothing says that its engine finds what the FP32 network finds")
        return Ready(model, options, None, True)
    key = [sha256_of(pathlib.Path(model)), sha256_of(pathlib.Path(options.get("detector", ""))), __version__,
           bundle.least_agreement]
    kept = state.get("gate", {})
    if kept.get("key") == key:
        verdict = Verdict(kept["agreement"], tuple((str(name), float(part)) for name, part in kept["of_pictures"]))
    else:
        verdict = _ask_gate(root, model, options)
        state["gate"] = {"key": key, "agreement": verdict.agreement, "of_pictures": verdict.of_pictures}
        _keep(root, state)
    return Ready(model, options, verdict, verdict.agreement >= bundle.least_agreement)


def _ask_gate(root: pathlib.Path, model: str, options: Dict[str, Any]) -> Verdict:
    pictures = read_gate(root / GATE)
    _log.info("asking the gate: %d pictures", len(pictures))
    with open_estimator(model, **options) as estimate:
        return check_gate(root / GATE, pictures, estimate)


def _read_state(root: pathlib.Path) -> Dict[str, Any]:
    try:
        state = json.loads((root / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and _well_formed(state) else {}


def _well_formed(state: Dict[str, Any]) -> bool:
    gate: Any = state.get("gate", {})
    return (isinstance(state.get("files", {}), dict) and isinstance(gate, dict)
            and (not gate or {"key", "agreement", "of_pictures"} <= set(gate)))


def _keep(root: pathlib.Path, state: Dict[str, Any]) -> None:
    """What is done by now; a folder that cannot be written only makes the next start slower."""
    try:
        write_text(root / STATE, json.dumps(state, indent=1, sort_keys=True) + "\n", overwrite=True)
    except OutputError as error:
        _log.debug("%s", error)
