"""cv2 without its own messages on stderr: what it says about a bad file, a SourceError says in one line."""
import os
from typing import Any

from wholebody.packages import require

# Read by OpenCV and by its FFmpeg part when they start; a value the user has set stays.
_QUIET = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}


def quiet_opencv() -> Any:
    """cv2, imported on first use."""
    chosen = "OPENCV_LOG_LEVEL" in os.environ
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    cv2 = require("cv2")
    if not chosen:
        _silence(cv2)
    return cv2


def _silence(cv2: Any) -> None:
    """For a cv2 that was imported before us: setLogLevel lives in two places, and nowhere before 4.5."""
    logging = getattr(getattr(cv2, "utils", None), "logging", None)
    set_level = getattr(logging, "setLogLevel", None) or getattr(cv2, "setLogLevel", None)
    if set_level is not None:
        set_level(0)
