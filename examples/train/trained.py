"""What comes out of a run: weights in half precision, a model file with its card, and how good it is."""

import dataclasses
import functools
import json
import pathlib
import tempfile
from typing import Any, Dict, Sequence

import torch
from safetensors.torch import load_file, save_file

from wholebody.calibration.coco_protocol import evaluate, load_annotations
from wholebody.calibration.running import AnnotatedImages, run_on_annotated
from wholebody.card import card_to_json
from wholebody.export.checkpoints.checkpoint import file_sha256
from wholebody.export.loading import LoadedNetwork
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.networks.lite import WholebodyLite
from wholebody.export.onnx_export import export_onnx
from wholebody.export.presets import load_preset
from wholebody.files import replace_when_done, write_text
from wholebody.runtime.estimator import open_estimator
from wholebody.skeletons import Skeleton

ARCHITECTURE = "wholebody-lite"
INPUT_MEAN, INPUT_STD = 127.0, 128.0  # of every channel: what EfficientNet-lite was trained with


def write_weights(network: WholebodyLite, path: pathlib.Path) -> None:
    """Safetensors with half-precision kernels; `wb-export onnx` reads them where the skeleton is COCO_18."""
    state = {}
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            kept = torch.float16 if tensor.dim() > 1 else torch.float32
            state[name] = tensor.detach().to("cpu", kept).contiguous().clone()
    with replace_when_done(path, overwrite=True) as partial:
        save_file(state, str(partial))


def read_weights(path: pathlib.Path, skeleton: Skeleton) -> WholebodyLite:
    """The network of a weights' file, in evaluation mode."""
    state = load_file(str(path))
    refinements = len({name.split(".")[1] for name in state if name.startswith("refinements.")})
    network = WholebodyLite(skeleton.heatmap_channels, skeleton.paf_channel_count, refinements)
    missing = network.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    lost = [name for name in missing.missing_keys if not name.endswith("num_batches_tracked")]
    if lost or missing.unexpected_keys:
        raise ValueError("%s: not a network for %s: %s" % (path, skeleton.name, (lost + missing.unexpected_keys)[0]))
    return network.eval().requires_grad_(False)


def write_model(weights: pathlib.Path, skeleton: Skeleton, model: pathlib.Path) -> None:
    """The ONNX file of any skeleton, with a card."""
    network = read_weights(weights, skeleton)
    with tempfile.TemporaryDirectory() as folder:
        preset = pathlib.Path(folder) / "card.json"
        write_text(preset, card_to_json(load_preset(ARCHITECTURE)._replace(skeleton=skeleton)))
        architecture = dataclasses.replace(
            ARCHITECTURES[ARCHITECTURE], skeleton=skeleton.name, preset=str(preset), build=functools.partial(
                WholebodyLite, skeleton.heatmap_channels, skeleton.paf_channel_count, len(network.refinements)),
            channels=(("heatmaps", skeleton.heatmap_channels), ("pafs", skeleton.paf_channel_count)))
        export_onnx(LoadedNetwork(network, architecture, skeleton, (), file_sha256(str(weights))), str(model),
                    source=weights.name, overwrite=True)


def measure(model: pathlib.Path, annotations: pathlib.Path, images: pathlib.Path,
            names: Sequence[str] = ()) -> Dict[str, float]:
    """COCO's statistics of a model file, on the photographs that are named or on all of the annotation file."""
    with tempfile.TemporaryDirectory() as folder, open_estimator(str(model)) as estimate:
        truth, results = pathlib.Path(folder) / "truth.json", pathlib.Path(folder) / "results.json"
        write_text(truth, json.dumps(chosen(json.loads(annotations.read_text(encoding="utf-8")), names)))
        labelled = load_annotations(str(truth))
        run_on_annotated(estimate, AnnotatedImages(labelled, str(images)), results, lambda *_: None)
        return dict(evaluate(labelled, str(results)).statistics)


def chosen(truth: Dict[str, Any], names: Sequence[str]) -> Dict[str, Any]:
    """The annotations of the photographs that are named, with or without suffix; all without names."""
    stems = {pathlib.PurePath(name).stem for name in names}
    images = [image for image in truth["images"] if not stems or pathlib.PurePath(image["file_name"]).stem in stems]
    numbers = {image["id"] for image in images}
    entries = [entry for entry in truth["annotations"] if entry["image_id"] in numbers]
    return dict(truth, images=images, annotations=entries)
