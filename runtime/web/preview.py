"""The preview of a run: opened before it, closed after it, with a sink for each source in between."""
import logging
from types import TracebackType
from typing import List, Optional, Type

from wholebody.packages import require
from wholebody.poses import Frame, Result
from wholebody.runtime.live_status import LiveStatus
from wholebody.runtime.sinks.base import Details, Sink
from wholebody.runtime.web.address import WebAddress
from wholebody.runtime.web.answers import Answers
from wholebody.runtime.web.figures import Figures
from wholebody.runtime.web.newest import Newest
from wholebody.runtime.web.server import Server
from wholebody.skeletons import Skeleton

log = logging.getLogger("wholebody")


class WebPreview:
    """A context manager; `sinks` go to the sources in their order."""

    def __init__(self, address: WebAddress, status: LiveStatus, skeleton: Skeleton) -> None:
        """Listens at once; OutputError where it cannot."""
        require("cv2")  # here, and not when the first browser comes
        sources = [source.name for source in status.sources]
        self.newest = Newest(len(sources))
        self._figures = Figures(status)
        try:
            answers = Answers(address, self.newest, self._figures, sources, skeleton)
            self.server = Server(address, answers.serve)
        except BaseException:
            self._end_threads()
            raise
        self.sinks: "List[Sink]" = [_ToPreview(self.newest, number) for number in range(len(sources))]
        self.url = "http://%s:%d/" % ("[%s]" % address.host if ":" in address.host else address.host, self.server.port)
        log.info("web preview: %s%s", self.url, "?token=TOKEN (the one it was given)" if address.token else "")

    def close(self) -> None:
        """All viewers are sent away, all threads end."""
        self._end_threads()
        self.server.close()

    def _end_threads(self) -> None:
        self.newest.close()
        self._figures.close()

    def __enter__(self) -> "WebPreview":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()


class _ToPreview(Sink):
    """Hands over one source's frames."""

    def __init__(self, newest: Newest, source: int) -> None:
        self._newest, self._source = newest, source

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - pixels of the frame
        """A reference to the frame; the drawing is the browser's work, the JPEG a thread's."""
        self._newest.take(self._source, frame, result)
