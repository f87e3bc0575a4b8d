"""A checkpoint as an open network, with the card that its architecture has."""
from typing import Any

import torch

from wholebody.engines.engine import Engine
from wholebody.errors import ModelError
from wholebody.export.checkpoint_verification import load_for
from wholebody.export.model_file import read_model
from wholebody.export.onnx_export import OnnxOptions, network_preset


class TorchEngine(Engine):
    """Runs in PyTorch on the CPU."""

    def __init__(self, path: str, network: Any, model: Any, card: Any) -> None:
        self.path, self.card = path, card
        self.inputs, self.outputs = (model.source,), model.file.outputs
        self._network = network

    def infer(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """One pass."""
        if self._network is None:
            raise ModelError(f"{self.path} is closed; open it again")
        with torch.inference_mode():
            maps = self._network(torch.from_numpy(feeds[self.inputs[0].name]))
        return {info.name: tensor.contiguous().numpy() for info, tensor in zip(self.outputs, maps)}

    def close(self) -> None:
        """Free the network."""
        self._network = None


def open_checkpoint(path: str, onnx: str, arch: str | None = None) -> TorchEngine:
    """The network of a checkpoint; names and sizes are those of the ONNX file that was made of it."""
    model = read_model(onnx)
    if model.card is None or model.source.dtype != "float32":
        raise ModelError(f"{onnx}: stages are compared with a card and a float32 input: export it without --fold-input")
    loaded = load_for(path, model, arch)
    names = {name for name, _ in loaded.architecture.channels}
    if {info.name for info in model.file.outputs} != names:
        raise ModelError(f"{path} is {loaded.architecture.name}, whose outputs are {', '.join(sorted(names))}; {onnx} "
                         f"has {', '.join(info.name for info in model.file.outputs)}")
    order = {name: place for place, name in enumerate(loaded.architecture.outputs)}
    own = network_preset(loaded, OnnxOptions()).input
    card = model.card._replace(input=own._replace(name=model.source.name, size=model.card.input.size,
                                                  height=model.card.input.height))
    engine = TorchEngine(path, loaded.network, model, card)
    engine.outputs = tuple(sorted(model.file.outputs, key=lambda info: order[info.name]))
    return engine
