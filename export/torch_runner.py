"""A torch network as one of polygraphy's runners. Import it after `require("polygraphy", "export")`."""
import time
from collections import OrderedDict
from collections.abc import Sequence

import torch
from polygraphy.backend.base import BaseRunner
from polygraphy.common import TensorMetadata
from torch import nn

from wholebody.engines.engine import TensorInfo
from wholebody.export.onnx_graph import Array


class TorchRunner(BaseRunner):  # type: ignore[misc]  # polygraphy has no types
    """Runs a network on the CPU; its outputs carry these names, in the order of what it returns."""

    def __init__(self, network: nn.Module, source: TensorInfo, outputs: Sequence[str]) -> None:
        super().__init__(name="torch")
        self._network, self._source, self._outputs = network, source, tuple(outputs)

    def get_input_metadata_impl(self) -> TensorMetadata:
        """The input that the other side has too."""
        shape = [dim if isinstance(dim, int) else None for dim in self._source.shape]
        return TensorMetadata().add(self._source.name, dtype=self._source.dtype, shape=shape)

    def infer_impl(self, feed_dict: dict[str, Array]) -> "OrderedDict[str, Array]":
        """One pass."""
        started = time.perf_counter()
        with torch.inference_mode():
            maps = self._network(torch.from_numpy(feed_dict[self._source.name]))
        self.inference_time = time.perf_counter() - started
        # From pixels in NHWC torch keeps that order in memory; polygraphy wants it contiguous.
        return OrderedDict((name, tensor.contiguous().numpy()) for name, tensor in zip(self._outputs, maps))
