"""The answer for a mirrored picture, seen as an answer for the picture itself: the papers' flip test."""
from typing import TYPE_CHECKING, NamedTuple, Tuple

import numpy as np

from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt


class Flip(NamedTuple):
    """For each keypoint of a range the place in it of its counterpart on the other side."""

    order: Tuple[int, ...]

    @classmethod
    def of(cls, skeleton: Skeleton, first: int, end: int) -> "Flip":
        """Counterparts within keypoints first to end; one whose counterpart lies outside stays itself."""
        order = list(range(first, end))
        for left, right in skeleton.flip_pairs:
            if first <= left < end and first <= right < end:
                order[left - first], order[right - first] = right, left
        return cls(tuple(k - first for k in order))


def unflipped_points(values: "npt.NDArray[np.float32]", flip: Flip) -> "npt.NDArray[np.float32]":
    """(N, K, ...) with left and right exchanged."""
    return values[:, list(flip.order)]


def unflipped_bins(values: "npt.NDArray[np.float32]", flip: Flip) -> "npt.NDArray[np.float32]":
    """(N, K, bins) along x, mirrored back."""
    return values[:, list(flip.order), ::-1]


def unflipped_maps(maps: "npt.NDArray[np.float32]", flip: Flip, shift: bool) -> "npt.NDArray[np.float32]":
    """(N, K, h, w) mirrored back; `shift` moves them a column to the right, as networks not trained with UDP need."""
    mirrored = maps[:, list(flip.order), :, ::-1].copy()
    if shift:
        mirrored[..., 1:] = mirrored[..., :-1].copy()
    return np.asarray(mirrored, np.float32)
