"""One network in all its stages, on real pictures: checkpoint, ONNX, quantised ONNX, engine; and where they part."""
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wholebody.calibration.agreement import agreement
from wholebody.calibration.observing import watched, with_outputs
from wholebody.calibration.output_error import Feeds, prepared
from wholebody.card import InputSpec
from wholebody.engines.engine import Engine
from wholebody.engines.onnxfile import read_bytes
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine, open_session
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.engines.qdq_graph import QUANTISED, graph_of
from wholebody.errors import CardError, EvaluationError
from wholebody.poses import Frame, Poses
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.estimator import estimator_around
from wholebody.runtime.sources.pictures import Folder, read_picture

_JUMP = 3.0         # times the error of what a node reads
_LEAST_JUMP = 1e-3  # of a tensor's energy
FLOAT, HALF, INT8, ENGINE, CHECKPOINT = "FP32", "FP16", "INT8", "engine", "checkpoint"


@dataclass(frozen=True)
class StageOptions:
    """What is run, and how much may differ."""

    images: str
    most: int = 8                   # pictures
    tolerance: float = 1e-4         # of an output's range, for stages in FP32
    least_agreement: float = 0.9    # of people, for the others
    estimator: tuple[tuple[str, Any], ...] = ()
    arch: str | None = None


@dataclass(frozen=True)
class Stage:
    """One stage beside the first."""

    path: str
    kind: str
    error: float                    # largest difference of an output over its range, on the same inputs
    agreement: float                # of people, each stage with its own preprocessing
    preprocessing: tuple[str, ...]  # where its card differs from the first one's
    people: int
    passed: bool


@dataclass(frozen=True)
class Culprit:
    """A node whose output is worse than what it reads."""

    name: str
    operator: str
    before: float  # energy of the error over that of the tensor: the worst that it reads
    after: float   # what it makes


@dataclass(frozen=True)
class StageReport:
    """All stages, and the first place where they part."""

    stages: tuple[Stage, ...]
    parted: str                       # one line; "" where they are alike
    culprits: tuple[Culprit, ...] = ()

    @property
    def passed(self) -> bool:
        """All alike."""
        return not self.parted


def compare_stages(paths: Sequence[str], options: StageOptions) -> StageReport:
    """Each stage beside the first, on the pictures of a folder."""
    pictures = Folder(pathlib.Path(options.images)).paths[:options.most]
    network = next((path for path in paths if path.lower().endswith(".onnx")), None)
    if network is None:
        raise EvaluationError("expected an ONNX file among the stages: its card says how pictures are prepared")
    fed = prepared(network, pictures, options.estimator)
    stages: list[Stage] = []
    first: tuple[list[Feeds], list[Poses], InputSpec] | None = None
    for stage in paths:
        engine = _open(stage, network, options)
        assert engine.card is not None
        outputs = [{name: np.array(array) for name, array in engine.infer(feeds).items()} for feeds in fed]
        with estimator_around(engine, **dict(options.estimator)) as estimate:
            poses = [estimate.process(Frame(read_picture(path), index, 0.0, path.stem)).poses
                     for index, path in enumerate(pictures)]
        first = first or (outputs, poses, engine.card.input)
        stages.append(_stage(stage, outputs, poses, engine.card.input, first, options))
    parted, culprits = _where(stages, fed, options)
    return StageReport(tuple(stages), parted, culprits)


def card_differences(expected: InputSpec, got: InputSpec) -> tuple[str, ...]:
    """In words; the size of an engine, which is built for one, does not count."""
    return tuple(f"{name} {b}, not {a}" for name, a, b in zip(InputSpec._fields, expected, got)
                 if a != b and name not in ("size", "height", "name"))


def _stage(path: str, outputs: list[Feeds], poses: list[Poses], spec: InputSpec,
           first: tuple[list[Feeds], list[Poses], InputSpec], options: StageOptions) -> Stage:
    error = max(_error(expected[name], found[name]) for expected, found in zip(first[0], outputs) for name in expected)
    alike = agreement(first[1], poses).overall
    differs, kind = card_differences(first[2], spec), _kind(path)
    close = error <= options.tolerance if kind in (FLOAT, CHECKPOINT) else alike >= options.least_agreement
    return Stage(path, kind, error, alike, differs, sum(map(len, poses)), close and not differs
                 and alike >= options.least_agreement)


