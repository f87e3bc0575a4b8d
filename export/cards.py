"""wb-export card: a foreign ONNX file gets its card, after one blank picture went through it."""
import pathlib

import numpy as np

from wholebody.card import InputSpec, ModelCard
from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import graph_sha256, parse_onnx, read_bytes, with_card
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.errors import CardError, ModelError, OutputError
from wholebody.export.presets import Shapes, fit_heads, fit_input, load_preset, preset_names
from wholebody.files import check_free, write_bytes
from wholebody.runtime.estimator import decoding_options
from wholebody.runtime.heads import PafHead

_PROBE_SIZE = (128, 192)  # height, width for networks of any size; unequal so that swapped axes show


def give_card(model: str, preset: str, output: str, overwrite: bool = False) -> ModelCard:
    """Writes `output`: the model with the preset's card, fitted to its names and proved on a blank picture."""
    check_free(output, overwrite)
    data = read_bytes(model)
    outside = parse_onnx(data, model)
    folder = pathlib.Path(model).resolve().parent
    if outside.external_files and pathlib.Path(output).resolve().parent != folder:
        raise OutputError(f"{model} keeps weights in files beside it; write the copy into the same folder, "
                          f"not to {output}")
    with OnnxRuntimeEngine(model, read_card=False) as engine:  # whose card, if any, is replaced
        card = fit_card(load_preset(preset), engine, preset)
    weights = [folder / name for name in outside.external_files]
    card = card._replace(source=pathlib.Path(model).name, weights_sha256=graph_sha256(data, weights))
    write_bytes(output, with_card(data, card), overwrite)
    return card


def fit_card(card: ModelCard, engine: Engine, preset: str) -> ModelCard:
    """The card with this network's names and sizes, or a CardError that lists the presets that do fit."""
    try:
        return _fit(card, engine)
    except (CardError, ModelError) as error:  # a ModelError when the network cannot even run on this card's layout
        fitting = [name for name in preset_names() if name != preset and _fits(load_preset(name), engine)]
        hint = f"; presets whose shapes fit: {', '.join(fitting)}" if fitting else "; no preset fits: write a card.json"
        raise CardError(f"{error}{hint}") from error


def _fit(card: ModelCard, engine: Engine) -> ModelCard:
    spec = fit_input(card.input, engine.inputs, engine.path)
    net_size = spec.size or _PROBE_SIZE
    fitted = card._replace(input=spec, heads=fit_heads(card, _probe(engine, spec, net_size), net_size, engine.path))
    check_fit(fitted, engine.inputs, engine.outputs, engine.path)
    if any(head.kind == "paf" for head in fitted.heads):
        decoding_options(fitted, PafHead(fitted).skeleton)  # what wb-run would refuse is refused here
    return fitted


def _fits(card: ModelCard, engine: Engine) -> bool:
    """Whether the shapes speak for this card: of an embedding they say nothing."""
    try:
        return any(head.kind != "embedding" for head in _fit(card, engine).heads)
    except (CardError, ModelError):
        return False


def _probe(engine: Engine, spec: InputSpec, net_size: tuple[int, int]) -> Shapes:
    """Shapes of all outputs for one blank picture of this size."""
    shape = (1, 3, *net_size) if spec.layout == "NCHW" else (1, *net_size, 3)
    return {name: array.shape for name, array in engine.infer({spec.name: np.zeros(shape, spec.dtype)}).items()}
