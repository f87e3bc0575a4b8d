"""From squares around faces and hands to pieces of picture and back, turned and mirrored as a network wants them."""
from typing import TYPE_CHECKING, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.card import CropRule
from wholebody.runtime.parts.squares import SIDES, Squares

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

LEFT = SIDES["hand"].index("left_")


class PartCrops(NamedTuple):
    """M pieces of a frame."""

    slots: "npt.NDArray[np.int64]"         # (M,) as of the squares
    score: "npt.NDArray[np.float64]"       # (M,) as of the squares
    matrices: "npt.NDArray[np.float32]"    # (M, 2, 3): input pixel (x, y) is frame pixel matrix * (x, y, 1)
    size: Tuple[int, int]                  # (width, height) of the input

    def to_frame(self, parts: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
        """(M, K, 2) parts of the input's sides -> pixels of the frame."""
        pixels = parts * np.array(self.size, np.float32)
        turned = np.einsum("mij,mkj->mki", self.matrices[:, :, :2], pixels)
        return np.asarray(turned + self.matrices[:, None, :, 2], np.float32)


def plan_part_crops(squares: Squares, rule: CropRule, size: Tuple[int, int]) -> PartCrops:
    """Squares by the rule, grown to the shape of an input of (width, height)."""
    width, height = size
    right = squares.right if rule.turned else np.tile([1.0, 0.0], (len(squares.side), 1))
    down = np.stack([-right[:, 1], right[:, 0]], axis=1)
    if rule.mirrored and rule.kind == "hand":
        right = np.where((squares.slots % len(SIDES["hand"]) == LEFT)[:, None], -right, right)
    side = squares.side[:, None]
    centre = squares.centre + side * (rule.shift[0] * right + rule.shift[1] * down)
    wide = side * rule.scale * max(1.0, width / height)
    step = wide / width
    corner = centre - wide / 2 * right - wide * (height / width) / 2 * down
    matrices = np.stack([right * step, down * step, corner], axis=2)
    return PartCrops(squares.slots, squares.score, matrices.astype(np.float32), size)


def scales_of(number: int, spread: float) -> "List[float]":
    """OpenPose's --hand_scale_number and --hand_scale_range.

    >>> scales_of(3, 0.5), scales_of(1, 0.5)
    ([0.75, 1.0, 1.25], [1.0])
    """
    if number == 1:
        return [1.0]
    return [1 - spread / 2 + spread * i / (number - 1) for i in range(number)]


def at_scales(squares: Squares, scales: Sequence[float]) -> Squares:
    """Every square at every scale, one after the other: M * S of them, with OpenPose's rounding of their sides."""
    if len(scales) == 1:
        return squares
    sides = np.floor(squares.side[:, None] * np.array(scales) + 0.5) // 2 * 2
    each = np.repeat(np.arange(len(sides)), len(scales))
    return squares.chosen(each)._replace(side=sides.ravel())


def around_points(crops: PartCrops, points: "npt.NDArray[np.float32]", upright: "Array", rule: CropRule) -> Squares:
    """Squares around what was found (M, K, 2), `upright` (M, 2) being the way from left to right in them."""
    right = upright if rule.turned else np.tile([1.0, 0.0], (len(points), 1))
    down = np.stack([-right[:, 1], right[:, 0]], axis=1)
    axes = np.stack([right, down], axis=1)                      # (M, 2, 2)
    along = np.einsum("mij,mkj->mki", axes, points.astype(np.float64))
    low, high = along.min(axis=1), along.max(axis=1)
    centre = np.einsum("mij,mi->mj", axes, (low + high) / 2)
    return Squares(crops.slots, centre, (high - low).max(axis=1) * rule.again, right, crops.score)
