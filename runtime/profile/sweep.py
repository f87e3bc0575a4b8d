"""Batches and sizes of the input, against each other: what does a larger batch give, what a smaller picture?"""
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Tuple

from wholebody.errors import WholebodyError
from wholebody.poses import Frame
from wholebody.runtime.estimator import Estimator
from wholebody.runtime.geometry import Resolution
from wholebody.runtime.lane import Lane, Stage, run_stage
from wholebody.runtime.parts.estimator import ComposedEstimator
from wholebody.runtime.profile.crowds import drawn_boxes
from wholebody.runtime.profile.networks import Model, bodies_of
from wholebody.runtime.profile.rounds import LEAST_ROUNDS, MOST_ROUNDS
from wholebody.runtime.profile.spread import timing
from wholebody.runtime.profile.ways import NETWORKS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FRAMES, PEOPLE = "frames", "people"
_ROUNDS_AIMED_AT = 8


class Sweep(NamedTuple):
    """What is tried."""

    batches: Tuple[int, ...] = (1, 2, 4)
    resolutions: Tuple[Resolution, ...] = ()    # none: the usual one and the parts of it that wb-run --hold-fps takes


class _Cell:
    """One batch of one size: its lane, and what it took."""

    def __init__(self, batch: int, lane: Lane, stages: Tuple[Stage, ...], start: Callable[[Lane], None]) -> None:
        self.batch, self.lane, self.input = batch, lane, ""
        self._stages, self._start = stages, start
        self.engine: List[List[float]] = []
        self.pipeline: List[List[float]] = []

    def run(self) -> Tuple[float, float]:
        """Milliseconds of the networks, and of all its stages."""
        self._start(self.lane)
        started = time.perf_counter()
        for stage in self._stages:
            run_stage(stage, self.lane)
        took = 1e3 * (time.perf_counter() - started)
        return sum(ms for name, ms in self.lane.stage_ms.items() if name in NETWORKS), took

    def block(self, runs: int) -> None:
        """So many runs, after one that does not count: another size was at work before."""
        self.run()
        took = [self.run() for _ in range(runs)]
        self.engine.append([engine for engine, _ in took])
        self.pipeline.append([pipeline for _, pipeline in took])

    def told(self) -> Dict[str, Any]:
        """As profile.schema.json describes it."""
        engine, pipeline = timing(self.engine), timing(self.pipeline)
        return {"input": self.input, "batch": self.batch, "engine": engine, "pipeline": pipeline,
                "engine_per_second": _rate(self.batch, engine), "pipeline_per_second": _rate(self.batch, pipeline)}


def sweep(estimate: Model, image: "npt.NDArray[np.uint8]", wanted: Sweep,
          seconds: float) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """Every batch of every size in turn, for about so long; and what cannot be had, with the reason."""
    if isinstance(estimate, ComposedEstimator):
        told, unknown = sweep(bodies_of(estimate), image, wanted, seconds)
        return told, dict(unknown, **{"faces and hands of the sweep": "it is of the network for bodies alone"})
    cells: List[_Cell] = []
    try:
        unknown = (_frames if isinstance(estimate, Estimator) else _people)(estimate, image, wanted, cells)
        takes = [_first(cell, unknown) for cell in cells]
        kept = _different([(cell, one) for cell, one in zip(cells, takes) if one], unknown)
        _measure(kept, seconds)
        return {"of": FRAMES if isinstance(estimate, Estimator) else PEOPLE,
                "rows": [cell.told() for cell, _ in kept]}, unknown
    finally:
        for cell in cells:
            cell.lane.close()


