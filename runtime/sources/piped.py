"""Pictures on stdin: MJPEG, or raw ones of a size that the user tells."""
import os
import select
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Iterator, Optional, Tuple

import numpy as np

from wholebody.errors import SourceError
from wholebody.poses import Frame
from wholebody.runtime.sources.address import RAW, Address
from wholebody.runtime.sources.base import Source
from wholebody.runtime.sources.opencv import quiet_opencv

if TYPE_CHECKING:
    import numpy.typing as npt

_PIECE, _LONGEST = 1 << 16, 64 << 20  # bytes read at once, and of a picture
_WAIT = 0.1                           # seconds until a stop is noticed
_START, _END = b"\xff\xd8", 0xD9
_NO_LENGTH = frozenset([0x00, 0x01] + list(range(0xD0, 0xD8)))  # markers that stand alone
_FIRST = len(_START)


class Piped(Source):
    """What another program writes; every picture counts unless `live=1` asks for the newest."""

    kind = "pipe"

    def __init__(self, address: Address, file: Any = None) -> None:
        super().__init__(address.name)
        self.live = address.live
        self.fps = float(address.fps) if address.fps else None
        self._address, self._file = address, sys.stdin.buffer if file is None else file
        self._stopped, self._cv2 = threading.Event(), quiet_opencv()
        self._held = bytearray()

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while True:
            image = self._raw() if self._address.format else self._jpeg()
            if image is None:
                if not index and not self._stopped.is_set():
                    raise SourceError("stdin: not one picture came; pipe MJPEG into it (ffmpeg ... -f mjpeg -), or say "
                                      "what it is: -?format=bgr24&width=640&height=480")
                return
            yield Frame(image, index, time.monotonic(), "stdin_%012d" % index)
            index += 1

    def stop(self) -> None:
        """A read that waits comes back."""
        self._stopped.set()

    def _raw(self) -> "Optional[npt.NDArray[np.uint8]]":
        width, height, pixels = self._address.width or 0, self._address.height or 0, self._address.format
        size = int(width * height * RAW[pixels])
        while len(self._held) < size:
            if not self._more():
                self._check_rest()
                return None
        data = np.array(np.frombuffer(self._held, np.uint8, size))
        del self._held[:size]
        if pixels == "nv12":
            return np.asarray(self._cv2.cvtColor(data.reshape(height * 3 // 2, width), self._cv2.COLOR_YUV2BGR_NV12),
                              np.uint8)
        image = data.reshape(height, width, 3)
        return np.ascontiguousarray(image[:, :, ::-1]) if pixels == "rgb24" else image

    def _jpeg(self) -> "Optional[npt.NDArray[np.uint8]]":
        at = _FIRST
        while True:
            end, at = jpeg_end(self._held, at)
            if end > 0:
                at = _FIRST
                data = np.array(np.frombuffer(self._held, np.uint8, end))
                del self._held[:end]
                image = self._cv2.imdecode(data, self._cv2.IMREAD_COLOR)
                if image is not None:
                    return np.asarray(image, np.uint8)
                self.problem("stdin: a picture of %d bytes could not be decoded; left out" % len(data))
            elif end < 0:  # not at the start of a picture
                start = self._held.find(_START, 1)
                del self._held[:start if start > 0 else max(0, len(self._held) - 1)]
                if start <= 0 and not self._more():
                    return None
            elif len(self._held) > _LONGEST:
                raise SourceError("stdin: a picture of more than %d MB; is it MJPEG?" % (_LONGEST >> 20))
            elif not self._more():
                self._check_rest()
                return None

    def _more(self) -> bool:
        """Wait for more bytes; False at the end, or when stopped."""
        while not self._stopped.is_set():
            try:
                ready = select.select([self._file], [], [], _WAIT)[0]
            except (ValueError, OSError):  # closed, or nothing that can be waited for
                ready = [self._file]
            if ready:
                piece = os.read(self._file.fileno(), _PIECE)
                self._held += piece
                return bool(piece)
        return False

    def _check_rest(self) -> None:
        if self._held and not self._stopped.is_set():
            self.problem("stdin: the last picture is cut off (%d bytes of it came)" % len(self._held))


def jpeg_end(data: bytearray, at: int = _FIRST) -> Tuple[int, int]:
    """Where the JPEG ends that `data` begins with, and where to go on looking (`at`) when more bytes have come.

    The end is 0 while it has not come, -1 where no JPEG begins. Markers are followed by their lengths (ITU T.81,
    B.1.1), so a thumbnail in the header ends nothing.

    >>> jpeg_end(bytearray(bytes.fromhex("ffd8ffe00006ffd90000ffda00020102ff00ffd9ffd8")))
    (20, 20)
    """
    if data[:2] != _START[:len(data)]:
        return -1, _FIRST
    while True:
        at = data.find(0xFF, at)
        if at < 0:
            return 0, max(_FIRST, len(data))
        if at + 4 > len(data) and data[at + 1:at + 2] != bytes([_END]):
            return 0, at
        marker = data[at + 1]
        if marker == _END:
            return at + 2, at + 2
        if marker == 0xFF:
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
            if at > len(data):
                return 0, at
