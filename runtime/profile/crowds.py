"""Maps and boxes of drawn crowds: what so many people cost to decode, whether or not the network would see them."""
from typing import TYPE_CHECKING, Tuple

import numpy as np

from wholebody.poses import Detections
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

_PEAK = 1.5         # squared cells: as wide as a network's peaks
_LIMB = 1.0         # cells to either side


def drawn_maps(skeleton: Skeleton, people: int, height: int,
               width: int) -> "Tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]":
    """Heat maps and PAFs (in cells) of `people` of one random figure each, every point and limb of it drawn."""
    random, count = np.random.RandomState(people), len(skeleton.keypoints)
    figure = np.random.RandomState(count).uniform(-.5, .5, (count, 2))
    heat = np.zeros((skeleton.heatmap_channels, height, width), np.float32)
    pafs = np.zeros((skeleton.paf_channel_count, height, width), np.float32)
    rows, columns = np.mgrid[:height, :width]
    for centre in _places(people, height, width, random):
        size = np.sqrt(0.5 * height * width / people)
        points = figure * min(size, 0.8 * height) + centre
        for place in range(count):
            distance = (columns - points[place, 0]) ** 2 + (rows - points[place, 1]) ** 2
            np.maximum(heat[place], 0.9 * np.exp(-distance / _PEAK), out=heat[place])
        for (start, end), channels in zip(skeleton.paf_pairs, skeleton.paf_channels):
            _line(pafs, channels, points[start], points[end], rows, columns)
    return heat, pafs


def drawn_boxes(people: int, height: int, width: int) -> Detections:
    """Boxes of so many people in a frame of this size, side by side."""
    centres = _places(people, height, width, np.random.RandomState(people))
    half = 0.35 * np.array([0.5, 1.0]) * min(height, np.sqrt(float(height * width) / people))
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    return Detections(boxes.astype(np.float32), np.full(people, 0.9, np.float32))


def _places(people: int, height: int, width: int, random: np.random.RandomState) -> "npt.NDArray[np.float64]":
    """Centres in a grid that fills the picture, a little out of line."""
    across = int(np.ceil(np.sqrt(people * width / float(height))))
    down = -(-people // across)
    number = np.arange(people)
    grid = np.stack([(number % across + 0.5) / across * width, (number // across + 0.5) / down * height], axis=1)
    return np.asarray(grid + random.uniform(-0.1, 0.1, grid.shape) * (width / across, height / down))


def _line(pafs: "npt.NDArray[np.float32]", channels: Tuple[int, int], start: "npt.NDArray[np.float64]",
          end: "npt.NDArray[np.float64]", rows: "npt.NDArray[np.int64]", columns: "npt.NDArray[np.int64]") -> None:
    length = float(np.hypot(*(end - start)))
    if length < 1e-3:
        return
    along = (end - start) / length
    x, y = columns - start[0], rows - start[1]
    reach = x * along[0] + y * along[1]
    on = (np.abs(x * along[1] - y * along[0]) <= _LIMB) & (reach >= -_LIMB) & (reach <= length + _LIMB)
    for channel, part in zip(channels, along):
        pafs[channel][on] = 0.9 * part
