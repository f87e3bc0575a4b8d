"""Does a model file give what its checkpoint, or another model file, gives? And if not, which node is at fault?"""
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wholebody.errors import CheckpointError, ModelError
from wholebody.export.comparison import Row, compare, onnx_runner
from wholebody.export.divergence import Divergence, find_divergence, likeness
from wholebody.export.loading import LoadedNetwork, load_network
from wholebody.export.model_file import Model, Size, check_same_outside, random_pictures, read_model
from wholebody.export.module_names import module_of
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.onnx_export import OnnxOptions, PixelInput, export_onnx
from wholebody.export.onnx_graph import Array, Graph
from wholebody.export.presets import load_preset
from wholebody.packages import require

TOLERANCE = 1e-4  # of an output's range


@dataclass(frozen=True)
class VerifyOptions:
    """What is run, and how much may differ."""

    sizes: tuple[Size, ...] = ()   # () is a handful where the file takes any size
    inputs: int = 2                # random pictures of each size
    seed: int = 0
    tolerance: float = TOLERANCE   # of an output's range


@dataclass(frozen=True)
class Verification:
    """What came of it."""

    reference: str                 # an architecture's name, or a file's path
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
    rows, failing = _compare(onnx_runner(reference), model, options)
    divergence = None
    if failing is not None:
        before = Graph(reference_path)
        divergence = _located(before, Graph(path), model, failing, options, _owners(before))
    return Verification(reference_path, rows, divergence)


def verify_checkpoint(checkpoint: str, path: str, arch: str | None = None,
                      options: VerifyOptions = VerifyOptions()) -> Verification:
    """Compares a model file with the checkpoint it was made from; the file's card says which network that is."""
    require("polygraphy", "export")
    from wholebody.export.torch_runner import TorchRunner
    model = read_model(path)
    if arch is None and model.card is not None and model.card.name in ARCHITECTURES:
        arch = model.card.name
    loaded = load_network(checkpoint, arch)
    _check_fit(loaded, checkpoint, model)
    folded = model.source.dtype == "uint8"
    network = PixelInput(loaded.network, load_preset(loaded.architecture.preset).input) if folded else loaded.network
    rows, failing = _compare(TorchRunner(network, model.source, loaded.architecture.outputs), model, options)
    divergence = None
    if failing is not None:
        divergence = _against_new_export(loaded, model, failing, options)
    return Verification(loaded.architecture.name, rows, divergence, tuple(_notes(loaded, model)))


def _compare(reference: Any, model: Model, options: VerifyOptions) -> tuple[tuple[Row, ...], Array | None]:
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


def _check_fit(loaded: LoadedNetwork, checkpoint: str, model: Model) -> None:
    """One line when the file cannot be this checkpoint's network."""
    architecture = loaded.architecture
    expected, got = dict(architecture.channels), {info.name: info.shape for info in model.file.outputs}
    if model.card is not None and model.card.skeleton is not None and model.card.skeleton != loaded.skeleton:
        raise CheckpointError(f"{checkpoint} is {architecture.name} with keypoints {loaded.skeleton.name}; "
                              f"{model.path} has {model.card.skeleton.name}: give the checkpoint it was made from")
    if set(got) != set(expected) or any(isinstance(shape[1], int) and shape[1] != expected[name]
                                        for name, shape in got.items() if len(shape) == 4):
        raise CheckpointError(
            f"{checkpoint} is {architecture.name}, which gives "
            f"{' and '.join(f'{count} {name}' for name, count in architecture.channels)}; {model.path} has outputs "
            f"{'; '.join(str(info) for info in model.file.outputs)}. Another network: --arch NAME")
    if (model.source.dtype, model.layout) not in (("float32", "NCHW"), ("uint8", "NHWC")):
        raise ModelError(f"{model.path}: expected a float32 NCHW or uint8 NHWC input, as wb-export onnx makes them, "
                         f"got {model.source}")


def _notes(loaded: LoadedNetwork, model: Model) -> list[str]:
    known = model.card.weights_sha256 if model.card else ""
    if known and known != loaded.sha256:
        return [f"the card of {model.path} names another checkpoint: {model.card.source if model.card else ''} "
                f"(sha256 {known[:12]}), this one is {loaded.sha256[:12]}"]
    return []


def _against_new_export(loaded: LoadedNetwork, model: Model, failing: Array,
                        options: VerifyOptions) -> Divergence | None:
    """The file against what wb-export onnx writes today: simplified or not, whichever is more like it."""
    graph = Graph(model.path)
    batch, size = model.source.shape[0], model.size_of(failing)
    fixed = all(isinstance(dim, int) for dim in model.source.shape[1:])
    asked = OnnxOptions(size if fixed else None, batch if isinstance(batch, int) else None,
                        model.source.dtype == "uint8")
    candidates = []
    with tempfile.TemporaryDirectory() as folder:
        for simplify in (True, False):
            path = str(pathlib.Path(folder) / f"simplify-{simplify}.onnx")
            export_onnx(loaded, path, dataclasses.replace(asked, simplify=simplify))
            candidates.append(Graph(path))
            if likeness(candidates[-1], graph) == 1:
                break
    reference = max(candidates, key=lambda candidate: likeness(candidate, graph))
    modules = [name for name, _ in loaded.network.named_modules()]
    return _located(reference, graph, model, failing, options, lambda node: module_of(node, modules))


def _located(reference: Graph, graph: Graph, model: Model, failing: Array, options: VerifyOptions,
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
