"""What somebody looks like, as numbers that are alike for pictures of the same person."""
import abc
from typing import TYPE_CHECKING, Any

import numpy as np

from wholebody.poses import Poses

if TYPE_CHECKING:
    import numpy.typing as npt


class Appearance(abc.ABC):
    """Looks at people in a frame; a context manager."""

    most = 0.7  # that pictures of one person may differ by (1 - their product): AlphaPose's, of networks

    @abc.abstractmethod
    def describe(self, image: "npt.NDArray[np.uint8]", poses: Poses) -> "npt.NDArray[np.float32]":
        """A row of length one for each person (N, D): their products are how alike people look."""

    def close(self) -> None:  # noqa: B027 - colours hold nothing
        """Free what it holds."""

    def __enter__(self) -> "Appearance":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def of_length_one(rows: "npt.NDArray[Any]") -> "npt.NDArray[np.float32]":
    """Rows (N, D) divided by their lengths; what is zero stays zero."""
    length = np.sqrt((rows ** 2).sum(axis=1, keepdims=True))
    return np.asarray(rows / np.maximum(length, 1e-12), np.float32)
