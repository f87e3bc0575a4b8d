"""Results of several sources brought together: those of one moment, in order."""
import abc
import collections
import logging
from typing import Deque, List, NamedTuple, Optional, Sequence

from wholebody.poses import Frame, Result
from wholebody.poses3d import Poses3D
from wholebody.runtime.multiview.people import Rig, View
from wholebody.runtime.sinks.base import Details, Sink

log = logging.getLogger("wholebody")
APART_SECONDS = 0.02  # frames of live cameras that count as one moment
_MOST_WAITING = 256   # results of a camera while another has none: it may be lost, or its file over


class Moment(NamedTuple):
    """Everybody at one time."""

    index: int  # type: ignore[assignment]  # counts moments, of files frames
    name: str                # of the first camera's frame
    captured_at: float       # of the first camera's frame, time.monotonic()
    poses: Poses3D
    views: Sequence[View]


class MomentSink(abc.ABC):
    """Takes people in three dimensions, in order."""

    @abc.abstractmethod
    def write(self, moment: Moment) -> None:
        """Write one moment."""

    def close(self) -> None:  # noqa: B027 - one file a moment leaves nothing open
        """Complete the files."""

    def abort(self) -> None:  # noqa: B027 - as close
        """Remove what is not complete."""


class _Waiting(NamedTuple):
    frame_index: int
    name: str
    captured_at: float
    view: View


class Moments:
    """Waits until every camera has a result of the same frame (files) or the same time (live), then places people."""

    def __init__(self, rig: Rig, sinks: Sequence[MomentSink], live: bool, apart: float = APART_SECONDS) -> None:
        self.rig, self._sinks, self._live, self._apart = rig, list(sinks), live, apart
        self._waiting: List[Deque[_Waiting]] = [collections.deque() for _ in rig.cameras]
        self._open = len(rig.cameras)
        self._aborted = False
        self.moments = self.people = self.alone = 0  # alone: results that no other camera had a partner for

    def views(self) -> "List[ViewSink]":
        """A sink for each camera's source, in their order."""
        return [ViewSink(self, number) for number in range(len(self.rig.cameras))]

    def add(self, number: int, frame: Frame, result: Result) -> None:
        """A camera's result; they come in order of each camera."""
        height, width = frame.image.shape[:2]
        self._waiting[number].append(_Waiting(frame.index, frame.source, frame.captured_at,
                                              View(result.poses, width, height)))
        if len(self._waiting[number]) > _MOST_WAITING:
            self._waiting[number].popleft()
            self.alone += 1
        while all(self._waiting):
            self._match_heads()

    def _match_heads(self) -> None:
        """Place the oldest results if they are of one moment, else drop those that are too old to have a partner."""
        heads = [queue[0] for queue in self._waiting]
        when = [head.captured_at if self._live else float(head.frame_index) for head in heads]
        newest = max(when)
        late = [number for number, time in enumerate(when) if newest - time > (self._apart if self._live else 0)]
        for number in late or range(len(heads)):
            self._waiting[number].popleft()
        if late:
            self.alone += len(late)
            return
        views = [head.view for head in heads]
        poses = self.rig(views)
        index = self.moments if self._live else heads[0].frame_index
        self.moments += 1
        self.people += len(poses)
        for sink in self._sinks:
            sink.write(Moment(index, heads[0].name, heads[0].captured_at, poses, views))

    def leave(self, aborted: bool) -> None:
        """One of the views has ended; the last one ends the files."""
        self._aborted = self._aborted or aborted
        self._open -= 1
        if self._open == 0:
            self.alone += sum(map(len, self._waiting))
            for sink in self._sinks:
                if self._aborted:
                    sink.abort()
                else:
                    sink.close()

    def report(self) -> List[str]:
        """Lines for the end of a run."""
        first = "3D: %d moments, %d people" % (self.moments, self.people)
        if self.alone:
            first += "; %d results had no partner in the other cameras" % self.alone
        return [first] + (["3D: " + line for line in self.rig.report()] if self.people else [])


class ViewSink(Sink):
    """What one camera's source writes into."""

    def __init__(self, moments: Moments, number: int) -> None:
        self._moments: Optional[Moments] = moments
        self._number = number

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - pixels of the frame
        """Hand it to the others."""
        assert self._moments is not None, "write after close"
        self._moments.add(self._number, frame, result)

    def close(self) -> None:
        """This camera has ended."""
        moments, self._moments = self._moments, None
        if moments is not None:
            moments.leave(aborted=False)

    def abort(self) -> None:
        """This camera has ended badly."""
        moments, self._moments = self._moments, None
        if moments is not None:
            moments.leave(aborted=True)
