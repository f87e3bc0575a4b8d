"""A model file against the checkpoint it was made from."""
import dataclasses
import logging
import pathlib
import tempfile

from wholebody.errors import CheckpointError, ModelError
from wholebody.export.divergence import Divergence, likeness
from wholebody.export.loading import LoadedNetwork, load_network
from wholebody.export.model_file import Model, read_model
from wholebody.export.module_names import module_of
from wholebody.export.networks.architecture import TOP_DOWN
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.networks.deformable import DEFORM_CONV_OPSET
from wholebody.export.onnx_export import OnnxOptions, PixelInput, export_onnx, network_preset
from wholebody.export.onnx_graph import Array, Graph
from wholebody.export.torch_runner import TorchRunner
from wholebody.export.verification import Verification, VerifyOptions, locate, run_both

_log = logging.getLogger(__name__)


def verify_checkpoint(checkpoint: str, path: str, arch: str | None = None,
                      options: VerifyOptions = VerifyOptions()) -> Verification:
    """Compares a model file with the checkpoint it was made from; the file's card says which network that is."""
    model = read_model(path)
    loaded = load_for(checkpoint, model, arch)
    _check_fit(loaded, checkpoint, model)
    _log.info("%s is %s", checkpoint, loaded.architecture.name)
    folded, exported = model.source.dtype == "uint8", OnnxOptions(preset=options.preset)
    network = PixelInput(loaded.network, network_preset(loaded, exported).input) if folded else loaded.network
    rows, failing = run_both(TorchRunner(network, model.source, loaded.architecture.outputs), model, options)
    divergence = None
    if failing is not None:
        divergence = _against_new_export(loaded, model, failing, options)
    return Verification(loaded.architecture.name, rows, divergence, tuple(_notes(loaded, model)))


def load_for(checkpoint: str, model: Model, arch: str | None) -> LoadedNetwork:
    """The network that the user names, or the card does, or the checkpoint itself."""
    if arch is not None or model.card is None or model.card.name not in ARCHITECTURES:
        return load_network(checkpoint, arch)
    # Which keypoints a top-down network's are is nowhere but in the card, where there are several of so many.
    skeleton = model.card.skeleton if ARCHITECTURES[model.card.name].family == TOP_DOWN else None
    try:
        return load_network(checkpoint, model.card.name, skeleton)
    except CheckpointError as error:
        raise CheckpointError(f"the card of {model.path} says {model.card.name}, but {error}")


def _check_fit(loaded: LoadedNetwork, checkpoint: str, model: Model) -> None:
    """One line when the file cannot be this checkpoint's network."""
    architecture = loaded.architecture
    expected, got = dict(architecture.channels), {info.name: info.shape for info in model.file.outputs}
    if model.card is not None and model.card.skeleton is not None and model.card.skeleton != loaded.skeleton:
        keypoints = loaded.skeleton.name if loaded.skeleton else "of nobody"
        raise CheckpointError(f"{checkpoint} is {architecture.name} with keypoints {keypoints}; "
                              f"{model.path} has {model.card.skeleton.name}: give the checkpoint it was made from")
    if set(got) != set(expected) or any(isinstance(shape[1], int) and shape[1] != expected[name]
                                        for name, shape in got.items() if len(shape) > 2):
        raise CheckpointError(
            f"{checkpoint} is {architecture.name}, which gives "
            f"{' and '.join(f'{count} {name}' for name, count in architecture.channels)}; {model.path} has outputs "
            f"{'; '.join(str(info) for info in model.file.outputs)}. Another network: --arch NAME")
    if (model.source.dtype, model.layout) not in (("float32", "NCHW"), ("uint8", "NHWC")):
        raise ModelError(f"{model.path}: expected a float32 NCHW or uint8 NHWC input, as wb-export onnx makes them, "
                         f"got {model.source}")


def _notes(loaded: LoadedNetwork, model: Model) -> list[str]:
    card = model.card
    # The card that wb-export card gives has the hash of the ONNX file's own weights instead.
    if card is None or card.weights_sha256 in ("", loaded.sha256) or card.source.lower().endswith(".onnx"):
        return []
    return [f"the card of {model.path} names another checkpoint: {card.source} (sha256 {card.weights_sha256[:12]}), "
            f"this one is {loaded.sha256[:12]}"]


def _against_new_export(loaded: LoadedNetwork, model: Model, failing: Array,
                        options: VerifyOptions) -> Divergence | None:
    """The file against what wb-export onnx writes today: simplified or not, whichever is more like it."""
    _log.info("they differ: looking for the node")
    graph = Graph(model.path)
    batch, size = model.source.shape[0], model.size_of(failing)
    fixed = all(isinstance(dim, int) for dim in model.source.shape[1:])
    asked = OnnxOptions(size if fixed else None, batch if isinstance(batch, int) else None,
                        model.source.dtype == "uint8", preset=options.preset,
                        native_ops=model.file.opset >= DEFORM_CONV_OPSET > loaded.architecture.opset > 13)
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
    return locate(reference, graph, model, failing, options, lambda node: module_of(node, modules))
