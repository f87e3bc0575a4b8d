"""How much two answers about the same picture agree: keypoint by keypoint, people matched first."""
from typing import TYPE_CHECKING, Sequence, Tuple

import numpy as np

from wholebody.errors import ShapeError
from wholebody.poses import Poses

if TYPE_CHECKING:
    import numpy.typing as npt

_SIGMA = 0.089       # of keypoints for which the set has none: the largest of COCO's but the hips
_LEAST_AREA = 256.0  # square pixels: whoever shows three keypoints in a row has a box of no area


def agreement(reference: Poses, found: Poses) -> float:
    """From 0 to 1: similarity (that of OKS) summed over the keypoints of people found twice, of the larger answer.

    A keypoint that only one of the two has, or a whole person, counts in full against it; nobody twice is 1.
    """
    return overall([(reference, found)])


def overall(pairs: "Sequence[Tuple[Poses, Poses]]") -> float:
    """The same over several pictures, each keypoint counted alike."""
    alike, most = 0.0, 0
    for reference, found in pairs:
        if reference.skeleton.keypoints != found.skeleton.keypoints:
            raise ShapeError("expected poses of %s, got %s" % (reference.skeleton.name, found.skeleton.name))
        alike += _matched(similarities(reference, found))
        most += max(int((reference.scores > 0).sum()), int((found.scores > 0).sum()))
    return alike / most if most else 1.0


def similarities(reference: Poses, found: Poses) -> "npt.NDArray[np.float64]":
    """(N, M): for each person of either the similarity of all keypoints that both have, summed."""
    sigmas = reference.skeleton.oks_sigmas or (_SIGMA,) * len(reference.skeleton.keypoints)
    variances = (2 * np.asarray(sigmas, np.float64)) ** 2
    boxes = reference.boxes_xyxy.astype(np.float64)
    area = np.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), _LEAST_AREA)
    apart = reference.keypoints[:, None].astype(np.float64) - found.keypoints[None]
    alike = np.exp(-(apart ** 2).sum(axis=3) / (2 * variances * area[:, None, None]))
    both = (reference.scores[:, None] > 0) & (found.scores[None] > 0)
    return np.asarray((alike * both).sum(axis=2), np.float64)


def _matched(table: "npt.NDArray[np.float64]") -> float:
    """The sum over pairs, the most alike first; nobody is paired twice."""
    table, total = table.copy(), 0.0
    while table.size and table.max() > 0:
        one, other = np.unravel_index(int(table.argmax()), table.shape)
        total += float(table[one, other])
        table[one, :] = table[:, other] = 0.0
    return total
