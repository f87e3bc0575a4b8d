"""Frames out of one source or several: every one of files, the newest of what is live."""
import abc
import logging
import threading
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

from wholebody.errors import SourceError
from wholebody.poses import Frame
from wholebody.runtime.pipeline.channel import WAKE_SECONDS
from wholebody.runtime.sources import Source

log = logging.getLogger("wholebody")
_PATIENCE_SECONDS = 5.0  # for a camera that is asked to stop


class Round(NamedTuple):
    """Frames that go through the stages together: at most one from each source."""

    frames: List[Frame]
    origins: List[int]  # the number of each frame's source


class Reader(abc.ABC):
    """Reads from all sources; one thread calls `next`, another one may call `stop`."""

    live = False

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources

    @abc.abstractmethod
    def next(self, meanwhile: Optional[Callable[[], None]] = None) -> Optional[Round]:
        """The next frames; None at the end. A source's error comes after all frames that were read before it."""

    @abc.abstractmethod
    def stop(self) -> None:
        """No more frames: `next` returns None, at once where it waits."""

    def wake(self) -> None:
        """Sources that wait for a frame come back without one; safe in a signal's handler."""
        for source in self.sources:
            source.stop()

    def close(self) -> None:  # noqa: B027 - files are read in the caller's thread
        """After the last `next`."""


class FileReader(Reader):
    """One frame from each source in turn; a source that ends leaves, the others go on."""

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__(sources)
        self._open: Dict[int, Iterator[Frame]] = {}
        self._started = False
        self._stopped = False
        self._error: Optional[BaseException] = None

    def next(self, meanwhile: Optional[Callable[[], None]] = None) -> Optional[Round]:  # noqa: ARG002 - never waits
        if self._error is not None:
            raise self._error
        if not self._started:
            self._open = {origin: iter(source) for origin, source in enumerate(self.sources)}
            self._started = True
        found = Round([], [])
        for origin in list(self._open):
            if self._stopped:
                return None
            try:
                frame = next(self._open[origin], None)
            except BaseException as error:
                if not found.frames:
                    raise
                self._error = error  # what was read before it comes first
                break
            if frame is None:
                del self._open[origin]
            else:
                found.frames.append(frame)
                found.origins.append(origin)
        return found if found.frames else None

    def stop(self) -> None:
        self._stopped = True
        self.wake()


class LiveReader(Reader):
    """A thread for each source puts its frames into a mailbox for one; one that lies there unread is dropped."""

    live = True

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__(sources)
        self._changed = threading.Condition()
        self._newest: Dict[int, Frame] = {}
        self._reading = len(sources)
        self._error: Optional[BaseException] = None
        self._stopped = False
        self._threads = [threading.Thread(target=self._capture, args=(origin, source), daemon=True,
                                          name="wholebody-capture-%d" % origin)
                         for origin, source in enumerate(sources)]
        self._started: List[threading.Thread] = []

    def next(self, meanwhile: Optional[Callable[[], None]] = None) -> Optional[Round]:
        for thread in self._threads[len(self._started):]:
            thread.start()
            self._started.append(thread)
        while True:
            with self._changed:
                if self._waits():
                    self._changed.wait(WAKE_SECONDS if meanwhile else None)
                if self._stopped:
                    return None
                if self._newest:
                    taken, self._newest = self._newest, {}
                    return Round([taken[origin] for origin in sorted(taken)], sorted(taken))
                if self._error is not None:
                    raise self._error
                if not self._reading:
                    return None
            if meanwhile:
                meanwhile()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            for origin in self._newest:
                self.sources[origin].dropped += 1
            self._newest = {}
            self._changed.notify_all()

    def close(self) -> None:
        self.stop()
        self.wake()
        for thread, source in zip(self._started, self.sources):
            thread.join(_PATIENCE_SECONDS)
            if thread.is_alive():
                log.warning("%s: still waits for a frame after %.0f s; left behind", source.name, _PATIENCE_SECONDS)

    def _waits(self) -> bool:
        return not self._newest and self._error is None and self._reading > 0 and not self._stopped

    def _capture(self, origin: int, source: Source) -> None:
        try:
            for frame in source:
                with self._changed:
                    if self._stopped:
                        return
                    source.dropped += origin in self._newest
                    self._newest[origin] = frame
                    self._changed.notify_all()
        except BaseException as error:  # `next` raises it where it is seen
            with self._changed:
                self._error = self._error or error
        finally:
            with self._changed:
                self._reading -= 1
                self._changed.notify_all()


def open_reader(sources: Sequence[Source]) -> Reader:
    """The way these sources are read."""
    live = [source for source in sources if source.live]
    if not live:
        return FileReader(sources)
    if len(live) < len(sources):
        files = [source.name for source in sources if not source.live]
        raise SourceError("%s is live and %s is not: frames of one would be dropped and of the other not; "
                          "run them one after the other" % (live[0].name, files[0]))
    return LiveReader(sources)
