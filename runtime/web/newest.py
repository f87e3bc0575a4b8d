"""The newest frame of each source as one JPEG and one message, made while somebody watches and not else."""
import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Iterator, List, NamedTuple, Optional, Tuple

from wholebody.packages import require
from wholebody.poses import Frame, Result
from wholebody.runtime.sinks.messages import line_of, message_of

if TYPE_CHECKING:
    import numpy.typing as npt

log = logging.getLogger("wholebody")
WIDEST = 1280     # pixels: a wider picture is made smaller first
QUALITY = 80
_EVERY = 1 / 40.  # seconds between two pictures at least: a browser shows no more, and the board has other work


class Shot(NamedTuple):
    """What viewers are sent of a frame."""

    number: int      # counts from 1
    message: bytes   # JSON, as --json-lines has it
    jpeg: bytes      # empty where only poses are watched


class Newest:
    """Takes frames at no cost, and hands out the newest one; a viewer that is slow skips those in between."""

    def __init__(self, sources: int) -> None:
        self.encoded = 0  # JPEGs so far
        self.failed = 0   # frames that made none
        self._waiting: List[Optional[Tuple[Frame, Result]]] = [None] * sources
        self._done: List[Any] = [None] * sources
        self._shots: List[Optional[Shot]] = [None] * sources
        self._watched = [0] * sources
        self._pictures_watched = [0] * sources
        self._arrived, self._told = threading.Event(), threading.Condition()
        self._number, self._ended = 0, False
        self._thread = threading.Thread(target=self._work, name="wholebody-web-pictures", daemon=True)
        self._thread.start()

    def take(self, source: int, frame: Frame, result: Result) -> None:
        """Called for every frame in the run's own thread: a reference is kept, nothing is done."""
        self._waiting[source] = (frame, result)
        if self._watched[source]:
            self._arrived.set()

    @contextlib.contextmanager
    def watch(self, source: int, pictures: bool) -> Iterator[None]:
        """Within the block somebody watches."""
        with self._told:
            self._watched[source] += 1
            self._pictures_watched[source] += int(pictures)
            if pictures and self._pictures_watched[source] == 1:
                self._done[source] = None  # the newest frame may have been told without its picture
        self._arrived.set()
        try:
            yield
        finally:
            with self._told:
                self._watched[source] -= 1
                self._pictures_watched[source] -= int(pictures)

    def after(self, source: int, number: int, seconds: float) -> Optional[Shot]:
        """The newest shot, waited for until it is a later one than `number`; None where there is none in time."""
        end = time.monotonic() + seconds
        with self._told:
            while not self._ended:
                shot = self._shots[source]
                if shot is not None and shot.number > number:
                    return shot
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self._told.wait(left)
        return None

    @property
    def ended(self) -> bool:
        """Nothing will come any more."""
        return self._ended

    def close(self) -> None:
        """Whoever waits comes back."""
        with self._told:
            self._ended = True
            self._told.notify_all()
        self._arrived.set()
        self._thread.join()

    def _work(self) -> None:
        while True:
            self._arrived.wait()
            self._arrived.clear()
            if self._ended:
                return
            started = time.monotonic()
            for source, waiting in enumerate(self._waiting):
                if waiting is not None and self._watched[source] and waiting is not self._done[source]:
                    self._done[source] = waiting
                    self._try_to_tell(source, *waiting)
            time.sleep(max(0.0, started + _EVERY - time.monotonic()))

    def _try_to_tell(self, source: int, frame: Frame, result: Result) -> None:
        """A frame that makes no picture costs its viewers that frame and nobody the run."""
        try:
            self._tell(source, frame, result)
        except Exception as error:  # whatever OpenCV raises
            self.failed += 1
            if self.failed == 1:
                log.warning("web preview: frame %d makes no picture: %s", frame.index, " ".join(str(error).split()))

    def _tell(self, source: int, frame: Frame, result: Result) -> None:
        jpeg = b""
        if self._pictures_watched[source]:
            jpeg = encode(frame.image)
            self.encoded += 1
        message = line_of(message_of(frame, result)).encode()
        with self._told:
            self._number += 1
            self._shots[source] = Shot(self._number, message, jpeg)
            self._told.notify_all()


def encode(image: "npt.NDArray[Any]") -> bytes:
    """A JPEG, `WIDEST` wide at most."""
    cv2 = require("cv2")
    height, width = image.shape[:2]
    if width > WIDEST:
        size = (WIDEST, max(1, int(round(height * WIDEST / float(width)))))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
