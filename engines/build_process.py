"""Builds an engine and its manifest from an ONNX file, in a process of its own; interrupted, it leaves nothing."""
import contextlib
import json
import logging
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, Any, Callable, Dict, NamedTuple, Optional, Tuple

import wholebody
from wholebody import __version__
from wholebody.card import METADATA_KEY, ModelCard
from wholebody.engines.build_spec import BuildSpec, check_spec
from wholebody.engines.build_worker import DONE, FAILED, LAYERS, NOTE, job_to_dict
from wholebody.engines.engine import TensorInfo
from wholebody.engines.engine_pair import manifest_path, write_pair
from wholebody.engines.manifest import Manifest
from wholebody.engines.onnxfile import OnnxFile, card_of, graph_sha256, parse_onnx, read_bytes
from wholebody.engines.preflight import available_mb, check_memory, check_precision, choose_workspace, memory_need
from wholebody.engines.shapes import InputShape, input_shapes
from wholebody.engines.timing_cache import PastBuild, expected_seconds, record_build
from wholebody.engines.trt_builder import BuildJob
from wholebody.errors import BuildError
from wholebody.files import check_target, output_error
from wholebody.jetson.identity import Board, read_board

_log = logging.getLogger(__name__)
TICK, EXPECTED = "tick", "expected"  # seconds so far; seconds it may take, or None
_TICK_SECONDS = 0.5
Listener = Callable[[str, Any], None]


class BuildOptions(NamedTuple):
    """How a build is run; what is built is in the BuildSpec."""

    overwrite: bool = False
    ignore_memory: bool = False
    verbose: bool = False


class _Network(NamedTuple):
    """What the ONNX file says before TensorRT reads it."""

    model: OnnxFile
    card: Optional[ModelCard]
    bytes: int
    graph_sha256: str


def build_engine(onnx: str, engine: str, spec: BuildSpec, options: BuildOptions = BuildOptions(),
                 listen: Optional[Listener] = None, board: Optional[Board] = None,
                 accuracy: Optional[Dict[str, Any]] = None) -> Manifest:
    """Writes `engine` and its manifest, and returns the manifest; BuildError says what to do instead.

    `accuracy` is what a gate measured before: it goes into the manifest.
    """
    listen = listen or _log_note
    check_spec(spec)
    for target in (engine, manifest_path(engine)):
        check_target(target, options.overwrite)
    network = _read_network(onnx)
    shapes = input_shapes(network.model.inputs, network.card, spec, onnx)
    board = board or read_board()
    for note in check_precision(board, spec):
        listen(NOTE, note)
    available = available_mb()
    workspace = choose_workspace(spec, available)
    if not options.ignore_memory:
        check_memory(memory_need(network.bytes, shapes, workspace, spec.own_kernels), available, shapes)
    job = BuildJob(onnx, network.graph_sha256, spec, shapes, board, workspace)
    with _unnamed_file(engine) as plan:
        facts = _run_worker(job, options.verbose, plan, _with_estimate(listen, network, spec))
        plan.seek(0)
        manifest = write_pair(engine, plan, _manifest(job, network, facts)._replace(accuracy=accuracy),
                              options.overwrite)
    if facts["timing_cache"]:
        record_build(pathlib.Path(facts["timing_cache"]),
                     PastBuild(network.graph_sha256, spec.precision, network.bytes, facts["seconds"]))
    for note in facts["notes"]:
        listen(NOTE, note)
    return manifest


def _log_note(kind: str, value: Any) -> None:
    if kind == NOTE:
        _log.info("%s", value)


def _read_network(onnx: str) -> _Network:
    data = read_bytes(onnx)
    model = parse_onnx(data, onnx)
    beside = [pathlib.Path(onnx).parent / name for name in model.external_files]
    digest = graph_sha256(data, beside)
    card = card_of(model, onnx) if METADATA_KEY in model.metadata else None
    return _Network(model, card, len(data) + sum(path.stat().st_size for path in beside), digest)


def _unnamed_file(engine: str) -> Any:
    """A file on the engine's disk that has no name: it is gone with the last process that holds it."""
    try:
        return tempfile.TemporaryFile(dir=str(pathlib.Path(engine).resolve().parent))
    except OSError as error:
        raise output_error(engine, error)


