"""What every source of frames has in common."""
import abc
import logging
from types import TracebackType
from typing import Iterator, List, Optional, Type

from wholebody.poses import Frame

log = logging.getLogger("wholebody")


class Source(abc.ABC):
    """Frames in order: iterate over it inside a `with` block."""

    kind = ""     # "image", "folder" or "video"
    live = False  # a camera or a stream: frames come when they come, and only the newest is worth the time

    def __init__(self, name: str) -> None:
        self.name = name                         # what messages call it
        self.length: Optional[int] = None  # frames expected, None when unknown
        self.fps: Optional[float] = None
        self.problems: List[str] = []      # what went wrong on the way, one line each
        # Of what is live:
        self.dropped = 0           # frames that newer ones replaced before anybody looked at them
        self.reconnects = 0        # times that it was lost and came back
        self.still = False         # it delivers the very same picture over and over

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """The frames, from the first one."""

    @property
    def frame_names(self) -> List[str]:
        """The `Frame.source` names that are known before anything is read, so that sinks can look for old files."""
        return []

    def stop(self) -> None:  # noqa: B027 - files never wait
        """Called by another thread than the one that reads: let a read that waits for a frame come back soon."""

    def close(self) -> None:  # noqa: B027 - pictures hold nothing open
        """Let go of files and decoders; closing twice is harmless."""

    def problem(self, line: str) -> None:
        """Something to tell the user that does not stop the work."""
        log.error("%s", line)
        self.problems.append(line)

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()
