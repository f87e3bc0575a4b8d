"""Training targets as in OpenPose: heat maps and part-affinity fields at an eighth of the picture."""

from typing import NamedTuple

import numpy as np

from wholebody.skeletons import Skeleton, get_skeleton

STRIDE = 8
SIGMA_PX = 7.0
TRUNCATED_ABOVE = 4.6052  # in d^2 / (2 sigma^2): where OpenPose cuts the bell off, at 1 %
LIMB_RADIUS_CELLS = 1.0
SKELETON: Skeleton = get_skeleton("BODY_25")


class Targets(NamedTuple):
    """What the network shall answer for one picture."""

    heatmaps: np.ndarray
    """(26, H / 8, W / 8) float32: 25 keypoints and the background."""
    pafs: np.ndarray
    """(52, H / 8, W / 8) float32."""


def to_cells(keypoints: np.ndarray) -> np.ndarray:
    """Continuous pixels as map cells: the centre of cell g is the pixel coordinate 8 g + 4.

    >>> to_cells(np.array([4.0, 12.0])).tolist()
    [0.0, 1.0]
    """
    return (np.asarray(keypoints, np.float64) - STRIDE / 2.0) / STRIDE


def make_targets(keypoints: np.ndarray, visible: np.ndarray, width: int, height: int) -> Targets:
    """Targets of the visible keypoints (N, 25, 2) of a picture whose sides are multiples of 8."""
    cells, shape = to_cells(keypoints), (height // STRIDE, width // STRIDE)
    heatmaps = np.zeros((SKELETON.heatmap_channels,) + shape, np.float32)
    pafs = np.zeros((SKELETON.paf_channel_count,) + shape, np.float32)
    for person, seen in zip(cells, visible):
        for k in np.flatnonzero(seen):
            _add_peak(heatmaps[k], person[k])
    heatmaps[-1] = np.maximum(0, 1 - heatmaps[:-1].max(axis=0))
    for (a, b), channels in zip(SKELETON.paf_pairs, SKELETON.paf_channels):
        field, count = np.zeros((2,) + shape, np.float32), np.zeros(shape, np.float32)
        for person, seen in zip(cells, visible):
            if seen[a] and seen[b]:
                _add_limb(field, count, person[a], person[b])
        pafs[list(channels)] = field / np.maximum(count, 1)
    return Targets(heatmaps, pafs)


def _add_peak(heatmap: np.ndarray, centre: np.ndarray) -> None:
    """Raise a heat map (h, w) to a bell around a cell position (x, y)."""
    sigma = SIGMA_PX / STRIDE
    reach = int(np.ceil(sigma * np.sqrt(2 * TRUNCATED_ABOVE)))
    x0, y0 = (max(0, int(np.floor(c)) - reach) for c in centre)
    box = (slice(y0, int(np.floor(centre[1])) + reach + 2), slice(x0, int(np.floor(centre[0])) + reach + 2))
    patch = heatmap[box]
    rows, columns = np.ogrid[y0:y0 + patch.shape[0], x0:x0 + patch.shape[1]]
    exponent = ((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2 * sigma * sigma)
    bell = np.where(exponent > TRUNCATED_ABOVE, 0, np.exp(-exponent)).astype(np.float32)
    np.maximum(patch, bell, out=patch)


def _add_limb(field: np.ndarray, count: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Add the unit vector from a to b to every cell of (2, h, w) within one cell of the limb.

    Unlike OpenPose's own labels, whose fields lie half a cell off their heat maps, both share one grid.
    """
    length = float(np.hypot(*(b - a)))
    if length < 1e-3:
        return
    unit = (b - a) / length
    low = np.maximum(0, np.round(np.minimum(a, b) - LIMB_RADIUS_CELLS)).astype(int)
    high = np.round(np.maximum(a, b) + LIMB_RADIUS_CELLS)
    high = np.minimum(np.array(count.shape[::-1]) - 1, high).astype(int)
    if (high < low).any():
        return
    box = (slice(low[1], high[1] + 1), slice(low[0], high[0] + 1))
    rows, columns = np.mgrid[box]
    across = np.abs((columns - a[0]) * unit[1] - (rows - a[1]) * unit[0])
    near = (across <= LIMB_RADIUS_CELLS).astype(np.float32)
    field[0][box] += near * unit[0]
    field[1][box] += near * unit[1]
    count[box] += near
