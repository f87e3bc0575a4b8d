"""The frames with the people drawn on them, as an H.264 video."""
import fractions
import logging
import math
import pathlib
from typing import TYPE_CHECKING, Optional, Tuple

from wholebody.errors import OutputError
from wholebody.files import PartialFile, PathLike, check_target
from wholebody.packages import require
from wholebody.poses import Frame, Result
from wholebody.runtime.drawing import draw_poses
from wholebody.runtime.sinks.base import Details, Sink
from wholebody.runtime.sinks.video_writers import TICK, VideoWriter, choose_writer, open_writer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = logging.getLogger("wholebody")
CONTAINERS = (".mkv", ".mov", ".mp4")
DEFAULT_FPS = 30.0


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
        choose_writer()  # MissingPackage before the work
        self._partial: Optional[PartialFile] = None
        self._writer: Optional[VideoWriter] = None
        self._size = (0, 0)                            # of the video, made even
        self._first: Optional[Tuple[int, int]] = None  # width, height of the first frame
        self._told = False
        self._frames = 0
        self._started_at, self._shown_at = 0.0, -1  # of what is live: the first frame's time, the last one's tick
        check_target(self.target, overwrite)

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - the same for all
        image = frame.image.copy()
        draw_poses(image, result.poses, self.threshold)
        height, width = image.shape[:2]
        if self._writer is None:
            self._first, self._size = (width, height), (width + width % 2, height + height % 2)
            self._partial = PartialFile(self.target, self.overwrite)
            self._writer = open_writer(self._partial.path, self.target, self._size, self.fps, self._live)
        elif self._first != (width, height) and not self._told:
            self._told = True
            log.warning("%s: frame %s is %d x %d, the first one %d x %d; such frames are scaled and padded",
                        self.target, frame.source, width, height, *(self._first or ()))
        self._writer.write(fit(image, self._size), self._time_of(frame))
        self._frames += 1

    def close(self) -> None:
        partial, writer = self._partial, self._writer
        if partial is None or writer is None:
            if self._first is None:
                log.warning("%s is not written: there was no frame", self.target)
            return
        try:
            writer.finish()
            self._writer = None
            partial.commit()
        finally:
            self.abort()

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.drop()
            self._writer = None
        if self._partial is not None:
            self._partial.discard()

    def _time_of(self, frame: Frame) -> fractions.Fraction:
        """When it is shown: later than the one before, whatever a camera's clock says."""
        if not self._live:
            return self._frames / fractions.Fraction(self.fps).limit_denominator(1001)
        if not self._frames:
            self._started_at = frame.captured_at
        tick = int(round((frame.captured_at - self._started_at) / float(TICK)))
        self._shown_at = max(self._shown_at + 1, tick)
        return self._shown_at * TICK


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
