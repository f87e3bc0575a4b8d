"""The networks of a model by themselves: what each is fed, and how long its layers take."""
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Tuple, Union, cast

import numpy as np

from wholebody.card import InputSpec
from wholebody.engines.engine import Engine
from wholebody.engines.layer_times import LayersTimed, LayerTime
from wholebody.errors import WholebodyError
from wholebody.runtime.detection.network import DetectorNetwork
from wholebody.runtime.estimator import Estimator
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.lane import Lane
from wholebody.runtime.parts.estimator import ComposedEstimator, ComposedLane
from wholebody.runtime.parts.network import PartLane
from wholebody.runtime.parts.opening import AnyEstimator
from wholebody.runtime.preprocess import input_shape
from wholebody.runtime.topdown.estimator import TopDownEstimator

if TYPE_CHECKING:
    import numpy.typing as npt

Bodies = Union[Estimator, TopDownEstimator]
Model = AnyEstimator


class Fed(NamedTuple):
    """A network and what it is fed for the last frame."""

    stage: str                  # that runs it
    engine: Engine
    input: InputSpec
    shape: Tuple[int, ...]      # of one run's input
    inputs: int                 # of the frame: itself, its people, or crops of them
    runs: int                   # that they took

    @property
    def size(self) -> Tuple[int, int]:
        """(height, width) of the input."""
        return (self.shape[2], self.shape[3]) if self.input.layout == "NCHW" else (self.shape[1], self.shape[2])

    def feeds(self) -> "Dict[str, npt.NDArray[Any]]":
        """Noise of that shape: how long a network takes does not hang on what it sees."""
        random = np.random.RandomState(0)
        if self.input.dtype == "uint8":
            return {self.input.name: random.randint(0, 256, self.shape).astype(np.uint8)}
        return {self.input.name: random.standard_normal(self.shape).astype(self.input.dtype)}


def bodies_of(estimate: Model) -> Bodies:
    """What finds bodies: all of it, where faces and hands have no networks of their own."""
    return cast(Bodies, estimate.body) if isinstance(estimate, ComposedEstimator) else estimate


def bodies_lane(estimate: Model) -> Lane:
    """The lane of that."""
    lane = estimate.lane
    return lane.body if isinstance(lane, ComposedLane) else lane


def geometry_of(estimate: Model) -> Geometry:
    """How the last frame lay in the input of the first network."""
    return bodies_lane(estimate).seen(0).geometry


def networks_of(estimate: Model, people: int) -> List[Fed]:
    """Of an estimator that has seen a frame with so many people."""
    found = _of_bodies(estimate, people)
    if isinstance(estimate, ComposedEstimator):
        lane = cast(ComposedLane, estimate.lane)
        found += [_of_part(stage, part) for stage, part in zip(estimate.part_stages, lane.parts)]
    return found


def _of_bodies(estimate: Model, people: int) -> List[Fed]:
    bodies = bodies_of(estimate)
    if isinstance(bodies, Estimator):
        spec = bodies.card.input
        return [Fed("engine", bodies.engine, spec, (1,) + input_shape(spec, geometry_of(estimate)), 1, 1)]
    found = []
    if isinstance(bodies.finder, DetectorNetwork):
        spec = bodies.finder.card.input
        found.append(Fed("detect", bodies.finder.engine, spec, (1,) + input_shape(spec, geometry_of(estimate)), 1, 1))
    return found + [_of_crops("pose", bodies.engine, bodies.card.input, people, bodies.at_once)]


def _of_part(stage: str, lane: PartLane) -> Fed:
    network = lane.network
    fed = _of_crops(stage, network.engine, network.spec, lane.crops, network.limit)
    return fed._replace(inputs=2 * fed.inputs, runs=2 * fed.runs) if network.rule.again else fed


def _of_crops(stage: str, engine: Engine, spec: InputSpec, crops: int, at_once: int) -> Fed:
    assert spec.size is not None, "looked at when it was opened"
    sides = (3,) + tuple(spec.size) if spec.layout == "NCHW" else tuple(spec.size) + (3,)
    return Fed(stage, engine, spec, (max(1, min(crops, at_once)),) + sides, crops, -(-crops // at_once))


def layers_of(networks: List[Fed], stage_ms: Dict[str, float],
              seconds: float) -> Tuple[List[Dict[str, Any]], Dict[str, str]]:
    """Every network's layers, as profile.schema.json describes them; and for which there are none, why."""
    told: List[Dict[str, Any]] = []
    unknown: Dict[str, str] = {}
    for fed in networks:
        try:
            timed = fed.engine.time_layers(fed.feeds(), seconds / len(networks))
        except WholebodyError as error:
            unknown["layers of " + fed.stage] = str(error)
            continue
        told.append(_told(fed, timed, stage_ms.get(fed.stage)))
    return told, unknown


def _told(fed: Fed, timed: LayersTimed, stage_ms: Any) -> Dict[str, Any]:
    medians = [float(np.median(layer.ms)) for layer in timed.layers]
    together = max(sum(medians), 1e-9)
    return {"network": fed.stage, "by": timed.by, "batch": fed.shape[0], "runs": len(timed.layers[0].ms),
            "sum_ms": round(together, 4),
            "run_ms": round(float(np.median(timed.run_ms)), 4) if timed.run_ms else None,
            "stage_ms": stage_ms if fed.runs == 1 else None,
            "rows": [_row(layer, median, together) for layer, median in zip(timed.layers, medians)]}


def _row(layer: LayerTime, median: float, together: float) -> Dict[str, Any]:
    return {"name": layer.name, "kind": layer.kind, "precision": layer.precision, "p50": round(median, 4),
            "p95": round(float(np.percentile(layer.ms, 95)), 4), "share": round(median / together, 4)}