def _frames(estimate: Any, image: "npt.NDArray[np.uint8]", wanted: Sweep, cells: List[_Cell]) -> Dict[str, str]:
    """Batches of frames through a network that sees whole ones."""
    unknown: Dict[str, str] = {}
    batches = _possible(wanted.batches, estimate.max_batch, "frames", unknown)
    if not wanted.resolutions and len(estimate.shares) == 1:
        unknown["sweep of resolutions"] = "the network takes %dx%d only; export or build it for a range of sizes" \
                                          % estimate.card.input.size[::-1]
    for resolution in wanted.resolutions or (Resolution(),):
        for share in (1.0,) if wanted.resolutions else estimate.shares:
            for batch in batches:
                lane = estimate.lane_of(resolution)
                lane.share = share

                def start(own: Lane, batch: int = batch) -> None:
                    own.take([Frame(image, index, time.monotonic(), "sweep") for index in range(batch)])
                cell = _Cell(batch, lane, estimate.stages, start)
                cell.input = "%dx%d" % resolution if wanted.resolutions else "%g of each side" % share
                cells.append(cell)
    return unknown


def _people(estimate: Any, image: "npt.NDArray[np.uint8]", wanted: Sweep, cells: List[_Cell]) -> Dict[str, str]:
    """So many people at once, in drawn boxes of one frame, through a network for one person."""
    size = estimate.card.input.size
    unknown = {"sweep of resolutions": "a network for one person takes %dx%d only" % size[::-1]}
    names = [stage.name for stage in estimate.stages]
    stages = estimate.stages[names.index("boxes") + 1:]
    for batch in _possible(wanted.batches, estimate.at_once, "people", unknown):
        def start(own: Any, batch: int = batch) -> None:
            own.take([Frame(image, 0, time.monotonic(), "sweep")])
            own.detections = [drawn_boxes(batch, image.shape[0], image.shape[1])]
        cell = _Cell(batch, estimate.new_lane(), stages, start)
        cell.input = "%dx%d" % size[::-1]
        cells.append(cell)
    return unknown


def _possible(batches: Tuple[int, ...], most: Any, of: str, unknown: Dict[str, str]) -> List[int]:
    for batch in batches:
        if most is not None and batch > most:
            unknown["sweep of batch %d" % batch] = "the network takes %d %s at once; export or build it for more" \
                                                   % (most, of)
    return [batch for batch in batches if most is None or batch <= most]


def _first(cell: _Cell, unknown: Dict[str, str]) -> float:
    """Milliseconds of a run after the first, which shows whether it can be run at all; 0 where it cannot."""
    try:
        cell.run()
    except WholebodyError as error:
        unknown["sweep of %s, batch %d" % (cell.input, cell.batch)] = str(error)
        return 0.0
    geometry = cell.lane.seen(0).geometry if len(getattr(cell.lane, "geometries", ())) else None
    if geometry is not None:
        cell.input = "%dx%d" % (geometry.net_width, geometry.net_height)
    return max(cell.run()[1], 1e-3)


def _different(cells: List[Tuple[_Cell, float]], unknown: Dict[str, str]) -> List[Tuple[_Cell, float]]:
    """Without those that came out as others did: an engine may take no smaller input."""
    found: Dict[Tuple[str, int], Tuple[_Cell, float]] = {}
    for cell, one in cells:
        key = (cell.input, cell.batch)
        if key in found:
            unknown["sweep of smaller inputs than " + cell.input] = "the network takes none, or sides are rounded to it"
        found.setdefault(key, (cell, one))
    return list(found.values())


def _measure(cells: List[Tuple[_Cell, float]], seconds: float) -> None:
    """Rounds of a block of each, the sizes in turn, so that what else the machine does meets all of them."""
    share = 1e3 * seconds / _ROUNDS_AIMED_AT / max(len(cells), 1)
    end, rounds = time.perf_counter() + seconds, 0
    while cells and rounds < MOST_ROUNDS and (rounds < LEAST_ROUNDS or time.perf_counter() < end):
        for cell, one in cells:
            cell.block(max(1, int(share / one) - 1))
        rounds += 1


def _rate(batch: int, told: Dict[str, Any]) -> float:
    return round(1e3 * batch / max(float(told["p50"]), 1e-9), 3)
