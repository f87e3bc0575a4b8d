"""How far a converted network's outputs are from the float network's, on a few pictures as it sees them."""
import contextlib
import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.calibration.observing import with_outputs
from wholebody.engines.engine import Engine
from wholebody.engines.onnx_nodes import Node, attribute_int
from wholebody.engines.onnxfile import parse_onnx
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine, open_session
from wholebody.engines.qdq_graph import Candidate, candidates, graph_of, weights_of
from wholebody.errors import EvaluationError, SourceError
from wholebody.poses import Frame
from wholebody.runtime.estimator import estimator_around
from wholebody.runtime.sources.pictures import read_picture

Feeds = Dict[str, Any]


class Cost(NamedTuple):
    """A node that INT8 has a form for, and what it multiplies."""

    candidate: Candidate
    macs: int      # on the probe's first picture
    source: str    # the tensor that it reads


class _Recorder(Engine):
    """Keeps what the runtime feeds the network."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.path, self.card = engine.path, engine.card
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self.fed: List[Feeds] = []

    def infer(self, feeds: Feeds) -> Dict[str, Any]:
        """Run, and keep a copy of the feeds."""
        self.fed.append({name: np.array(array) for name, array in feeds.items()})
        return self._engine.infer(feeds)

    def close(self) -> None:
        """Free the network."""
        self._engine.close()


def prepared(model: str, paths: Sequence[Any], estimator: Sequence[Tuple[str, Any]] = ()) -> List[Feeds]:
    """What the network of a model file is fed for these pictures."""
    recorder = _Recorder(OnnxRuntimeEngine(model))
    with estimator_around(recorder, **dict(estimator)) as estimate:
        for index, path in enumerate(paths):
            with contextlib.suppress(SourceError):  # a picture that cannot be read
                estimate.process(Frame(read_picture(path), index, time.monotonic(), path.stem))
        fed = recorder.fed
    if not fed:
        raise EvaluationError("none of %d pictures gives the network anything to see" % len(paths))
    return fed


class OutputError:
    """The float network's answers to some inputs, with which others are compared."""

    def __init__(self, data: bytes, fed: Sequence[Feeds]) -> None:
        self.fed = list(fed)
        self._names = [info.name for info in parse_onnx(data, "the network").outputs]
        self._expected = self._answers(data)

    def __call__(self, data: bytes) -> float:
        """Energy of the difference over energy of the float output; the mean of outputs and inputs."""
        ratios = [_energy(b.astype(np.float64) - a) / max(_energy(a), 1e-30)
                  for expected, found in zip(self._expected, self._answers(data)) for a, b in zip(expected, found)]
        return float(np.mean(ratios))

    def _answers(self, data: bytes) -> List[List[Any]]:
        session = open_session(data, "the network")[0]
        return [session.run(self._names, feeds) for feeds in self.fed]


def costs(data: bytes, feeds: Feeds) -> List[Cost]:
    """What each node that may be INT8 multiplies for one input."""
    graph = graph_of(data)
    found = candidates(graph)
    wanted = sorted({name for one in found for name in (graph.nodes[one.place].outputs[0],
                                                        graph.nodes[one.place].inputs[0])} - set(graph.inputs))
    session = open_session(with_outputs(data, graph, wanted), "the network")[0]
    sizes = {name: array.size for name, array in zip(wanted, session.run(wanted, feeds))}
    sizes.update((name, array.size) for name, array in feeds.items())
    weights = weights_of(graph, [one.weights for one in found])
    nodes = [graph.nodes[one.place] for one in found]
    return [Cost(one, _macs(node, sizes, weights[one.weights].shape), node.inputs[0])
            for one, node in zip(found, nodes)]


def _macs(node: Node, sizes: Dict[str, int], shape: Sequence[int]) -> int:
    per_output: Dict[str, Callable[[], int]] = {
        "Conv": lambda: sizes[node.outputs[0]] * int(np.prod(shape[1:])),
        "ConvTranspose": lambda: sizes[node.inputs[0]] * int(np.prod(shape[1:])),
        "Gemm": lambda: sizes[node.outputs[0]] * shape[1 if attribute_int(node, "transB", 0) else 0],
        "MatMul": lambda: sizes[node.outputs[0]] * shape[0]}
    return int(per_output[node.operator]())


def _energy(values: Any) -> float:
    return float(np.square(values, dtype=np.float64).sum())
