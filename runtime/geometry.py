"""How a picture lies in the network's input, and the way back."""
import math
from typing import TYPE_CHECKING, NamedTuple, Tuple

import numpy as np

from wholebody.card import LONGEST_SIDE, InputSpec
from wholebody.errors import ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt

SHORTEST_SIDE = 16  # of a network size that somebody asks for, pixels
_WIDEST = 16 / 9  # the side that follows grows no further than this shape (OpenPose's net_resolution_dynamic 1)


class Resolution(NamedTuple):
    """A network size as the user asks for it; -1 follows from the picture's shape."""

    width: int = -1
    height: int = -1

    @classmethod
    def parse(cls, text: str) -> "Resolution":
        """From OpenPose's form.

        >>> Resolution.parse("-1x368")
        Resolution(width=-1, height=368)
        """
        parts = text.lower().split("x")
        try:
            width, height = (int(part) for part in parts)
        except ValueError:
            raise ShapeError("expected a resolution such as -1x368 or 656x368, got %r" % text)
        sides = (width, height)
        if sides == (-1, -1) or not all(s == -1 or SHORTEST_SIDE <= s <= LONGEST_SIDE for s in sides):
            raise ShapeError("expected sides of %d to %d pixels and at most one -1, got %r"
                             % (SHORTEST_SIDE, LONGEST_SIDE, text))
        return cls(width, height)


class Geometry(NamedTuple):
    """Where the resized picture lies in the input: frame pixel = net pixel * scale + offset, per axis.

    Pixel coordinates are continuous: pixel i covers i to i + 1.
    """

    net_width: int
    net_height: int
    resized_width: int
    resized_height: int
    left: int
    top: int
    scale: Tuple[float, float]
    offset: Tuple[float, float]

    def to_frame(self, points: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
        """(..., 2) net pixels -> frame pixels."""
        moved = points * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32)
        return np.asarray(moved, np.float32)


class Shrink(NamedTuple):
    """A smaller input than usual, for a network of any size that must be faster."""

    share: float = 1.0                      # of each side
    least: Tuple[int, int] = (1, 1)         # (width, height) that the engine takes


def plan(spec: InputSpec, width: int, height: int, resolution: Resolution = Resolution(),
         shrink: Shrink = Shrink()) -> Geometry:
    """Where a picture of this size goes."""
    if width < 1 or height < 1:
        raise ShapeError("expected a picture of at least 1x1 pixels, got %dx%d" % (width, height))
    net_width, net_height = _shrunk(spec, net_size(spec, width, height, resolution), shrink)
    if spec.resize == "stretch":
        scale = (width / net_width, height / net_height)
        return Geometry(net_width, net_height, net_width, net_height, 0, 0, scale, (0.0, 0.0))
    if spec.resize == "openpose":
        return _openpose(width, height, net_width, net_height)
    factor = min(net_width / width, net_height / height)
    resized_width = min(net_width, max(1, int(width * factor + 0.5)))
    resized_height = min(net_height, max(1, int(height * factor + 0.5)))
    centred = spec.padding == "centre"
    left = (net_width - resized_width) // 2 if centred else 0
    top = (net_height - resized_height) // 2 if centred else 0
    scale = (width / resized_width, height / resized_height)
    return Geometry(net_width, net_height, resized_width, resized_height, left, top, scale,
                    (-left * scale[0], -top * scale[1]))


def net_size(spec: InputSpec, width: int, height: int, resolution: Resolution) -> Tuple[int, int]:
    """(width, height) of the network's input for a picture of this size (spec of OpenPose's net_resolution)."""
    if spec.size is not None:
        fixed = Resolution(spec.size[1], spec.size[0])
        if resolution != Resolution() and resolution != fixed:
            raise ShapeError("this network takes %dx%d only, got --net-resolution %dx%d" % (fixed + resolution))
        return fixed.width, fixed.height
    wanted = Resolution(-1, spec.height) if resolution == Resolution() else resolution
    if wanted.width == -1:
        ideal_width = min(wanted.height * _WIDEST, wanted.height * width / height)
        return _multiple(ideal_width, spec.multiple), _multiple(wanted.height, spec.multiple)
    if wanted.height == -1:
        ideal_height = min(wanted.width / _WIDEST, wanted.width * height / width)
        return _multiple(wanted.width, spec.multiple), _multiple(ideal_height, spec.multiple)
    return _multiple(wanted.width, spec.multiple), _multiple(wanted.height, spec.multiple)


def _shrunk(spec: InputSpec, size: Tuple[int, int], shrink: Shrink) -> Tuple[int, int]:
    """A part of each side, as a multiple of what the network takes; a network of one size stays as it is."""
    if shrink.share == 1.0 or spec.size is not None:
        return size
    return (max(shrink.least[0], _multiple(size[0] * shrink.share, spec.multiple)),
            max(shrink.least[1], _multiple(size[1] * shrink.share, spec.multiple)))


def openpose_scale(source: Tuple[int, int], target: Tuple[int, int]) -> float:
    """OpenPose's scale between two sizes (width, height): sides less one, the axis that fits less; one pixel has none.

    >>> openpose_scale((1921, 1081), (641, 541))
    0.3333333333333333
    """
    scales = [(t - 1) / (s - 1) for s, t in zip(source, target) if s > 1 and t > 1]
    return min(scales) if scales else 1.0


def _openpose(width: int, height: int, net_width: int, net_height: int) -> Geometry:
    """OpenPose's own mapping: pixel centres 0 of both pictures coincide, sides are counted less one."""
    factor = openpose_scale((width, height), (net_width, net_height))
    # To the last pixel that its kernel reaches: cubic when it grows, linear when it shrinks.
    reach = 1 if factor > 1 else 0
    covered = (min(net_width, math.ceil((width + reach) * factor)),
               min(net_height, math.ceil((height + reach) * factor)))
    # Back-projection uses the rounded covered size, not the factor itself (spec: scaleNetToOutput).
    back = openpose_scale((int(width * factor + 0.5), int(height * factor + 0.5)), (width, height))
    return Geometry(net_width, net_height, covered[0], covered[1], 0, 0, (back, back),
                    (0.5 - 0.5 * back, 0.5 - 0.5 * back))


def _multiple(side: float, multiple: int) -> int:
    return max(multiple, multiple * int(side / multiple + 0.5))
