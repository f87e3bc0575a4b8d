"""A loaded network becomes one ONNX file with its card inside, proved on a blank picture."""
import importlib.util
import pathlib
import tempfile
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from wholebody.card import ModelCard
from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import parse_onnx, read_bytes, with_card
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.errors import ModelError
from wholebody.export.loading import LoadedNetwork
from wholebody.export.presets import fit_heads, fit_input, load_preset
from wholebody.files import check_free, write_bytes
from wholebody.packages import require

OPSET, MAX_IR = 13, 8  # what TensorRT 8.2 of JetPack 4.6 reads
INPUT = "image"
_TRACED = (64, 96)     # a size all networks take; unequal, so that swapped axes show


@dataclass(frozen=True)
class OnnxOptions:
    """What the file should take."""

    size: tuple[int, int] | None = None  # (height, width) fixed for ever; None is any
    batch: int | None = None             # pictures at once; None is any
    simplify: bool = True                # with onnxsim, where it is installed


def export_onnx(loaded: LoadedNetwork, path: str, options: OnnxOptions = OnnxOptions(), source: str = "",
                overwrite: bool = False) -> ModelCard:
    """Writes the network to `path`; its card names `source`, the file the weights came from."""
    check_free(path, overwrite)
    card = _card(loaded, source, options)
    with tempfile.TemporaryDirectory() as folder:
        plain = str(pathlib.Path(folder) / "network.onnx")
        _trace(loaded, plain, options)
        if options.simplify and importlib.util.find_spec("onnxsim"):
            _simplify(plain)
        data = read_bytes(plain)
        _check_version(data, path)
        with OnnxRuntimeEngine(plain, read_card=False) as engine:
            card = _proved(card, engine, options, path)
    write_bytes(path, with_card(data, card), overwrite)
    return card


def _card(loaded: LoadedNetwork, source: str, options: OnnxOptions) -> ModelCard:
    """The preset of the architecture, with what is known of this file."""
    architecture = loaded.architecture
    preset = load_preset(architecture.preset)
    multiple = preset.input.multiple
    if options.size is not None and any(side < 1 or side % multiple for side in options.size):
        height, width = options.size
        raise ModelError(f"{architecture.name}: the input's sides are multiples of {multiple}, got {width}x{height}; "
                         f"its authors use {architecture.default_input[1]}x{architecture.default_input[0]}")
    notes = "; ".join(note for note in (preset.notes, *loaded.notes) if note)
    return preset._replace(
        name=architecture.name, source=pathlib.Path(source).name, weights_sha256=loaded.sha256, notes=notes,
        input=preset.input._replace(height=architecture.default_input[0]))


def _proved(card: ModelCard, engine: Engine, options: OnnxOptions, where: str) -> ModelCard:
    """The card with the file's own names and size, after a blank picture gave the maps it says."""
    spec = fit_input(card.input, engine.inputs, where)
    net_size = spec.size or _TRACED
    blank = np.zeros((options.batch or 1, 3, *net_size), np.float32)
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
        if options.size is None:
            axes.update({2: "height", 3: "width"} if name == INPUT else {2: "map_height", 3: "map_width"})
    image = torch.zeros(options.batch or 1, 3, *(options.size or _TRACED))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that exporter is called legacy
        torch.onnx.export(loaded.network, (image,), path, dynamo=False, opset_version=OPSET, input_names=[INPUT],
                          output_names=list(outputs), dynamic_axes=dynamic)


def _simplify(path: str) -> None:
    """Folds constants and the batch-norms that torch leaves behind transposed convolutions."""
    onnx, onnxsim = require("onnx", "export"), require("onnxsim", "export")
    model: Any = onnx.load(path)
    smaller, same = onnxsim.simplify(model, check_n=0)
    if same:
        onnx.save(smaller, path)


def _check_version(data: bytes, path: str) -> None:
    outside = parse_onnx(data, path)
    if outside.opset != OPSET or outside.ir_version > MAX_IR:
        raise ModelError(f"{path}: expected opset {OPSET} and IR {MAX_IR} or below, torch {torch.__version__} wrote "
                         f"opset {outside.opset}, IR {outside.ir_version}; install another torch")
