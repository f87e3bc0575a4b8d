"""BoxFinder: whatever says where people are, and the search of one lane."""
import abc
from typing import List, Optional, Sequence

from wholebody.poses import Detections, Frame
from wholebody.runtime.geometry import Geometry


class Search(abc.ABC):
    """What one lane's frames need to be searched; one stage at a time has it."""

    def preprocess(self, frames: Sequence[Frame]) -> None:  # noqa: B027 - a file needs none
        """Frames into the detector's inputs."""

    def infer(self) -> None:  # noqa: B027 - as above
        """Run the detector."""

    @abc.abstractmethod
    def boxes(self, frames: Sequence[Frame]) -> List[Detections]:
        """Where people are in each frame, in its pixels, best first."""

    def geometry(self, index: int, frame: Frame) -> Geometry:  # noqa: ARG002 - a detector's depends on the frame
        """How a frame lay in the detector's input; without a detector it is its own."""
        height, width = frame.image.shape[:2]
        return Geometry(width, height, width, height, 0, 0, (1.0, 1.0), (0.0, 0.0))

    def close(self) -> None:  # noqa: B027 - most hold memory only
        """Free what it holds."""


class BoxFinder(abc.ABC):
    """Says where people are; closing it frees its network."""

    has_network = False

    @property
    def max_batch(self) -> Optional[int]:
        """Frames of one size that it takes at once; None is any number."""
        return None

    @abc.abstractmethod
    def new_search(self) -> Search:
        """For one lane; whoever asks for it closes it."""

    def close(self) -> None:  # noqa: B027 - most hold no network
        """Free it."""
