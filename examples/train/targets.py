"""Training targets as in OpenPose, for any skeleton: heat maps and part-affinity fields on one grid."""

from typing import NamedTuple, Tuple

import numpy as np

from wholebody.skeletons import Skeleton

STRIDE = 8
SIGMA_PX = 7.0
TRUNCATED_ABOVE = 4.6052  # in d^2 / (2 sigma^2): where OpenPose cuts the bell off, at 1 %
LIMB_RADIUS_CELLS = 1.0
SHORTEST_LIMB_CELLS = 1e-3


class Targets(NamedTuple):
    """What the network shall answer for one picture."""

    heatmaps: np.ndarray
    """(K, H / 8, W / 8) float32: the keypoints, and the background where the skeleton has one."""
    pafs: np.ndarray
    """(2 L, H / 8, W / 8) float32."""


def to_cells(points: np.ndarray) -> np.ndarray:
    """Continuous pixels as map cells: the centre of cell g is the pixel coordinate 8 g + 4.

    >>> to_cells(np.array([4.0, 12.0])).tolist()
    [0.0, 1.0]
    """
    return (np.asarray(points, np.float64) - STRIDE / 2.0) / STRIDE


def make_targets(keypoints: np.ndarray, known: np.ndarray, skeleton: Skeleton, shape: Tuple[int, int]) -> Targets:
    """Targets of the known keypoints (N, K, 2), continuous pixels, on a grid of `shape` (height, width) cells."""
    cells = to_cells(keypoints)
    heatmaps = np.zeros((skeleton.heatmap_channels,) + shape, np.float32)
    pafs = np.zeros((skeleton.paf_channel_count,) + shape, np.float32)
    count = len(skeleton.keypoints)
    for k in range(count):
        centres = cells[known[:, k], k]
        if len(centres):
            heatmaps[k] = bells(centres, shape)
    if skeleton.has_background:
        heatmaps[-1] = np.maximum(0, 1 - heatmaps[:count].max(axis=0))
    for (a, b), channels in zip(skeleton.paf_pairs, skeleton.paf_channels):
        both = known[:, a] & known[:, b]
        if both.any():
            pafs[list(channels)] = field(cells[both, a], cells[both, b], shape)
    return Targets(heatmaps, pafs)


def bells(centres: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    """A map (h, w) with a bell around each of the cell positions (N, 2); where two meet, the higher."""
    sigma = SIGMA_PX / STRIDE
    x = (np.arange(shape[1]) - centres[:, :1]) ** 2
    y = (np.arange(shape[0]) - centres[:, 1:]) ** 2
    exponent = (y[:, :, None] + x[:, None, :]).min(axis=0) / (2 * sigma * sigma)
    return np.where(exponent > TRUNCATED_ABOVE, 0, np.exp(-exponent)).astype(np.float32)


def field(starts: np.ndarray, ends: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    """The unit vectors (2, h, w) of limbs between cell positions (N, 2) each; where limbs meet, their mean.

    A cell belongs to a limb within one cell across, and one cell around the box of its two ends.
    """
    along = ends - starts
    length = np.hypot(along[:, 0], along[:, 1])
    unit = along / np.maximum(length, SHORTEST_LIMB_CELLS)[:, None]
    low, high = np.minimum(starts, ends) - LIMB_RADIUS_CELLS, np.maximum(starts, ends) + LIMB_RADIUS_CELLS
    x, y = np.arange(shape[1], dtype=np.float64), np.arange(shape[0], dtype=np.float64)
    across = np.abs((x[None, None, :] - starts[:, 0, None, None]) * unit[:, 1, None, None]
                    - (y[None, :, None] - starts[:, 1, None, None]) * unit[:, 0, None, None])
    in_x = (x >= np.round(low[:, :1])) & (x <= np.round(high[:, :1]))
    in_y = (y >= np.round(low[:, 1:])) & (y <= np.round(high[:, 1:]))
    near = (across <= LIMB_RADIUS_CELLS) & in_y[:, :, None] & in_x[:, None, :]
    near &= (length > SHORTEST_LIMB_CELLS)[:, None, None]
    total = np.einsum("nc,nhw->chw", unit, near)
    return np.asarray(total / np.maximum(near.sum(axis=0), 1), np.float32)
