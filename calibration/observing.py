"""A network that is watched while it runs: the magnitudes of every tensor in it."""
from typing import Any, Dict, List, Optional

from wholebody.calibration.histograms import Histogram
from wholebody.engines.engine import Engine
from wholebody.engines.onnx_graph import GRAPH_OUTPUT, Graph
from wholebody.engines.onnx_weights import FLOAT
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.onnxruntime_engine import open_session
from wholebody.engines.qdq_graph import graph_of
from wholebody.errors import ModelError
from wholebody.protobuf import Field, WireError, encode_bytes, encode_number, rewritten

_MODEL_GRAPH = 7


class ObservedEngine(Engine):
    """Runs like any other and counts into `histograms` what goes through its tensors, while `counting`."""

    def __init__(self, path: str, threads: int = 0) -> None:
        data = read_bytes(path)
        file = parse_onnx(data, path)
        if file.external_files:
            raise ModelError("%s keeps weights in files beside it (%s): save it as one file first"
                             % (path, file.external_files[0]))
        self.path, self.card = path, card_of(file, path)
        try:
            self.graph: Graph = graph_of(data)
        except WireError as error:
            raise ModelError("%s is not a readable ONNX file (%d bytes): %s" % (path, len(data), error))
        self.tensors = watched(self.graph)
        self.histograms: Dict[str, Histogram] = {name: Histogram() for name in self.tensors}
        self.counting = True
        self._plain, self.inputs, self.outputs = open_session(data, path, threads)
        self._open: Optional[Any] = open_session(with_outputs(data, self.graph, self.tensors), path, threads)[0]
        self._names = [info.name for info in self._open.get_outputs()]

    def infer(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        """Run once, and count."""
        if self._open is None:
            raise ModelError("%s is closed; open it again" % self.path)
        wanted = [info.name for info in self.outputs]
        try:
            if not self.counting:
                return dict(zip(wanted, self._plain.run(wanted, feeds)))
            values = dict(zip(self._names, self._open.run(self._names, feeds)))
        except Exception as error:  # ONNX Runtime's own classes derive from nothing narrower
            raise ModelError("%s cannot run: %s" % (self.path, " ".join(str(error).split())[:300]))
        for name in self.tensors:
            try:
                self.histograms[name].add(feeds[name] if name in feeds else values[name])
            except ValueError as error:
                raise ModelError("%s: tensor %s %s: it cannot be calibrated" % (self.path, name, error))
        return {name: values[name] for name in wanted}

    def close(self) -> None:
        """Free the sessions."""
        self._plain = self._open = None


def watched(graph: Graph) -> List[str]:
    """The FP32 tensors that depend on the input: those that may be INT8."""
    moving = {name for name, dtype in graph.inputs.items() if dtype == FLOAT}
    found = [name for name in graph.inputs if name in moving]
    reached = set(graph.inputs)
    for node in graph.nodes:
        if not reached.isdisjoint(node.inputs):
            reached.update(node.outputs)
            found += [name for name in node.outputs if name and graph.types.get(name) == FLOAT]
    return found


def with_outputs(data: bytes, graph: Graph, tensors: List[str]) -> bytes:
    """The model with these tensors as outputs too."""
    more = [name for name in tensors if name not in graph.outputs and name not in graph.inputs]
    untyped = b"".join(encode_bytes(GRAPH_OUTPUT, encode_bytes(1, name.encode("utf-8")) + _FLOAT_TENSOR)
                       for name in more)

    def replace(field: Field) -> Optional[bytes]:
        return encode_bytes(_MODEL_GRAPH, bytes(graph.message) + untyped) if field.number == _MODEL_GRAPH else None

    return rewritten(memoryview(data), replace)


_FLOAT_TENSOR = encode_bytes(2, encode_bytes(1, encode_number(1, FLOAT)))  # of any shape