def _run_worker(job: BuildJob, verbose: bool, plan: IO[bytes], listen: Listener) -> Dict[str, Any]:
    """What the building process says of its work, once the plan is in the file."""
    with tempfile.TemporaryFile() as log:
        worker = subprocess.Popen([sys.executable, "-m", "wholebody.engines.build_worker", str(plan.fileno())],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if verbose else log,
                                  pass_fds=(plan.fileno(),), env=_worker_environment())
        try:
            assert worker.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it ended at once: its exit code says why
                worker.stdin.write(json.dumps(job_to_dict(job, verbose)).encode("utf-8"))
                worker.stdin.close()
            said = _follow(worker, listen)
            code = worker.wait()
        finally:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
        if DONE not in said:
            log.seek(0)
            raise BuildError(_why(job, said.get(FAILED), code, log.read().decode("utf-8", "replace")))
        return dict(said[DONE], layers=said.get(LAYERS))  # without layers where looking at them failed


def _worker_environment() -> Dict[str, str]:
    """Ours, with this very wholebody in front, wherever it was imported from."""
    ours = str(pathlib.Path(wholebody.__file__).resolve().parents[1])
    theirs = os.environ.get("PYTHONPATH")
    return dict(os.environ, PYTHONPATH=ours + os.pathsep + theirs if theirs else ours)


def _follow(worker: "subprocess.Popen[bytes]", listen: Listener) -> Dict[str, Any]:
    """Passes events on until the worker closes its stdout; its last words by their kind."""
    lines: "queue.Queue[Optional[bytes]]" = queue.Queue()

    def read() -> None:
        assert worker.stdout is not None
        for line in worker.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    started = time.monotonic()
    said: Dict[str, Any] = {}
    while True:
        try:
            line = lines.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            listen(TICK, time.monotonic() - started)
            continue
        if line is None:
            return said
        kind, value = json.loads(line.decode("utf-8"))
        if kind in (DONE, FAILED, LAYERS):
            said[kind] = value
        else:
            listen(kind, value)


def _why(job: BuildJob, reason: Optional[str], code: int, log: str) -> str:
    """Why there is no engine, in one line with what to do."""
    if reason is not None:
        return reason
    if code == -signal.SIGKILL:
        return ("%s: the build was killed (signal 9), most likely because memory ran out: close programs, add swap, or "
                "try --workspace %d, --own-kernels or a smaller size" % (job.model, max(64, job.workspace_mb // 2)))
    said = [line for line in log.splitlines() if line.strip()]
    hint = ": " + said[-1].strip()[:300] if said else ""
    if code < 0:
        return ("%s: TensorRT crashed while building (signal %d)%s: run again with -v, and see whether its GPU and "
                "driver are there" % (job.model, -code, hint))
    return "%s: the building process ended with code %d%s: run again with -v" % (job.model, code, hint)


def _with_estimate(listen: Listener, network: _Network, spec: BuildSpec) -> Listener:
    """Adds the time that earlier builds took, once the worker has said where its timing cache is."""
    def heard(kind: str, value: Any) -> None:
        if kind == "timing_cache":
            listen(EXPECTED, expected_seconds(pathlib.Path(value), network.graph_sha256, spec.precision,
                                              network.bytes))
        else:
            listen(kind, value)
    return heard


def _manifest(job: BuildJob, network: _Network, facts: Dict[str, Any]) -> Manifest:
    outputs = tuple(TensorInfo(o["name"], tuple(o["shape"]), o["dtype"]) for o in facts["outputs"])
    return Manifest(
        card=_card_of_engine(network.card, job.shapes), spec=job.spec, inputs=job.shapes, outputs=outputs,
        onnx_file=pathlib.Path(job.model).name, graph_sha256=network.graph_sha256, engine_sha256="", engine_bytes=0,
        product=facts["product"], tensorrt=facts["tensorrt"], board=job.board, strategy=facts["strategy"],
        builder_flags=tuple(facts["builder_flags"]), workspace_mb=job.workspace_mb,
        timing_cache_sha256=facts["timing_cache_sha256"], calibration_sha256=facts["calibration_sha256"],
        build_seconds=facts["seconds"], built_by=__version__, layers=facts["layers"],
        kept_fp32=tuple(facts["kept_fp32"]))


def _card_of_engine(card: Optional[ModelCard], shapes: Tuple[InputShape, ...]) -> Optional[ModelCard]:
    """The network's card; an engine of one size says so in it, one of many prefers the size it is tuned for."""
    if card is None or card.input.size is not None:
        return card
    for shape in shapes:
        if shape.name == card.input.name and len(shape.opt) == 4:
            first = 2 if card.input.layout == "NCHW" else 1
            low, high = shape.min[first:first + 2], shape.max[first:first + 2]
            fixed = card.input._replace(size=(low[0], low[1]))
            return card._replace(input=fixed if low == high else card.input._replace(height=shape.opt[first]))
    return card
