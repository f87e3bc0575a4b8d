"""The frames with the people drawn on them, as pictures."""
from typing import Sequence

from wholebody.errors import OutputError
from wholebody.files import PathLike, write_bytes
from wholebody.packages import require
from wholebody.poses import Frame, Result
from wholebody.runtime.drawing import draw_poses
from wholebody.runtime.sinks.base import Details, FrameFiles

FORMATS = ("png", "jpg")


class OverlayPictures(FrameFiles):
    """`<frame>_rendered.png` (or .jpg) in a folder."""

    def __init__(self, folder: PathLike, overwrite: bool = False, names: Sequence[str] = (), fmt: str = "png",
                 threshold: float = 0.05) -> None:
        if fmt not in FORMATS:
            raise OutputError("unknown picture format %r; known: %s" % (fmt, ", ".join(FORMATS)))
        super().__init__(folder, "_rendered." + fmt, overwrite, names)
        self.fmt = fmt
        self.threshold = threshold

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - the same for all
        cv2 = require("cv2")
        image = frame.image.copy()
        draw_poses(image, result.poses, self.threshold)
        path = self.path_of(frame.source)
        try:
            done, data = cv2.imencode("." + self.fmt, image)
        except cv2.error:
            done, data = False, None
        if not done:
            raise OutputError("cannot write %s: the %s encoder refuses a picture of %d x %d; try the other format"
                              % (path, self.fmt, image.shape[1], image.shape[0]))
        write_bytes(path, bytes(data), self.overwrite)
