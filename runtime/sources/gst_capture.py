"""Cameras and streams through GStreamer: the way of a Jetson, whose cameras and decoders speak nothing else."""
import time
from typing import TYPE_CHECKING, Any, Callable, Optional

import numpy as np

from wholebody.errors import MissingPackage, SourceError
from wholebody.runtime.sources.address import CAMERA, CSI, PIPELINE, STREAM, Address
from wholebody.runtime.sources.capture import Capture, CaptureEnded, NotThisWay, Shot
from wholebody.runtime.sources.gst_library import GstLibrary, Pipeline
from wholebody.runtime.sources.opencv import quiet_opencv

if TYPE_CHECKING:
    import numpy.typing as npt

_FIRST_SECONDS = 8.0  # until the first picture
_SINK = "appsink name=sink max-buffers=1 drop=true sync=false"
_ON_CPU = "videoconvert ! video/x-raw,format=BGR ! " + _SINK
_ON_TEGRA = "nvvidconv%s ! video/x-raw,format=BGRx ! " + _SINK  # BGR is not among what it writes
_BYTES = {"BGR": 3, "BGRx": 4}


def pipeline_text(address: Address, has: Callable[[str], bool]) -> str:
    """What gst-launch-1.0 would run; `has` tells which elements are installed. NotThisWay where one is lacking."""
    if address.kind == CSI:
        _need(has, "nvarguscamerasrc", "CSI cameras are read by JetPack's nvarguscamerasrc: on a Jetson "
              "sudo apt install nvidia-l4t-gstreamer, elsewhere give a USB camera")
        return "nvarguscamerasrc sensor-id=%s ! video/x-raw(memory:NVMM)%s ! " % (
            address.place, _wanted(address)) + _ON_TEGRA % (" flip-method=%d" % address.flip)
    if address.kind == PIPELINE:
        return "%s ! %s" % (address.place, _ON_CPU)
    end = _ON_TEGRA % "" if has("nvvidconv") else _ON_CPU
    if address.kind == CAMERA:
        _need(has, "v4l2src", "gstreamer1.0-plugins-good has v4l2src")
        return "v4l2src device=%s ! %s ! decodebin ! %s" % (address.place, _formats(address), end)
    if address.kind == STREAM and address.place.lower().startswith(("rtsp://", "rtsps://")):
        _need(has, "rtspsrc", "gstreamer1.0-plugins-good has rtspsrc")
        return 'rtspsrc location="%s" latency=%d protocols=%s drop-on-latency=true ! decodebin ! %s' % (
            address.place.replace("\\", "\\\\").replace('"', '\\"'), address.latency, address.transport, end)
    raise NotThisWay("GStreamer: not for %s" % address.name)


def _need(has: Callable[[str], bool], element: str, hint: str) -> None:
    if not has(element):
        raise NotThisWay("GStreamer has no %s: %s" % (element, hint))


def _wanted(address: Address) -> str:
    parts = ((",width=%d", address.width), (",height=%d", address.height), (",framerate=%d/1", address.fps))
    return "".join(text % value for text, value in parts if value)


def _formats(address: Address) -> str:
    """What a USB camera may send, the better first: MJPEG is how it sends large pictures fast."""
    kinds = {"mjpeg": "image/jpeg", "yuyv": "video/x-raw,format=YUY2"}
    chosen = [kinds[address.format]] if address.format else ["image/jpeg", "video/x-raw"]
    return 'capsfilter caps="%s"' % ";".join(kind + _wanted(address) for kind in chosen)


class GstCapture(Capture):
    """A running pipeline; only its newest picture is kept."""

    how = "GStreamer"

    def __init__(self, address: Address) -> None:
        try:
            library = GstLibrary.open()
        except MissingPackage as error:
            raise NotThisWay(str(error)) from error
        self._cv2 = quiet_opencv()
        self._pipeline = Pipeline(library, pipeline_text(address, library.has))
        self._stopped = False
        self._first: Optional[Shot] = None
        self._first = self._await_first(address)

    def read(self, seconds: float) -> Optional[Shot]:
        """The newest picture."""
        if self._first is not None:
            shot, self._first = self._first, None
            return shot
        end = time.monotonic() + seconds
        while not self._stopped:
            for picture in self._pipeline.pictures(min(0.1, max(0.0, end - time.monotonic()))):
                return Shot(self._pixels(picture.data, picture.width, picture.height, picture.format),
                            time.monotonic() - picture.age)
            errors = self._pipeline.errors()
            if errors:
                raise CaptureEnded("; ".join(errors))
            if self._pipeline.ended:
                raise CaptureEnded("")
            if time.monotonic() >= end:
                return None
        return None

    def _await_first(self, address: Address) -> Shot:
        """A pipeline starts in the background: only a picture shows that there is a camera."""
        reason = "no picture for %.0f s" % _FIRST_SECONDS
        try:
            shot = self.read(_FIRST_SECONDS)
            if shot is not None:
                return shot
        except CaptureEnded as ended:
            reason = str(ended) or "it ended before its first picture"
        self.close()
        raise SourceError("%s: %s" % (address.name, reason))

    def stop(self) -> None:
        """A read comes back within a tenth of a second."""
        self._stopped = True

    def close(self) -> None:
        """Stop the pipeline."""
        self._pipeline.close()

    def _pixels(self, data: Any, width: int, height: int, pixels: str) -> "npt.NDArray[np.uint8]":
        """A copy in BGR: the pipeline takes its buffer back."""
        if pixels not in _BYTES:
            raise SourceError("GStreamer delivers %s pictures; expected one of %s" % (pixels, ", ".join(_BYTES)))
        flat = np.frombuffer(data, np.uint8)
        pitch = len(flat) // height  # lines are padded to four bytes
        lines = flat[:pitch * height].reshape(height, pitch)[:, :width * _BYTES[pixels]]
        image = lines.reshape(height, width, _BYTES[pixels]) if pitch == width * _BYTES[pixels] else \
            np.ascontiguousarray(lines).reshape(height, width, _BYTES[pixels])
        if _BYTES[pixels] == 3:
            return np.array(image)
        return np.asarray(self._cv2.cvtColor(image, self._cv2.COLOR_BGRA2BGR), np.uint8)
