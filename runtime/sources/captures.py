"""Cameras and streams without GStreamer, and which way is taken: decided here."""
import logging
import time
from typing import Any, Callable, Iterator, List, Optional, Tuple

import numpy as np

from wholebody.errors import MissingPackage, SourceError
from wholebody.packages import require
from wholebody.runtime.sources.address import CAMERA, STREAM, Address
from wholebody.runtime.sources.capture import Capture, CaptureEnded, NotThisWay, Shot
from wholebody.runtime.sources.gst_capture import GstCapture
from wholebody.runtime.sources.opencv import quiet_opencv

log = logging.getLogger("wholebody")
_SILENCE = 5.0  # seconds that a stream's connection may say nothing
_FOURCC = {"mjpeg": "MJPG", "yuyv": "YUYV", "": "MJPG"}


class OpenCvCapture(Capture):
    """A USB camera by V4L2."""

    how = "OpenCV"

    def __init__(self, address: Address) -> None:
        if address.kind != CAMERA:
            raise NotThisWay("OpenCV: not for %s" % address.name)
        cv2 = quiet_opencv()
        self._capture = cv2.VideoCapture(address.place, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError("cannot open %s: no such camera, or another program has it (fuser %s says which)"
                              % (address.place, address.place))
        wanted = [(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*_FOURCC[address.format])), (cv2.CAP_PROP_BUFFERSIZE, 1),
                  (cv2.CAP_PROP_FRAME_WIDTH, address.width), (cv2.CAP_PROP_FRAME_HEIGHT, address.height),
                  (cv2.CAP_PROP_FPS, address.fps)]
        for name, value in wanted:
            if value:
                self._capture.set(name, value)
        self._taken_ms = cv2.CAP_PROP_POS_MSEC

    def read(self, seconds: float) -> Optional[Shot]:  # noqa: ARG002 - OpenCV waits ten seconds at most
        """The next picture; its time is the driver's, where it tells."""
        ok, image = self._capture.read()
        if not ok:
            raise CaptureEnded("the camera gave no picture")
        now, taken = time.monotonic(), self._capture.get(self._taken_ms) / 1e3
        return Shot(image, taken if 0 <= now - taken < 1 else now)

    def close(self) -> None:
        """Let go of the device."""
        self._capture.release()


class AvCapture(Capture):
    """A stream by PyAV, FFmpeg's decoders."""

    how = "PyAV"

    def __init__(self, address: Address) -> None:
        if address.kind != STREAM:
            raise NotThisWay("PyAV: not for %s" % address.name)
        try:
            self._av = require("av", "video")
        except MissingPackage as error:
            raise NotThisWay(str(error)) from error
        options = {"fflags": "nobuffer", "flags": "low_delay"}
        if address.place.lower().startswith("rtsp"):
            options["rtsp_transport"] = address.transport
        try:
            self._container: Any = self._av.open(address.place, options=options, timeout=(_SILENCE, _SILENCE))
            self._frames: "Iterator[Any]" = self._container.decode(video=0)
        except (self._av.error.FFmpegError, OSError, ValueError, IndexError) as error:
            raise SourceError("cannot open %s: %s" % (address.name, " ".join(str(error).split()))) from error

    def read(self, seconds: float) -> Optional[Shot]:  # noqa: ARG002 - the connection's own patience counts
        """The next picture, as it arrives."""
        try:
            image = next(self._frames).to_ndarray(format="bgr24")
        except StopIteration:
            raise CaptureEnded("") from None
        except (self._av.error.FFmpegError, OSError) as error:
            raise CaptureEnded(" ".join(str(error).split())) from error
        return Shot(np.asarray(image, np.uint8), time.monotonic())

    def close(self) -> None:
        """Leave the stream."""
        self._container.close()


WAYS: Tuple[Callable[[Address], Capture], ...] = (GstCapture, AvCapture, OpenCvCapture)


def open_capture(address: Address) -> Capture:
    """The first way that is there and knows such sources; a way that fails hands over to the next, and is named."""
    refusals: List[str] = []
    failures: List[str] = []
    for way in WAYS:
        try:
            capture = way(address)
        except NotThisWay as error:
            refusals.append(str(error))
            continue
        except SourceError as error:
            failures.append("%s: %s" % (getattr(way, "how", way), error))
            continue
        log.info("%s: read by %s", address.name, capture.how)
        return capture
    raise SourceError("cannot open %s: %s" % (address.name, "; ".join(failures or refusals)))
