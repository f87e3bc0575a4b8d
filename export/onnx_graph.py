"""An ONNX graph as nodes that follow one another, and parts of it run on their own."""
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wholebody.engines.onnxruntime_engine import open_session
from wholebody.errors import ModelError
from wholebody.packages import require

Array = npt.NDArray[Any]


class Graph:
    """A model's nodes, weights and who makes which tensor. Constant nodes count as weights."""

    def __init__(self, path: str) -> None:
        onnx = require("onnx", "export")
        try:
            self.model: Any = onnx.load(path)
        except Exception as error:  # protobuf's, numpy's and the operating system's own
            raise ModelError(f"onnx cannot read {path}: {' '.join(str(error).split())[:300]}")
        graph = self.model.graph
        self.path = path
        self.weights: dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
        self.nodes: list[Any] = []
        for node in graph.node:
            value = next((a.t for a in node.attribute if a.name == "value"), None)
            if node.op_type == "Constant" and value is not None:
                self.weights[node.output[0]] = value
            else:
                self.nodes.append(node)
        self.makers = {name: node for node in self.nodes for name in node.output if name}
        self.outputs = [value.name for value in graph.output]

    def weight(self, name: str) -> Array:
        """The values of a weight."""
        onnx = require("onnx", "export")
        array: Array = onnx.numpy_helper.to_array(self.weights[name])
        return array

    def fed(self, node: Any) -> list[str]:
        """Names of the tensors a node takes that are no weights."""
        return [name for name in node.input if name and name not in self.weights]

    def from_outputs(self) -> list[Any]:
        """The nodes that the outputs need, each after those it takes from; files may keep another order."""
        order: list[Any] = []
        seen: set[int] = set()
        stack = [(self.makers[name], False) for name in reversed(self.outputs) if name in self.makers]
        while stack:
            node, entered = stack.pop()
            if entered:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                stack += [(self.makers[name], False) for name in reversed(self.fed(node)) if name in self.makers]
        return order

    def following(self, name: str) -> set[str]:
        """A tensor and all that are made with it."""
        found = {name}
        for node in self.nodes:  # in a valid file each comes after those it takes from
            if not found.isdisjoint(node.input):
                found.update(node.output)
        return found

    def between(self, cut: Iterable[str], wanted: Iterable[str]) -> tuple[list[Any], list[str]]:
        """Nodes that make `wanted` from the tensors of `cut`, in order, and those of `cut` and inputs they take."""
        borders, needed, entries = set(cut), set(), []
        stack = [name for name in wanted if name not in borders]
        while stack:
            name = stack.pop()
            maker = self.makers.get(name)
            if maker is None or name in borders:
                if name not in entries:
                    entries.append(name)
            elif id(maker) not in needed:
                needed.add(id(maker))
                stack += self.fed(maker)
        return [node for node in self.nodes if id(node) in needed], entries

    def run(self, feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
        """The tensors `wanted`, from those in `feeds`: inputs of the graph or tensors within it."""
        nodes, entries = self.between(feeds, wanted)
        known = {name: feeds[name] for name in wanted if name in feeds}
        missing = [name for name in entries if name not in feeds]
        if missing:
            raise ModelError(f"{self.path}: {missing[0]!r} is made by no node")
        if not nodes:
            return known
        asked = [name for name in wanted if name not in known]
        session, _, _ = open_session(self._part(nodes, {name: feeds[name] for name in entries}, asked), self.path)
        try:
            values = session.run(asked, {name: feeds[name] for name in entries})
        except Exception as error:  # ONNX Runtime's own classes derive from nothing narrower
            raise ModelError(f"{self.path}: {' '.join(str(error).split())[:300]}")
        return {**known, **dict(zip(asked, values))}

    def _part(self, nodes: Sequence[Any], feeds: Mapping[str, Array], wanted: Sequence[str]) -> bytes:
        """A model of these nodes alone."""
        onnx = require("onnx", "export")
        helper = onnx.helper
        inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape))
                  for name, array in feeds.items()]
        taken = {name for node in nodes for name in node.input}
        part = onnx.ModelProto(ir_version=self.model.ir_version, opset_import=self.model.opset_import,
                               functions=self.model.functions)
        part.graph.name = "part"
        part.graph.node.extend(nodes)
        part.graph.input.extend(inputs)
        part.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in wanted)
        for name in taken & self.weights.keys():
            tensor = part.graph.initializer.add()
            tensor.CopyFrom(self.weights[name])
            tensor.name = name
        serialised: bytes = part.SerializeToString()
        return serialised


def relative_error(got: Array, expected: Array) -> float:
    """Largest difference over the range of what is expected; infinite for other shapes and for what is no number.

    >>> relative_error(np.float32([0, 1.5]), np.float32([0, 2]))
    0.25
    """
    if got.shape != expected.shape:
        return float("inf")
    if got.size == 0:
        return 0.0
    wide = expected.astype(np.float64)
    difference = float(np.abs(got.astype(np.float64) - wide).max())
    spread = float(wide.max() - wide.min()) or float(np.abs(wide).max()) or 1.0
    error = difference / spread
    return error if np.isfinite(error) else float("inf")
