"""A loaded network becomes one ONNX file with its card inside, proved on a blank picture."""
import dataclasses
import importlib.util
import pathlib
import tempfile
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wholebody.card import InputSpec, ModelCard
from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import parse_onnx, read_bytes, with_card
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.errors import ModelError
from wholebody.export.loading import LoadedNetwork
from wholebody.export.networks.architecture import TOP_DOWN
from wholebody.export.networks.native_operators import native_opset, use_native_operators
from wholebody.export.presets import fit_heads, fit_input, load_preset
from wholebody.export.topdown_heads import BOXES, HEATMAP, SIMCC, default_head, kind_of, map_heads
from wholebody.files import check_free, write_bytes
from wholebody.packages import require

MAX_IR = 8             # with opset 13, what TensorRT 8.2 of JetPack 4.6 reads
_IR_9_OPSET = 19       # the first opset that comes with a higher one
INPUT = "image"
_TRACED = (64, 96)     # a size all networks take; unequal, so that swapped axes show


@dataclass(frozen=True)
class OnnxOptions:
    """What the file should take."""

    size: tuple[int, int] | None = None  # (height, width) fixed for ever; None is any
    batch: int | None = None             # pictures at once; None is any
    fold_input: bool = False             # take uint8 (N, H, W, 3) pixels and normalise them in the graph
    simplify: bool = True                # with onnxsim, where it is installed
    head: str | None = None              # of a top-down network with maps: one of HEAD_KINDS
    preset: str | None = None            # another card than the network's own
    native_ops: bool = False             # DeformConv or RoiAlign, which few engines have, instead of GridSample


