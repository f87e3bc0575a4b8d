"""Affine maps between pictures, and what they do to points, pictures, maps and fields.

All are 2x3 in continuous pixels: pixel i covers i to i + 1, and a cell of a map is a pixel of its own grid.
"""

from typing import List, Tuple

import cv2
import numpy as np

from wholebody.errors import SkeletonError
from wholebody.skeletons import Skeleton


def moved(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Points (..., 2) under the map.

    >>> moved(np.array([1.0, 2.0]), np.array([[2.0, 0, 1], [0, 2.0, 0]])).tolist()
    [3.0, 4.0]
    """
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """One map after the other."""
    return np.concatenate([second[:, :2] @ first[:, :2], moved(first[:, 2], second)[:, None]], axis=1)


def inverse(affine: np.ndarray) -> np.ndarray:
    """The way back."""
    back = np.linalg.inv(affine[:, :2])
    return np.concatenate([back, -back @ affine[:, 2:]], axis=1)


def mirrored(affine: np.ndarray) -> bool:
    """Whether the map swaps left and right."""
    return bool(np.linalg.det(affine[:, :2]) < 0)


def warp(picture: np.ndarray, affine: np.ndarray, size: Tuple[int, int], outside: float,
         interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """A picture (H, W) or (H, W, 3) under the map, cut to `size` (width, height)."""
    half = np.full(2, 0.5)
    shift = moved(half, affine) - half  # OpenCV counts from the centre of the first pixel
    matrix = np.concatenate([affine[:, :2], shift[:, None]], axis=1)
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=interpolation, borderMode=cv2.BORDER_CONSTANT,
                                     borderValue=(outside,) * 3))


def warp_heatmaps(heatmaps: np.ndarray, affine: np.ndarray, size: Tuple[int, int],
                  skeleton: Skeleton) -> np.ndarray:
    """Heat maps (K, h, w) under a map between cells; nobody is outside."""
    count = len(skeleton.keypoints)
    result = np.stack([warp(channel, affine, size, float(k >= count), cv2.INTER_CUBIC)
                       for k, channel in enumerate(heatmaps)])
    if mirrored(affine):
        result[list(range(count))] = result[flipped_keypoints(skeleton)]
    return result


def warp_pafs(pafs: np.ndarray, affine: np.ndarray, size: Tuple[int, int], skeleton: Skeleton) -> np.ndarray:
    """Fields (2 L, h, w) under a map between cells: each moves, and its vectors turn with the picture."""
    linear = affine[:, :2] / np.sqrt(abs(np.linalg.det(affine[:, :2])))
    fields = np.stack([warp(channel, affine, size, 0.0, cv2.INTER_CUBIC) for channel in pafs])
    limbs = flipped_limbs(skeleton) if mirrored(affine) else [(i, 1) for i in range(len(skeleton.paf_pairs))]
    result = np.empty_like(fields)
    for (x, y), (source, sign) in zip(skeleton.paf_channels, limbs):
        vectors = fields[list(skeleton.paf_channels[source])]
        result[[x, y]] = sign * np.einsum("ij,jhw->ihw", linear, vectors)
    return result


def flipped_keypoints(skeleton: Skeleton) -> List[int]:
    """For each keypoint the one that takes its place in the mirror."""
    order = list(range(len(skeleton.keypoints)))
    for a, b in skeleton.flip_pairs:
        order[a], order[b] = b, a
    return order


def flipped_limbs(skeleton: Skeleton) -> List[Tuple[int, int]]:
    """For each limb the one that takes its place in the mirror, and -1 where that one runs the other way."""
    order, limbs = flipped_keypoints(skeleton), []
    for a, b in skeleton.paf_pairs:
        mirror = (order[a], order[b])
        if mirror in skeleton.paf_pairs:
            limbs.append((skeleton.paf_pairs.index(mirror), 1))
        elif mirror[::-1] in skeleton.paf_pairs:
            limbs.append((skeleton.paf_pairs.index(mirror[::-1]), -1))
        else:
            raise SkeletonError("%s has the limb %d-%d but not its mirror %d-%d: train with --flip 0"
                                % (skeleton.name, a, b, *mirror))
    return limbs