def _error(expected: Any, found: Any) -> float:
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    spread = float(np.ptp(expected)) or float(np.abs(expected).max()) or 1.0
    return float(np.abs(expected.astype(np.float64) - found).max() / spread)


def _kind(path: str) -> str:
    if path.lower().endswith(".engine"):
        return ENGINE
    if not path.lower().endswith(".onnx"):
        return CHECKPOINT
    operators = {node.operator for node in graph_of(read_bytes(path)).nodes}
    if operators & set(QUANTISED):
        return INT8
    from wholebody.engines.onnx_graph import holds_half
    return HALF if holds_half(graph_of(read_bytes(path))) else FLOAT


def _open(path: str, network: str, options: StageOptions) -> Engine:
    kind = _kind(path)
    if kind == CHECKPOINT:
        from wholebody.export.torch_engine import open_checkpoint
        return open_checkpoint(path, network, options.arch)
    engine = open_engine(path, OpenOptions(device=CudaDevice)) if kind == ENGINE else OnnxRuntimeEngine(path)
    if engine.card is None:
        engine.close()
        raise CardError(f"{path} has no card: nothing says how its pictures are prepared")
    return engine


def _where(stages: Sequence[Stage], fed: Sequence[Feeds], options: StageOptions) -> tuple[str, tuple[Culprit, ...]]:
    """The first stage that is not like the first, and why."""
    bad = next((stage for stage in stages if not stage.passed), None)
    if bad is None:
        return "", ()
    if bad.preprocessing:
        return (f"{bad.path}: its preprocessing differs from the card of {stages[0].path}: "
                f"{'; '.join(bad.preprocessing)}"), ()
    said = (f"{bad.path}: outputs differ by {bad.error:.1e} of their range" if bad.kind in (FLOAT, CHECKPOINT) else
            f"{bad.path}: people agree by {bad.agreement:.4f}, at least {options.least_agreement} expected")
    if CHECKPOINT in (bad.kind, stages[0].kind) and bad.kind not in (INT8, HALF) or bad.kind == ENGINE:
        return said + _next_step(stages[0], bad), ()
    reference = next(stage.path for stage in stages if stage.path.lower().endswith(".onnx"))
    culprits = error_jumps(read_bytes(reference), read_bytes(bad.path), fed[0])
    if not culprits:
        return said, ()
    return f"{said}; first at node {culprits[0].name} ({culprits[0].operator})", culprits


def _next_step(first: Stage, bad: Stage) -> str:
    if bad.kind == ENGINE:
        return "; its nodes cannot be looked into: build it again with --fp32, then with fewer layers in less"
    return f"; the node: wb-export verify {first.path} {bad.path}"


def error_jumps(reference: bytes, data: bytes, feeds: Feeds) -> tuple[Culprit, ...]:
    """Nodes, in order, whose output is much worse than what they read; tensors are compared by their names."""
    before, after = graph_of(reference), graph_of(data)
    known = set(watched(before))
    shared = [name for name in watched(after) if name in known and name not in after.inputs]
    a, b = (dict(zip(shared, open_session(with_outputs(model, graph, shared), "it")[0].run(shared, feeds)))
            for model, graph in ((reference, before), (data, after)))
    errors = dict.fromkeys(after.inputs, 0.0)
    errors.update((name, _energy(a[name], b[name])) for name in shared)
    culprits = []
    for node in before.nodes:
        made = [errors[name] for name in node.outputs if name in errors]
        read = max((errors[name] for name in node.inputs if name in errors), default=0.0)
        if made and max(made) > max(_JUMP * read, _LEAST_JUMP):
            culprits.append(Culprit(node.name, node.operator, read, max(made)))
    return tuple(culprits)


def _energy(expected: Any, found: Any) -> float:
    if expected.shape != found.shape:
        return float("inf")
    wide = expected.astype(np.float64)
    error = float(np.square(found - wide).sum() / max(float(np.square(wide).sum()), 1e-30))
    return error if np.isfinite(error) else float("inf")