class PixelInput(nn.Module):
    """A network behind the normalisation of its card: uint8 (N, H, W, 3) pixels in the card's channel order."""

    gain: Tensor
    bias: Tensor

    def __init__(self, network: nn.Module, spec: InputSpec) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("gain", torch.tensor([spec.scale / std for std in spec.std]).reshape(1, 3, 1, 1))
        self.register_buffer("bias", torch.tensor([-m / s for m, s in zip(spec.mean, spec.std)]).reshape(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """What the network gives for the normalised picture."""
        image = pixels.permute(0, 3, 1, 2).to(torch.float32) * self.gain + self.bias
        maps: tuple[Tensor, ...] = self.network(image)
        return maps


def export_onnx(loaded: LoadedNetwork, path: str, options: OnnxOptions = OnnxOptions(), source: str = "",
                overwrite: bool = False) -> ModelCard:
    """Writes the network to `path`; its card names `source`, the file the weights came from."""
    check_free(path, overwrite)
    if options.native_ops and not native_opset(loaded.network):
        raise ModelError(f"{loaded.architecture.name} has no operator that --native-ops would change")
    use_native_operators(loaded.network, options.native_ops)
    card = _card(loaded, source, options)
    options = _of_one_size(loaded, options)
    with tempfile.TemporaryDirectory() as folder:
        plain = str(pathlib.Path(folder) / "network.onnx")
        _trace(loaded, plain, options)
        if options.simplify and importlib.util.find_spec("onnxsim"):
            _simplify(plain)
        data = read_bytes(plain)
        _check_version(data, path, *_version(loaded, options))
        with OnnxRuntimeEngine(plain, read_card=False) as engine:
            card = _proved(card, engine, options, path)
    write_bytes(path, with_card(data, card), overwrite)
    return card


def _of_one_size(loaded: LoadedNetwork, options: OnnxOptions) -> OnnxOptions:
    """With the size of a network that takes no other."""
    return dataclasses.replace(options, size=loaded.architecture.default_input) if loaded.architecture.one_size \
        else options


def _card(loaded: LoadedNetwork, source: str, options: OnnxOptions) -> ModelCard:
    """The preset of the architecture, with what is known of this file."""
    architecture = loaded.architecture
    preset = network_preset(loaded, options)
    _check_size(loaded, options, preset.input.multiple)
    spec = preset.input._replace(height=architecture.default_input[0])
    if options.fold_input:
        spec = spec._replace(layout="NHWC", dtype="uint8", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)
    notes = "; ".join(note for note in (preset.notes, *notes_on(loaded, options)) if note)
    return preset._replace(
        name=architecture.name, source=pathlib.Path(source).name, weights_sha256=loaded.sha256, notes=notes, input=spec)


def network_preset(loaded: LoadedNetwork, options: OnnxOptions = OnnxOptions()) -> ModelCard:
    """The card of a network's kind; a top-down one's has this file's skeleton, and the heads asked for."""
    architecture = loaded.architecture
    preset = load_preset(options.preset or architecture.preset)
    if architecture.family != TOP_DOWN:
        if options.head:
            raise ModelError(f"{architecture.name} is no top-down network: --head is not for it")
        return preset
    kind = options.head or (kind_of(preset.heads) if options.preset else default_head(architecture))
    own = (kind == SIMCC or architecture.in_boxes) and not options.head
    heads = preset.heads if own else map_heads(architecture, kind)
    return preset._replace(skeleton=loaded.skeleton, heads=heads)


def notes_on(loaded: LoadedNetwork, options: OnnxOptions) -> tuple[str, ...]:
    """What a user of the file should know."""
    architecture = loaded.architecture
    if architecture.family != TOP_DOWN or options.head or options.preset:
        return loaded.notes
    kind = default_head(architecture)
    if kind in (SIMCC, HEATMAP):
        return loaded.notes
    return (*loaded.notes, f"no checkpoint says how it was trained: taken to be {kind}, as published networks for "
            f"{architecture.keypoints} keypoints are; --head says otherwise")


def _check_size(loaded: LoadedNetwork, options: OnnxOptions, multiple: int) -> None:
    architecture, size = loaded.architecture, options.size
    if size is None:
        return
    asked, usual = (f"{side[1]}x{side[0]}" for side in (size, architecture.default_input))
    if architecture.one_size and size != architecture.default_input:
        raise ModelError(f"{architecture.name}: this checkpoint takes pictures of {usual} only, got {asked}")
    if any(side < 1 or side % multiple for side in size):
        raise ModelError(f"{architecture.name}: the input's sides are multiples of {multiple}, got {asked}; "
                         f"its authors use {usual}")


def _proved(card: ModelCard, engine: Engine, options: OnnxOptions, where: str) -> ModelCard:
    """The card with the file's own names and size, after a blank picture gave the maps it says."""
    spec = fit_input(card.input, engine.inputs, where)
    net_size = spec.size or _TRACED
    sides = (3, *net_size) if spec.layout == "NCHW" else (*net_size, 3)
    blank = np.zeros((options.batch or 1, *sides), spec.dtype)
    shapes = {name: maps.shape for name, maps in engine.infer({spec.name: blank}).items()}
    card = card._replace(input=spec, heads=fit_heads(card, shapes, net_size, where))
    if options.batch in (None, 1):  # wb-run gives one picture at a time
        check_fit(card, engine.inputs, engine.outputs, where)
    return card


def _trace(loaded: LoadedNetwork, path: str, options: OnnxOptions) -> None:
    """torch's TorchScript exporter: the other one writes opset 18 and cannot go back to 13."""
    outputs = loaded.architecture.outputs
    dynamic: dict[str, dict[int, str]] = {name: {} for name in (INPUT, *outputs)}
    for name, axes in dynamic.items():
        if options.batch is None:
            axes[0] = "batch"
        if options.size is None and name not in (*loaded.architecture.in_boxes, BOXES):
            h = 1 if name == INPUT and options.fold_input else 2
            axes.update({h: "height", h + 1: "width"} if name == INPUT else {h: "map_height", h + 1: "map_width"})
    opset, _ = _version(loaded, options)
    image = torch.zeros(options.batch or 1, 3, *(options.size or _TRACED))
    network = loaded.network
    if options.fold_input:
        # eval(): torch puts a network back as it was, and what is new trains, batch-norms within it included.
        network = PixelInput(network, network_preset(loaded, options).input).eval()
        image = image.permute(0, 2, 3, 1).to(torch.uint8)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that exporter is called legacy
        torch.onnx.export(network, (image,), path, dynamo=False, opset_version=opset, input_names=[INPUT],
                          output_names=list(outputs), dynamic_axes=dynamic)


def _simplify(path: str) -> None:
    """Folds constants and the batch-norms that torch leaves behind transposed convolutions."""
    onnx, onnxsim = require("onnx", "export"), require("onnxsim", "export")
    model: Any = onnx.load(path)
    smaller, same = onnxsim.simplify(model, check_n=0)
    if same:
        onnx.save(smaller, path)


def _version(loaded: LoadedNetwork, options: OnnxOptions) -> tuple[int, int]:
    """Opset and the highest IR of the file."""
    opset = native_opset(loaded.network) if options.native_ops else loaded.architecture.opset
    return opset, MAX_IR if opset < _IR_9_OPSET else MAX_IR + 1


def _check_version(data: bytes, path: str, opset: int, most_ir: int) -> None:
    outside = parse_onnx(data, path)
    if outside.opset != opset or outside.ir_version > most_ir:
        raise ModelError(f"{path}: expected opset {opset} and IR {most_ir} or below, torch {torch.__version__} wrote "
                         f"opset {outside.opset}, IR {outside.ir_version}; install another torch")
