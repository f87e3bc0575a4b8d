"""The ways of a frame that are timed: network alone, one frame after the other, frames in flight, from a camera."""
import threading
import time
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NamedTuple, Sequence

from wholebody.errors import WholebodyError
from wholebody.poses import Frame, Result
from wholebody.runtime.lane import StagedEstimator, run_stage
from wholebody.runtime.paf_lane import PafLane
from wholebody.runtime.parts.estimator import ComposedLane
from wholebody.runtime.pipeline import PipelineOptions, run_pipeline
from wholebody.runtime.profile import processor
from wholebody.runtime.sinks.base import Details, Sink
from wholebody.runtime.sources import Source
from wholebody.runtime.topdown.cuda_lane import CudaTopDownLane
from wholebody.runtime.topdown.lane import TopDownLane

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NETWORKS = ("engine", "detect", "pose", "face", "hands")     # stages that are a network's
WAITING = "waiting"


def on_host(lane: Any) -> bool:
    """Whether the lane's network stages end when the network does, and can be run again by themselves."""
    bodies = lane.body if isinstance(lane, ComposedLane) else lane
    return isinstance(bodies, (PafLane, TopDownLane)) and not isinstance(bodies, CudaTopDownLane)


class InTurn:
    """One frame after the other through all stages, and the networks alone on what the last one left in the lane."""

    def __init__(self, estimate: StagedEstimator, image: "npt.NDArray[np.uint8]") -> None:
        self.estimate, self.image = estimate, image
        self.stage_ms: Dict[str, List[float]] = {stage.name: [] for stage in estimate.stages}
        self.people = 0
        self._networks = [stage for stage in estimate.stages if stage.name in NETWORKS]

    def frame(self) -> float:
        """One frame; its milliseconds."""
        started = time.perf_counter()
        result = self.estimate.process(Frame(self.image, 0, time.monotonic(), "profile"))
        took = 1e3 * (time.perf_counter() - started)
        for name, ms in result.stage_ms.items():
            self.stage_ms[name].append(ms)
        self.people = len(result.poses)
        return took

    def engine(self) -> float:
        """The networks on the input of the last frame; on a GPU a whole frame, of which its events tell their part."""
        lane = self.estimate.lane
        if not on_host(lane):
            result = self.estimate.process(Frame(self.image, 0, time.monotonic(), "profile"))
            return sum(result.stage_ms.get(name, 0.0) for name in NETWORKS)
        lane.stage_ms = {}
        for stage in self._networks:
            run_stage(stage, lane)
        return sum(lane.stage_ms.values())


class Again(Source):
    """One picture as often as it is asked for: a file that costs nothing to read."""

    def __init__(self, image: "npt.NDArray[np.uint8]") -> None:
        super().__init__("picture")
        self.image = image

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while True:
            yield Frame(self.image, index, time.monotonic(), "picture")
            index += 1


class PacedFrames(Source):
    """A camera that is none: the picture `fps` times a second, on time whether or not anybody is ready."""

    live = True

    def __init__(self, image: "npt.NDArray[np.uint8]", fps: float) -> None:
        super().__init__("paced picture")
        self.image, self.fps = image, fps
        self._stop = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        started, index = time.monotonic(), 0
        while not self._stop.wait(max(0.0, started + index / (self.fps or 1.0) - time.monotonic())):
            yield Frame(self.image, index, time.monotonic(), "paced")
            index += 1

    def stop(self) -> None:
        """Called by another thread."""
        self._stop.set()


class _Kept(Sink):
    """Keeps every result and when it came."""

    def __init__(self) -> None:
        self.results: List[Result] = []
        self.at: List[float] = []
        self.cpu: List[float] = []

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002
        """One more."""
        self.at.append(time.perf_counter())
        self.cpu.append(processor.now())
        self.results.append(result)


class Flight(NamedTuple):
    """A run of the pipeline."""

    results: List[Result]
    at: List[float]         # seconds, when each was done
    cpu: List[float]        # seconds of the processor until then
    dropped: int
    seconds: float


def fly(source: Source, estimate: StagedEstimator, in_flight: int, seconds: float) -> Flight:
    """The pipeline over a source for so long."""
    kept = _Kept()
    summary = run_pipeline(source, estimate, [kept], PipelineOptions(in_flight=in_flight, seconds=seconds))
    if summary.stopped:
        raise KeyboardInterrupt
    if not kept.results:
        raise WholebodyError("%s: no frame was done within %.1f s; measure longer: --seconds %d"
                             % (source.name, seconds, int(20 * seconds) + 10))
    return Flight(kept.results, kept.at, kept.cpu, summary.dropped, summary.seconds)


def waits(results: Sequence[Result]) -> List[float]:
    """Milliseconds between capture and result in which no stage had the frame."""
    return [max(0.0, result.latency_ms - sum(ms for name, ms in result.stage_ms.items() if name != "write"))
            for result in results]
