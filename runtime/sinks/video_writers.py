"""H.264 by PyAV, or by GStreamer where that is what there is: on a Jetson its encoder is in hardware."""
import abc
import contextlib
import ctypes
import fractions
import pathlib
import time
from typing import TYPE_CHECKING, Any, Tuple

import numpy as np

from wholebody.errors import MissingPackage, OutputError, SourceError
from wholebody.files import PathLike, output_error
from wholebody.packages import require
from wholebody.runtime.sources.gst_library import GstLibrary, Pipeline

if TYPE_CHECKING:
    import numpy.typing as npt

TICK = fractions.Fraction(1, 1000)  # seconds
_AV_OPTIONS = {"preset": "veryfast", "crf": "20"}
_MUXERS = {".mp4": "mp4mux", ".mov": "qtmux", ".mkv": "matroskamux"}
# By what is there, the best first.
_ENCODERS = (("nvv4l2h264enc", "nvvidconv ! video/x-raw(memory:NVMM),format=NV12 ! nvv4l2h264enc"),
             ("x264enc", "videoconvert ! video/x-raw,format=I420 ! "
                         "x264enc speed-preset=veryfast pass=qual quantizer=20 bframes=0"),
             ("openh264enc", "videoconvert ! openh264enc"))
_PIPELINE = ('appsrc name=src format=time block=true max-bytes=%d caps="video/x-raw,format=%s,width=%d,height=%d,'
             'framerate=%d/%d" ! %s ! h264parse ! %s ! filesink name=sink location="%s"')
_FINISH_SECONDS = 30.0


class VideoWriter(abc.ABC):
    """An open file; `target` is what messages call it. OSError is left to the caller's disk."""

    @abc.abstractmethod
    def write(self, image: "npt.NDArray[np.uint8]", at: fractions.Fraction) -> None:
        """One frame (H, W, 3) BGR, shown at `at` seconds, later than the one before."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Complete the file."""

    @abc.abstractmethod
    def drop(self) -> None:
        """Let go of an incomplete file; nothing happens after `finish`."""


class AvWriter(VideoWriter):
    """PyAV."""

    def __init__(self, path: pathlib.Path, target: PathLike, size: Tuple[int, int], fps: float, live: bool) -> None:
        self._av, self._target = require("av", "video"), target
        self._container: Any = None
        self._tick = TICK if live else 1 / fractions.Fraction(fps).limit_denominator(1001)
        with _AvErrors(self._av, target):
            self._container = self._av.open(str(path), "w")
            self._stream = self._container.add_stream("libx264", rate=fractions.Fraction(fps).limit_denominator(1001),
                                                      options=dict(_AV_OPTIONS))
            self._stream.width, self._stream.height, self._stream.pix_fmt = size[0], size[1], "yuv420p"
            if live:
                self._stream.codec_context.time_base = TICK

    def write(self, image: "npt.NDArray[np.uint8]", at: fractions.Fraction) -> None:
        with _AvErrors(self._av, self._target):
            picture = self._av.VideoFrame.from_ndarray(image, format="bgr24")
            picture.pts, picture.time_base = int(round(at / self._tick)), self._tick
            for packet in self._stream.encode(picture):
                self._container.mux(packet)

    def finish(self) -> None:
        with _AvErrors(self._av, self._target):
            for packet in self._stream.encode():
                self._container.mux(packet)
            self._container.close()
        self._container = None

    def drop(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(Exception):  # it is removed anyway, and the first error is the one to show
                container.close()


class _AvErrors:
    """PyAV's errors as OutputError."""

    def __init__(self, av: Any, target: PathLike) -> None:
        self._av, self._target = av, target

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, OSError):
            raise output_error(self._target, error) from error
        if isinstance(error, (self._av.error.FFmpegError, ValueError)):
            raise OutputError("cannot write %s: %s" % (self._target, " ".join(str(error).split()))) from error


