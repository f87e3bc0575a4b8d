"""Lanes and stages: the one way of a frame, whether it goes alone or others are in flight beside it.

A lane is a batch of frames (mostly one) with every buffer that its way takes; a stage is one step of that way. An
estimator has a tuple of stages and makes lanes. `StagedEstimator.process` runs a lane through the stages one after the
other; the pipeline gives each stage a thread and keeps several lanes in flight. Lanes share the network and facts that
never change, and nothing else: what a stage writes belongs to the lane.
"""
import abc
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar

from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.geometry import Geometry
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

_Same = TypeVar("_Same", bound="StagedEstimator")


class Seen(NamedTuple):
    """What the network said about one frame of a lane, beside the people; valid until the lane takes other frames."""

    geometry: Geometry                                                # how the frame lay in the network's input
    heatmaps: "Optional[npt.NDArray[np.float32]]" = None              # (C, h, w)
    pafs: "Optional[npt.NDArray[np.float32]]" = None                  # (2L, h, w)
    candidates: "Optional[List[npt.NDArray[np.float32]]]" = None      # per keypoint (n, 3) x, y, score, frame pixels


class Lane(abc.ABC):
    """Frames on their way through the stages: at any time one stage, and so one thread, has it."""

    def __init__(self) -> None:
        self.frames: Sequence[Frame] = ()
        self.share = 1.0                      # of the usual sides of the network's input: one of the estimator's shares
        self.poses: List[Poses] = []          # the last stage fills it: one for each frame, in its pixels
        self.stage_ms: Dict[str, float] = {}  # of the whole batch; `run_stage` fills it
        self.results: List[Result] = []       # `finish` fills it

    def take(self, frames: Sequence[Frame]) -> None:
        """Set out with these frames; what was left of the last ones is gone."""
        self.frames = frames
        self.poses, self.results, self.stage_ms = [], [], {}

    def finish(self) -> None:
        """All stages are done: make results of the poses. Their latency ends here."""
        now = time.monotonic()
        self.results = [Result(frame.index, frame.captured_at, poses, dict(self.stage_ms),
                               1e3 * (now - frame.captured_at)) for frame, poses in zip(self.frames, self.poses)]

    @abc.abstractmethod
    def seen(self, index: int, candidates: bool = False) -> Seen:
        """What the network said about the frame of this index; every peak as well if `candidates` are wanted."""

    def close(self) -> None:  # noqa: B027 - most hold memory only
        """Free what the lane holds; closing twice is allowed."""


class Stage(NamedTuple):
    """One step: reads from its lane what earlier stages left there and adds its own. One thread runs it at a time."""

    name: str
    run: Callable[[Any], None]  # of the lanes that the same estimator makes


def run_stage(stage: Stage, lane: Lane) -> None:
    """Run one stage over a lane and note the milliseconds it took."""
    started = time.perf_counter()
    stage.run(lane)
    # A stage that only puts work on a GPU knows better: what it, or a later one, writes there itself stays.
    lane.stage_ms.setdefault(stage.name, 1e3 * (time.perf_counter() - started))


class StagedEstimator(abc.ABC):
    """Whatever finds people in frames by stages. A context manager; `process` serves one thread."""

    skeleton: Skeleton
    stages: Tuple[Stage, ...]
    _own: Optional[Lane] = None

    @abc.abstractmethod
    def new_lane(self) -> Lane:
        """A lane for these stages; whoever asks for it closes it, and does so before the estimator."""

    @property
    def max_batch(self) -> Optional[int]:
        """Frames of one size that the network takes at once; None is any number. A lane takes more, one by one."""
        return 1

    @property
    def shares(self) -> Tuple[float, ...]:
        """Parts of the usual sides that the network's input may have, from 1 down; one size has no other."""
        return (1.0,)

    @property
    def lane(self) -> Lane:
        """The lane that `process` uses."""
        if self._own is None:
            self._own = self.new_lane()
        return self._own

    def __call__(self, image: "npt.NDArray[np.uint8]") -> Poses:
        """uint8 (H, W, 3) BGR -> who is in it, in its pixels."""
        return self.process(Frame(image, 0, time.monotonic(), "frame")).poses

    def process(self, frame: Frame) -> Result:
        """One frame through every stage, with the milliseconds of each."""
        lane = self.lane
        lane.take([frame])
        for stage in self.stages:
            run_stage(stage, lane)
        lane.finish()
        return lane.results[0]

    def close(self) -> None:
        """Free the network and the lane of `process`."""
        if self._own is not None:
            self._own.close()

    def __enter__(self: "_Same") -> "_Same":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: "Optional[TracebackType]") -> None:
        self.close()
