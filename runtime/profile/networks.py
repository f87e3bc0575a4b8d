"""The networks of a model by themselves: what each is fed, and how long its layers take."""
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Tuple, Union

import numpy as np

from wholebody.card import InputSpec
from wholebody.engines.engine import Engine
from wholebody.engines.layer_times import LayersTimed, LayerTime
from wholebody.errors import WholebodyError
from wholebody.runtime.detection.network import DetectorNetwork
from wholebody.runtime.estimator import Estimator
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.preprocess import input_shape
from wholebody.runtime.topdown.estimator import TopDownEstimator

if TYPE_CHECKING:
    import numpy.typing as npt

Model = Union[Estimator, TopDownEstimator]


class Fed(NamedTuple):
    """A network and what it is fed for the last frame."""

    stage: str                  # that runs it
    engine: Engine
    input: InputSpec
    shape: Tuple[int, ...]      # of one run's input
    runs: int                   # that the frame took

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


def networks_of(estimate: Model, people: int) -> List[Fed]:
    """Of an estimator that has seen a frame with so many people."""
    if isinstance(estimate, Estimator):
        spec = estimate.card.input
        return [Fed("engine", estimate.engine, spec, (1,) + input_shape(spec, estimate.geometry), 1)]
    found = []
    if isinstance(estimate.finder, DetectorNetwork):
        spec = estimate.finder.card.input
        geometry: Geometry = estimate.lane.seen(0).geometry
        found.append(Fed("detect", estimate.finder.engine, spec, (1,) + input_shape(spec, geometry), 1))
    spec = estimate.card.input
    assert spec.size is not None, "looked at when it was opened"
    sides = (3,) + tuple(spec.size) if spec.layout == "NCHW" else tuple(spec.size) + (3,)
    batch = max(1, min(people, estimate.at_once))
    return found + [Fed("pose", estimate.engine, spec, (batch,) + sides, -(-people // batch))]


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