class GstWriter(VideoWriter):
    """GStreamer."""

    def __init__(self, path: pathlib.Path, target: PathLike, size: Tuple[int, int], fps: float, live: bool) -> None:
        del live
        self._duration = int(1e9 / fps)
        library = GstLibrary.open()
        self._gst, self._target = library.gst, target
        encoder = next((text for element, text in _ENCODERS if library.has(element)), None)
        if encoder is None or not library.has("h264parse"):
            raise MissingPackage("GStreamer has no encoder of H.264. Install it: sudo apt install "
                                 "gstreamer1.0-plugins-ugly gstreamer1.0-plugins-bad")
        self._four = encoder.startswith("nvvidconv")  # bytes a pixel: it takes no BGR
        place = str(path).replace("\\", "\\\\").replace('"', '\\"')
        rate = fractions.Fraction(fps).limit_denominator(1001)  # frames carry their time; the last one lasts so long
        text = _PIPELINE % (4 * size[0] * size[1] * 4, "BGRx" if self._four else "BGR", size[0], size[1],
                            rate.numerator, rate.denominator, encoder, _MUXERS[path.suffix.lower()], place)
        try:
            self._pipeline = Pipeline(library, text)
        except SourceError as error:
            raise OutputError("cannot write %s: %s" % (target, error)) from error
        self._source = self._gst.gst_bin_get_by_name(self._pipeline.handle, b"src")
        self._push = library.app.gst_app_src_push_buffer
        self._push.restype, self._push.argtypes = ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p]
        self._end = library.app.gst_app_src_end_of_stream
        self._end.restype, self._end.argtypes = ctypes.c_int, [ctypes.c_void_p]

    def write(self, image: "npt.NDArray[np.uint8]", at: fractions.Fraction) -> None:
        pixels = image
        if self._four:
            pixels = np.concatenate([image, np.zeros(image.shape[:2] + (1,), np.uint8)], axis=2)
        elif image.shape[1] * 3 % 4:  # GStreamer's lines begin at multiples of four bytes
            lines = image.reshape(len(image), -1)
            pixels = np.pad(lines, ((0, 0), (0, -lines.shape[1] % 4)), "constant")
        data = np.ascontiguousarray(pixels).tobytes()
        buffer = self._gst.gst_buffer_new_allocate(None, len(data), None)
        self._gst.gst_buffer_fill(buffer, 0, data, len(data))
        self._pipeline.stamp(buffer, int(at * 10 ** 9), self._duration)
        flow = self._push(self._source, buffer)
        if flow != 0:
            self._fail("the pipeline takes no more (%d)" % flow)

    def finish(self) -> None:
        self._end(self._source)
        end = time.monotonic() + _FINISH_SECONDS
        while not self._pipeline.has_ended():
            if time.monotonic() > end:
                self._fail("GStreamer does not finish the file")
            errors = self._pipeline.errors()
            if errors:
                self._fail("; ".join(errors))
        self.drop()

    def drop(self) -> None:
        if self._source:
            self._gst.gst_object_unref(self._source)
            self._pipeline.close()
        self._source = None

    def _fail(self, otherwise: str) -> None:
        reasons = self._pipeline.errors()
        raise OutputError("cannot write %s: %s" % (self._target, "; ".join(reasons) or otherwise))


def open_writer(path: pathlib.Path, target: PathLike, size: Tuple[int, int], fps: float, live: bool) -> VideoWriter:
    """PyAV where it is installed, else GStreamer."""
    writer: VideoWriter = choose_writer()(path, target, size, fps, live)
    return writer


def choose_writer() -> Any:
    """MissingPackage where there is neither."""
    try:
        require("av", "video")
        return AvWriter
    except MissingPackage as error:
        try:
            library = GstLibrary.open()
        except MissingPackage:
            raise error from None
        if not any(library.has(element) for element, _ in _ENCODERS):
            raise
        return GstWriter
