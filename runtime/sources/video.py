"""A video file."""
import math
import os
import pathlib
import shlex
import time
from typing import Any, Iterator, List, Optional

from wholebody.errors import SourceError
from wholebody.poses import Frame
from wholebody.runtime.sources.base import Source
from wholebody.runtime.sources.opencv import quiet_opencv

VIDEOS = (".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg",
          ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m")


class VideoFile(Source):
    """The frames of a video file; one that ends before its container says so becomes a problem."""

    kind = "video"

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(str(path))
        self.path = path
        self._capture: Optional[Any] = self._open()
        self._unread = True
        self.length = self._count()
        self.fps = self._rate()

    @property
    def frame_names(self) -> List[str]:
        return [self._frame_name(0)]  # the others follow; a container's count is not to be trusted

    def __iter__(self) -> Iterator[Frame]:
        if not self._unread or self._capture is None:  # again from the first frame
            self.close()
            self._capture = self._open()
        self._unread = False
        index = 0
        while self._capture is not None:
            ok, image = self._capture.read()
            if not ok or image is None:
                self._check_count(index)
                return
            yield Frame(image, index, time.monotonic(), self._frame_name(index))
            index += 1

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _frame_name(self, index: int) -> str:
        return "%s_%012d" % (self.path.stem, index)  # 12 digits: as OpenPose names them

    def _open(self) -> Any:
        cv2 = quiet_opencv()
        try:
            with self.path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise SourceError("cannot read %s: %s" % (self.path, error.strerror or error)) from error
        if empty:
            raise SourceError("cannot read %s: the file is empty (0 bytes); copy it again" % self.path)
        # Only these two: CAP_ANY would also take a name with digits for a series of pictures.
        for backend in (cv2.CAP_FFMPEG, cv2.CAP_GSTREAMER):
            capture = cv2.VideoCapture(os.path.abspath(str(self.path)), backend)
            if capture.isOpened():
                return capture
            capture.release()
        raise SourceError("cannot open %s: damaged, cut off, not a video, or of a kind that this OpenCV (%s) has no "
                          "decoder for; try: %s" % (self.path, cv2.__version__, self._convert_command()))

    def _check_count(self, read: int) -> None:
        if not read:
            raise SourceError("cannot decode %s: not one frame could be read; try: %s"
                              % (self.path, self._convert_command()))
        # Containers count loosely: one frame, or 2 %, is no news.
        if self.length is not None and self.length - read > max(1.0, 0.02 * self.length):
            self.problem("%s ends early: %d of %d frames could be read; it is cut off or damaged"
                         % (self.path, read, self.length))

    def _convert_command(self) -> str:
        return "ffmpeg -i %s -c:v libx264 -pix_fmt yuv420p %s" % (
            shlex.quote(str(self.path)), shlex.quote(self.path.stem + "-h264.mp4"))

    def _count(self) -> Optional[int]:
        count = self._property("CAP_PROP_FRAME_COUNT")
        return int(count) if 0 < count < 1e9 else None

    def _rate(self) -> Optional[float]:
        rate = self._property("CAP_PROP_FPS")
        return rate if 0 < rate <= 1000 else None  # containers without a rate say 0, NaN or 90000

    def _property(self, name: str) -> float:
        assert self._capture is not None
        value = float(self._capture.get(getattr(quiet_opencv(), name)))
        return value if math.isfinite(value) else 0.0
