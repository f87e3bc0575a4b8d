"""What every sink has in common, and what it is given beside the result."""
import abc
import os
import pathlib
from types import TracebackType
from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence, Tuple, Type

from wholebody.files import PathLike, check_free, claim_folder, output_error
from wholebody.poses import Frame, Result

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Details(NamedTuple):
    """What the network said about a frame, for the sinks that write more than people."""

    keypoints: "npt.NDArray[np.float32]"                              # (N, K, 2) as --keypoint-scale asks
    net_size: Tuple[int, int]                                         # width, height of the network's input
    heatmaps: "Optional[npt.NDArray[np.float32]]" = None              # (C, h, w)
    pafs: "Optional[npt.NDArray[np.float32]]" = None                  # (2L, h, w)
    candidates: "Optional[List[npt.NDArray[np.float32]]]" = None      # per keypoint (n, 3) x, y, score, frame pixels
    level: str = ""                                                   # less than all was asked of the board: what


class Sink(abc.ABC):
    """Takes results; a context manager: `close` completes the files, an exception in the block leaves none half."""

    @abc.abstractmethod
    def write(self, frame: Frame, result: Result, details: Details) -> None:
        """Write one frame's result."""

    def close(self) -> None:  # noqa: B027 - a sink of one file a frame holds nothing open
        """Complete the files; closing twice is harmless."""

    def abort(self) -> None:  # noqa: B027 - as close
        """Remove what is not complete; after `close` it does nothing."""

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class FrameFiles(Sink):
    """A sink that writes one file a frame into a folder, each complete before it gets its name.

    `names` are the frames known beforehand (`Source.frame_names`): an old file of theirs is an error at once.
    """

    def __init__(self, folder: PathLike, ending: str, overwrite: bool, names: Sequence[str]) -> None:
        self.folder = claim_folder(folder)
        self.ending = ending
        self.overwrite = overwrite
        if not overwrite:
            self._look_for_old_files(names)

    def path_of(self, name: str) -> pathlib.Path:
        """The file of a frame."""
        return self.folder / (name + self.ending)

    def _look_for_old_files(self, names: Sequence[str]) -> None:
        try:
            there = set(os.listdir(str(self.folder)))
        except OSError as error:
            raise output_error(self.folder, error, "list folder") from error
        for name in names:
            if name + self.ending in there:
                check_free(self.path_of(name))
