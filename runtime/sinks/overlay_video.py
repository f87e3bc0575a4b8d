"""The frames with the people drawn on them, as an H.264 video."""
import contextlib
import fractions
import logging
import math
import pathlib
from typing import TYPE_CHECKING, Any, Iterator, Optional, Tuple

from wholebody.errors import OutputError
from wholebody.files import PartialFile, PathLike, check_target, output_error
from wholebody.packages import require
from wholebody.poses import Frame, Result
from wholebody.runtime.drawing import draw_poses
from wholebody.runtime.sinks.base import Details, Sink

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = logging.getLogger("wholebody")
CONTAINERS = (".mkv", ".mov", ".mp4")
DEFAULT_FPS = 30.0
_TICK = fractions.Fraction(1, 1000)  # seconds
_OPTIONS = {"preset": "veryfast", "crf": "20"}


class OverlayVideo(Sink):
    """One video file; every frame has the size of the first one, made even as H.264's 4:2:0 needs it."""

    def __init__(self, file: PathLike, fps: Optional[float] = None, overwrite: bool = False,
                 threshold: float = 0.05, live: bool = False) -> None:
        """`live`: frames are shown when they were taken, as some of a camera are left out; else at `fps`."""
        self.target = pathlib.Path(file)
        if self.target.suffix.lower() not in CONTAINERS:
            raise OutputError("cannot write %s: unknown kind of video %r; name it %s, for example %s"
                              % (file, self.target.suffix, " or ".join(CONTAINERS), self.target.stem + ".mp4"))
        self.overwrite = overwrite
        self.threshold, self._live = threshold, live
        self.fps = fps if fps is not None and math.isfinite(fps) and fps > 0 else DEFAULT_FPS
        self._av = require("av", "video")
        self._partial: Optional[PartialFile] = None
        self._container: Any = None
        self._stream: Any = None
        self._first: Optional[Tuple[int, int]] = None  # width, height of the first frame
        self._told = False
        self._frames = 0
        self._started_at, self._shown_at = 0.0, -1  # of what is live: the first frame's time, the last one's place
        check_target(self.target, overwrite)

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - the same for all
        image = frame.image.copy()
        draw_poses(image, result.poses, self.threshold)
        height, width = image.shape[:2]
        if self._first is None:
            self._first = (width, height)
            self._start(width + width % 2, height + height % 2)
        elif self._first != (width, height) and not self._told:
            self._told = True
            log.warning("%s: frame %s is %d x %d, the first one %d x %d; such frames are scaled and padded",
                        self.target, frame.source, width, height, self._first[0], self._first[1])
        self._encode(fit(image, (self._stream.width, self._stream.height)), frame.captured_at)

    def close(self) -> None:
        partial, container = self._partial, self._container
        if partial is None or container is None:
            if self._first is None:
                log.warning("%s is not written: there was no frame", self.target)
            return
        try:
            with self._reporting():
                for packet in self._stream.encode():
                    container.mux(packet)
                container.close()
            self._container = None
            partial.commit()
        finally:
            self.abort()

    def abort(self) -> None:
        if self._container is not None:
            with contextlib.suppress(Exception):  # it is removed anyway, and the first error is the one to show
                self._container.close()
            self._container = None
        if self._partial is not None:
            self._partial.discard()

    def _start(self, width: int, height: int) -> None:
        self._partial = PartialFile(self.target, self.overwrite)
        with self._reporting():
            self._container = self._av.open(str(self._partial.path), "w")
            self._stream = self._container.add_stream(
                "libx264", rate=fractions.Fraction(self.fps).limit_denominator(1001), options=dict(_OPTIONS))
            self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
            if self._live:
                self._stream.codec_context.time_base = _TICK

    def _encode(self, image: "npt.NDArray[np.uint8]", captured_at: float) -> None:
        with self._reporting():
            picture = self._av.VideoFrame.from_ndarray(image, format="bgr24")
            picture.pts = self._frames
            if self._live:
                picture.pts, picture.time_base = self._place(captured_at), _TICK
            for packet in self._stream.encode(picture):
                self._container.mux(packet)
        self._frames += 1

    def _place(self, captured_at: float) -> int:
        """In ticks; later than the one before, whatever the camera's clock says."""
        if not self._frames:
            self._started_at = captured_at
        self._shown_at = max(self._shown_at + 1, int(round((captured_at - self._started_at) / float(_TICK))))
        return self._shown_at

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """PyAV's errors as OutputError."""
        try:
            yield
        except OSError as error:
            raise output_error(self.target, error) from error
        except (self._av.error.FFmpegError, ValueError) as error:
            raise OutputError("cannot write %s: %s" % (self.target, " ".join(str(error).split()))) from error


def fit(image: "npt.NDArray[np.uint8]", size: Tuple[int, int]) -> "npt.NDArray[np.uint8]":
    """The picture at a size (width, height): one row or column short is repeated, the rest is scaled and padded."""
    cv2 = require("cv2")
    width, height = size
    if 0 <= width - image.shape[1] <= 1 and 0 <= height - image.shape[0] <= 1:
        border = cv2.BORDER_REPLICATE
    else:
        scale = min(width / image.shape[1], height / image.shape[0])
        inside = (max(1, min(width, int(round(image.shape[1] * scale)))),
                  max(1, min(height, int(round(image.shape[0] * scale)))))
        image = cv2.resize(image, inside, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        border = cv2.BORDER_CONSTANT
    left, top = (width - image.shape[1]) // 2, (height - image.shape[0]) // 2
    padded: "npt.NDArray[np.uint8]" = cv2.copyMakeBorder(
        image, top, height - image.shape[0] - top, left, width - image.shape[1] - left, border)
    return padded
