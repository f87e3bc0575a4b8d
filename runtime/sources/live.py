"""A camera or a stream as a source: comes back when it is lost, and is watched for pictures that stand still."""
import logging
import threading
import time
from typing import TYPE_CHECKING, Callable, Iterator, Optional

import numpy as np

from wholebody.errors import SourceError
from wholebody.poses import Frame
from wholebody.runtime.sources.address import Address
from wholebody.runtime.sources.base import Source
from wholebody.runtime.sources.capture import Capture, CaptureEnded, Shot
from wholebody.runtime.sources.captures import open_capture

if TYPE_CHECKING:
    import numpy.typing as npt

log = logging.getLogger("wholebody")
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds between two tries to come back
SILENCE = 5.0                          # seconds without a picture: the connection is taken for lost
STILL = 10.0                           # seconds of the very same picture: no camera does that, sensors have noise
PATIENCE = 60.0                        # seconds without a picture: the source has ended


class LiveSource(Source):
    """The frames of one camera; `reconnects` counts how often it was lost and came back."""

    kind = "camera"
    live = True

    def __init__(self, address: Address, patience: float = PATIENCE,
                 open_one: Callable[[Address], Capture] = open_capture) -> None:
        """Opens it; SourceError where it is not there."""
        super().__init__(address.name)
        self.fps = float(address.fps) if address.fps else None
        self._address, self._patience, self._open = address, patience, open_one
        self._stopped = threading.Event()
        self._capture: Optional[Capture] = open_one(address)
        self._last: "Optional[npt.NDArray[np.uint8]]" = None
        self._changed_at = time.monotonic()

    def __iter__(self) -> Iterator[Frame]:
        index, seen_at = 0, time.monotonic()
        while not self._stopped.is_set():
            if self._capture is None and not self._come_back(seen_at):
                return
            shot = self._next()
            if shot is None:
                continue
            seen_at = time.monotonic()
            self._watch(shot.image)
            yield Frame(shot.image, index, shot.captured_at, "%s_%012d" % (_file_name(self._address), index))
            index += 1

    def stop(self) -> None:
        """Whatever waits comes back."""
        self._stopped.set()
        capture = self._capture
        if capture is not None:
            capture.stop()

    def close(self) -> None:
        """Let go of the camera."""
        self._stopped.set()
        self._leave()

    def _next(self) -> Optional[Shot]:
        """A picture; None where there was none, and the camera is left then."""
        assert self._capture is not None
        try:
            shot = self._capture.read(SILENCE)
        except CaptureEnded as ended:
            reason = str(ended) or "the stream ended"
        else:
            if shot is not None:
                return shot
            reason = "no picture for %.0f s" % SILENCE
        if not self._stopped.is_set():
            log.warning("%s: lost: %s; trying to come back", self.name, reason)
        self._leave()
        return None

    def _come_back(self, seen_at: float) -> bool:
        """Opens it again, more and more rarely; False when that is given up."""
        pause, reason = FIRST_PAUSE, ""
        while time.monotonic() - seen_at < self._patience:
            if self._stopped.wait(min(pause, max(0.0, seen_at + self._patience - time.monotonic()))):
                return False
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                self._capture = self._open(self._address)
            except SourceError as error:
                reason = str(error)
                continue
            self.reconnects += 1
            log.warning("%s: back after %.1f s", self.name, time.monotonic() - seen_at)
            return True
        self.problem("%s: lost for %.0f s, given up%s" % (self.name, time.monotonic() - seen_at,
                                                          ": " + reason if reason else ""))
        return False

    def _leave(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.close()

    def _watch(self, image: "npt.NDArray[np.uint8]") -> None:
        """Says it once when the picture stands still, and once when it moves again."""
        glance, now = image[::16, ::16].copy(), time.monotonic()
        if self._last is None or not np.array_equal(glance, self._last):
            if self.still:
                log.warning("%s: the picture moves again", self.name)
            self._last, self._changed_at, self.still = glance, now, False
        elif not self.still and now - self._changed_at > STILL:
            self.still = True
            log.warning("%s: the very same picture for %.0f s: the camera may be frozen", self.name, STILL)


def _file_name(address: Address) -> str:
    """What frames and files are named after.

    >>> _file_name(Address("csi", "0", "csi://0"))
    'csi0'
    """
    return "%s%s" % (address.kind, address.place if address.kind == "csi" else "")
