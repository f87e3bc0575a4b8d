"""From a person's box to the piece of picture a network sees, and the way back to frame pixels."""
from typing import TYPE_CHECKING, NamedTuple, Tuple

import numpy as np

from wholebody.errors import ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt


class Crops(NamedTuple):
    """Where the network's inputs lie in the frame; N people."""

    matrices: "npt.NDArray[np.float32]"  # (N, 2, 3): input pixel (x, y) is frame pixel matrix * (x, y, 1)
    corner: "npt.NDArray[np.float32]"    # (N, 2) frame pixels: the first input pixel
    extent: "npt.NDArray[np.float32]"    # (N, 2) frame pixels: what the input covers

    def to_frame(self, points: "npt.NDArray[np.float32]", sides: Tuple[float, float]) -> "npt.NDArray[np.float32]":
        """(N, K, 2) cells of maps with these sides (width, height) -> frame pixels; integers are pixel centres."""
        scale = self.extent / np.asarray(sides, np.float32)
        return np.asarray(points * scale[:, None] + self.corner[:, None], np.float32)


def plan_crops(boxes_xyxy: "npt.NDArray[np.float32]", size: Tuple[int, int], padding: float = 1.25,
               udp: bool = False) -> Crops:
    """Boxes grown to the shape of an input of (width, height), then `padding` times as large.

    The width alone sets the scale, as AlphaPose and mmpose have it (three-point affine); `udp` counts pixel steps
    instead of pixels, so that first and last pixel lie on the edges of the box.

    >>> plan_crops(np.array([[0, 0, 30, 20]], np.float32), (30, 40), 1.0).matrices.tolist()
    [[[1.0, 0.0, 0.0], [0.0, 1.0, -10.0]]]
    """
    boxes = np.asarray(boxes_xyxy, np.float64)
    if boxes.ndim != 2 or boxes.shape[1:] != (4,):
        raise ShapeError("boxes: expected shape (N, 4), got %s" % (boxes.shape,))
    width, height = size
    centre, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
    wide = np.maximum(sides[:, 0], sides[:, 1] * (width / height)) * padding
    extent = np.stack([wide, wide * (height / width)], axis=1)
    corner = centre - extent / 2
    matrices = np.zeros((len(boxes), 2, 3))
    steps = np.array([width - 1, height - 1] if udp else [width, height], np.float64)
    matrices[:, [0, 1], [0, 1]] = extent / np.maximum(steps, 1)
    matrices[:, :, 2] = corner
    return Crops(matrices.astype(np.float32), corner.astype(np.float32), extent.astype(np.float32))
