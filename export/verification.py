"""Does a model file give what another network gives? And if not, which of its nodes is at fault?"""
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wholebody.export.comparison import Row, compare, onnx_runner
from wholebody.export.divergence import Divergence, find_divergence
from wholebody.export.model_file import Model, Size, check_same_outside, random_pictures, read_model
from wholebody.export.module_names import module_of
from wholebody.export.onnx_graph import Array, Graph

TOLERANCE = 1e-4  # of an output's range


@dataclass(frozen=True)
class VerifyOptions:
    """What is run, and how much may differ."""

    sizes: tuple[Size, ...] = ()   # () is a handful where the file takes any size
    inputs: int = 2                # random pictures of each size
    seed: int = 0
    tolerance: float = TOLERANCE   # of an output's range
    preset: str | None = None      # the card it was exported with, where that is not the network's own


@dataclass(frozen=True)
class Verification:
    """What came of it."""

    network: str | None            # the architecture of a checkpoint
    rows: tuple[Row, ...]          # the worst input of each output and size
    divergence: Divergence | None  # None too where no node can be named
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Everything within the tolerance."""
        return all(row.passed for row in self.rows)


def verify_models(reference_path: str, path: str, options: VerifyOptions = VerifyOptions()) -> Verification:
    """Compares two model files that should be the same network."""
    reference, model = read_model(reference_path), read_model(path)
    check_same_outside(reference, model)
    rows, failing = run_both(onnx_runner(reference), model, options)
    divergence = None
    if failing is not None:
        before = Graph(reference_path)
        divergence = locate(before, Graph(path), model, failing, options, _owners(before))
    return Verification(None, rows, divergence)


def run_both(reference: Any, model: Model, options: VerifyOptions) -> tuple[tuple[Row, ...], Array | None]:
    """The worst row of each output and size, and the smallest input beyond the tolerance."""
    runner = onnx_runner(model)
    worst: dict[tuple[str, Size], Row] = {}
    failing: Array | None = None
    for picture in random_pictures(model, options.sizes, options.inputs, options.seed):
        rows = compare(reference, runner, picture, model, options.tolerance)
        for row in rows:
            before = worst.get((row.output, row.size))
            if before is None or row.relative > before.relative:
                worst[row.output, row.size] = row
        if not all(row.passed for row in rows) and (failing is None or picture.size < failing.size):
            failing = picture
    return tuple(worst.values()), failing


def locate(reference: Graph, graph: Graph, model: Model, failing: Array, options: VerifyOptions,
             owner: Callable[[Any], str | None]) -> Divergence | None:
    """The node at fault, with the module its partner came from."""
    found = find_divergence(reference, graph, {model.source.name: failing}, options.tolerance)
    if found is None:
        return None
    return dataclasses.replace(found, module=owner(reference.makers[found.reference_tensor]))


def _owners(graph: Graph) -> Callable[[Any], str | None]:
    """Module names as far as a graph's own weights have them: net.0 of net.0.weight."""
    modules = {name.rpartition(".")[0] for name in graph.weights if "::" not in name} - {""}
    return lambda node: module_of(node, modules)
