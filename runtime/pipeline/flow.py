"""Frames through the stages: in turn in the caller's thread, or with a thread for each stage and lanes in flight."""
import abc
import threading
import time
from types import TracebackType
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Type

from wholebody.runtime.lane import Lane, Stage, StagedEstimator, run_stage
from wholebody.runtime.pipeline.channel import Channel
from wholebody.runtime.pipeline.gate import Gate, OpenGate
from wholebody.runtime.pipeline.holder import Holder
from wholebody.runtime.pipeline.holding import Level
from wholebody.runtime.pipeline.reading import Reader, Round

READ, WRITE = "read", "write"
FULL = Level(1.0, 1)
Meanwhile = Callable[[], None]


class Trip:
    """One lane on its way, where its frames came from, and what went wrong: errors travel in order, as frames do."""

    __slots__ = ("lane", "origins", "error", "level", "seconds")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.origins: Sequence[int] = ()
        self.error: Optional[BaseException] = None
        self.level = FULL
        self.seconds: Optional[float] = None  # that the stages took, where nothing runs beside them

    def cost(self) -> float:
        """Seconds after which another frame could follow: all stages in turn, or the slowest beside the others.

        The stages' own times do not add up on a GPU: who waits for the network counts its time as well.
        """
        stage_ms = self.lane.results[0].stage_ms
        if self.seconds is None:
            return 1e-3 * max(stage_ms.values())
        return self.seconds + 1e-3 * stage_ms.get(WRITE, 0.0)


class Flow(abc.ABC):
    """A context manager; leaving it ends all threads and frees the lanes, whatever happened."""

    def __init__(self, estimate: StagedEstimator, reader: Reader, holder: Optional[Holder] = None) -> None:
        self.estimate = estimate
        self.reader = reader
        self.holder = holder
        self.busy: Dict[str, float] = {}  # seconds that each stage was at work; one thread writes each of them
        self._lanes: List[Lane] = []

    @abc.abstractmethod
    def trips(self, meanwhile: Meanwhile) -> Iterator[Trip]:
        """Every trip that is done, in order; its lane is used again with the next one. `meanwhile` may raise."""

    def close(self) -> None:
        """End it."""
        self.reader.stop()
        self.reader.close()
        while self._lanes:
            self._lanes.pop().close()

    def new_trip(self) -> Trip:
        """A trip in a new lane, which the flow closes."""
        lane = self.estimate.new_lane()
        self._lanes.append(lane)
        return Trip(lane)

    def run(self, stage: Stage, lane: Lane) -> None:
        """A stage, and how long it kept its thread."""
        started = time.perf_counter()
        try:
            run_stage(stage, lane)
        finally:
            self.count(stage.name, started)

    def count(self, name: str, started: float) -> None:
        """Time since `started` went to this stage."""
        self.busy[name] = self.busy.get(name, 0.0) + time.perf_counter() - started

    def read(self, trip: Trip, meanwhile: Optional[Meanwhile] = None) -> bool:
        """Frames into a lane; False at the end."""
        started = time.perf_counter()
        trip.level = FULL if self.holder is None else self.holder.level
        found = self._next(trip.level, meanwhile)
        if not self.reader.live:  # a camera is waited for, not worked on
            self.count(READ, started)
        if found is None:
            return False
        trip.lane.take(found.frames)
        trip.lane.share = trip.level.share
        trip.origins, trip.error = found.origins, None
        return True

    def _next(self, level: Level, meanwhile: Optional[Meanwhile]) -> Optional[Round]:
        """The next frames, and before them those that are left out; none is left out at the end."""
        found = self.reader.next(meanwhile)
        for _ in range(level.every - 1):
            following = self.reader.next(meanwhile) if found is not None else None
            if following is None:
                break
            if self.holder is not None and found is not None:
                self.holder.skipped += len(found.frames)
            found = following
        return found

    def __enter__(self) -> "Flow":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()


class InTurn(Flow):
    """One lane, stage after stage in the caller's thread: times add up, and nothing runs beside anything."""

    def trips(self, meanwhile: Meanwhile) -> Iterator[Trip]:
        trip = self.new_trip()
        while True:
            meanwhile()
            if not self.read(trip, meanwhile):
                return
            started = time.perf_counter()
            for stage in self.estimate.stages:
                self.run(stage, trip.lane)
            trip.seconds = time.perf_counter() - started
            trip.lane.finish()
            yield trip


class InFlight(Flow):
    """Lanes circulate: a thread that reads, one for each stage, and the caller, who writes."""

    def __init__(self, estimate: StagedEstimator, reader: Reader, lanes: int, holder: Optional[Holder] = None) -> None:
        super().__init__(estimate, reader, holder)
        stages = estimate.stages
        self._gate = Gate(len(stages) + 1) if reader.live else OpenGate()
        self._free: "Channel[Trip]" = Channel()
        self._before: "List[Channel[Trip]]" = [Channel() for _ in range(len(stages) + 1)]  # each stage, and the caller
        self._threads = [threading.Thread(target=self._feed, name="wholebody-read", daemon=True)]
        for number, stage in enumerate(stages):
            self._threads.append(threading.Thread(target=self._work, args=(number, stage), daemon=True,
                                                  name="wholebody-" + stage.name))
        self._started: List[threading.Thread] = []
        self._count = lanes

    def trips(self, meanwhile: Meanwhile) -> Iterator[Trip]:
        for _ in range(self._count):
            self._free.put(self.new_trip())
        for thread in self._threads:
            thread.start()
            self._started.append(thread)
        writing = len(self.estimate.stages)
        while True:
            trip = self._before[-1].take(meanwhile)
            meanwhile()
            if trip is None:
                return
            if trip.error is not None:
                raise trip.error
            self._gate.started(writing)
            yield trip
            self._gate.finished(writing)
            trip.lane.take(())
            self._free.put(trip)

    def close(self) -> None:
        for channel in [self._free] + self._before:
            channel.close(discard=True)
        self._gate.close()
        self.reader.stop()
        for thread in self._started:
            thread.join()
        super().close()

    def _feed(self) -> None:
        """Takes a free lane, waits for its time to come, and only then takes frames: the newest of what is live."""
        while True:
            trip = self._free.take()
            if trip is None or not self._gate.enter():
                break
            try:
                if not self.read(trip):
                    break
            except BaseException as error:
                trip.error = error
                self._before[0].put(trip)
                break
            self._before[0].put(trip)
        self._before[0].close()

    def _work(self, number: int, stage: Stage) -> None:
        inbox, outbox = self._before[number], self._before[number + 1]
        last = number + 1 == len(self.estimate.stages)
        while True:
            trip = inbox.take()
            if trip is None:
                break
            if trip.error is None:
                self._gate.started(number)
                try:
                    self.run(stage, trip.lane)
                    if last:
                        trip.lane.finish()
                except BaseException as error:
                    trip.error = error
                self._gate.finished(number)
            outbox.put(trip)
        outbox.close()
