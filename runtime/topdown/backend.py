"""What every way of doing a top-down network's arithmetic offers, and how one is chosen."""
import abc
from typing import TYPE_CHECKING, Any, List, Tuple

import numpy as np

from wholebody.card import InputSpec

if TYPE_CHECKING:
    import numpy.typing as npt

REFINEMENTS = ("none", "quarter", "dark", "udp")
KERNEL = "opencv"  # of enlarged maps: what OpenPose has on a CPU, as the PAF decoder has by default


class Backend(abc.ABC):
    """All people of a frame in one call; a value that is not finite counts for nothing."""

    @abc.abstractmethod
    def peaks(self, maps: "npt.NDArray[np.float32]", refine: str) -> "npt.NDArray[np.float32]":
        """(N, C, h, w) -> (N, C, 3): x, y in cells, highest value; zeros where no value is above 0."""

    @abc.abstractmethod
    def enlarged_peaks(self, maps: "npt.NDArray[np.float32]", factor: int) -> "npt.NDArray[np.float32]":
        """(N, C, h, w) -> (N, C, 3): the highest pixel of maps enlarged by a whole factor, OpenPose's bicubic way.

        x and y in pixels of the enlarged map, whole numbers, the first of equal ones in reading order, and its value;
        zeros where none is above 0.
        """

    @abc.abstractmethod
    def integrals(self, maps: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
        """(N, C, h, w) logits -> (N, C, 3): mean place of their sigmoid in cells, highest sigmoid."""

    @abc.abstractmethod
    def simcc(self, along_x: "npt.NDArray[np.float32]", along_y: "npt.NDArray[np.float32]",
              split: float) -> "npt.NDArray[np.float32]":
        """(N, K, W * split) and (N, K, H * split) -> (N, K, 3): x, y in input pixels, lower of the highest values."""

    @abc.abstractmethod
    def crops(self, picture: "npt.NDArray[np.uint8]", matrices: "npt.NDArray[np.float32]", spec: InputSpec,
              out: "npt.NDArray[Any]") -> None:
        """Fill `out` (N, 3, h, w) or (N, h, w, 3) with the picture at matrix * (x, y, 1); bilinear, black outside."""

    @abc.abstractmethod
    def nms(self, boxes_xyxy: "npt.NDArray[np.float32]", most: float) -> "npt.NDArray[np.bool_]":
        """Which of the boxes, best first, are not overlapped by a better one that stays."""


def channel_values(spec: InputSpec) -> "Tuple[Tuple[int, ...], List[np.float32], List[np.float32]]":
    """The input's channel of a picture's B, G and R, and what each is multiplied by and added to."""
    order = (0, 1, 2) if spec.color == "bgr" else (2, 1, 0)
    return (order, [np.float32(spec.scale / spec.std[c]) for c in order],
            [np.float32(-spec.mean[c] / spec.std[c]) for c in order])
