"""Capture: whatever delivers the pictures of one camera or stream, as long as it lasts."""
import abc
from typing import TYPE_CHECKING, NamedTuple, Optional

from wholebody.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Shot(NamedTuple):
    """A picture and when it was taken, by time.monotonic()."""

    image: "npt.NDArray[np.uint8]"  # (H, W, 3) BGR, the caller's own
    captured_at: float


class CaptureEnded(Exception):
    """There will be no further picture; the text is the reason, empty where it simply came to its end."""


class Capture(abc.ABC):
    """Open from the start; one thread reads, another one may call `stop`."""

    how = ""  # what it is made of, for the user

    @abc.abstractmethod
    def read(self, seconds: float) -> Optional[Shot]:
        """The next picture; None when none came for so long. Raises CaptureEnded."""

    def stop(self) -> None:  # noqa: B027 - most reads come back by themselves
        """Let a read that waits come back."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of the camera; closing twice is allowed."""


class NotThisWay(SourceError):
    """This way of capturing is not there, or does not know such sources; another one may."""
