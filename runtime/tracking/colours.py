"""People told by the colours of their clothes, looked up along the limbs that their keypoints span."""
from typing import TYPE_CHECKING, Dict, List, Tuple

import numpy as np

from wholebody.poses import Poses
from wholebody.runtime.tracking.appearance import Appearance, of_length_one
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

# Where to look: two ends of a line or four corners, and which region that is. Left and right are one region: from
# behind they change places. The shirt is looked at in several ways, for not all of its corners are always seen.
_PLACES: Tuple[Tuple[int, Tuple[str, ...]], ...] = (
    (0, ("left_shoulder", "right_shoulder", "right_hip", "left_hip")),
    (0, ("left_shoulder", "right_hip")), (0, ("right_shoulder", "left_hip")),
    (0, ("left_shoulder", "left_hip")), (0, ("right_shoulder", "right_hip")),
    (1, ("left_hip", "left_knee")), (1, ("right_hip", "right_knee")),
    (2, ("left_knee", "left_ankle")), (2, ("right_knee", "right_ankle")),
    (3, ("left_shoulder", "left_elbow")), (3, ("right_shoulder", "right_elbow")))
_REGIONS = 4
_BINS, _LOOKS = 8, 5
_LEAST = 0.05  # score of a keypoint that is believed


class Colours(Appearance):
    """Soft histograms of brightness and two colour differences for shirt, thighs, shins and sleeves.

    Nothing to download and nothing to run: some hundred pixels a person. It tells clothes, not faces.
    """

    most = 0.4  # without a region that was seen before two rows of one person differ by a quarter

    def __init__(self, skeleton: Skeleton) -> None:
        names = {name: place for place, name in enumerate(skeleton.keypoints)}
        self._places: List[Tuple[int, List[int]]] = [
            (region, [names[corner] for corner in corners])
            for region, corners in _PLACES if all(corner in names for corner in corners)]
        self._weights: Dict[int, "npt.NDArray[np.float32]"] = {2: _along(), 4: _across()}

    def describe(self, image: "npt.NDArray[np.uint8]", poses: Poses) -> "npt.NDArray[np.float32]":
        """(N, 4 * 24), zero for regions that are not seen."""
        found = np.zeros((len(poses), _REGIONS, 3 * _BINS), np.float64)
        for region, corners in self._places:
            seen = (poses.scores[:, corners] > _LEAST).all(axis=1)
            if seen.any():
                looks = self._weights[len(corners)] @ poses.keypoints[seen][:, corners]
                found[seen, region] += _histogram(_pixels(image, looks))
        # The root of shares: products of two rows are then Bhattacharyya coefficients.
        shares = np.sqrt(found / np.maximum(found.sum(axis=2, keepdims=True), 1e-12))
        return of_length_one(shares.reshape(len(poses), _REGIONS * 3 * _BINS))


def _along() -> "npt.NDArray[np.float32]":
    """Points of a line from its two ends (looks, 2)."""
    t = np.linspace(0.15, 0.85, 2 * _LOOKS)
    return np.stack([1 - t, t], axis=1).astype(np.float32)


def _across() -> "npt.NDArray[np.float32]":
    """Points of a quadrangle from its four corners (looks, 4)."""
    t = np.linspace(0.15, 0.85, _LOOKS)
    u, v = (grid.ravel() for grid in np.meshgrid(t, t))
    return np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1).astype(np.float32)


def _pixels(image: "npt.NDArray[np.uint8]", looks: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
    """Colours (n, looks, 3) at points (n, looks, 2); those outside are the border's."""
    x = np.clip(np.nan_to_num(looks[..., 0]), 0, image.shape[1] - 1).astype(np.int64)
    y = np.clip(np.nan_to_num(looks[..., 1]), 0, image.shape[0] - 1).astype(np.int64)
    return image[y, x].astype(np.float32)


def _histogram(colours: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float64]":
    """(n, 3 * bins): each colour lies between two bins and counts for both."""
    blue, green, red = np.moveaxis(colours, -1, 0)
    bright = (blue + green + red) / 3
    # Differences as shares of the brightness: a shadow changes them little.
    scale = np.maximum(bright, 16)
    values = np.stack([bright / 256, 0.5 + (red - green) / scale / 4, 0.5 + (0.5 * (red + green) - blue) / scale / 4],
                      axis=-1)
    place = np.clip(values, 0, 1) * (_BINS - 1)
    lower = np.minimum(place.astype(np.int64), _BINS - 2)
    upper_share = place - lower
    bins = np.arange(_BINS)
    soft = ((bins == lower[..., None]) * (1 - upper_share)[..., None]
            + (bins == lower[..., None] + 1) * upper_share[..., None])
    return np.asarray(soft.sum(axis=1).reshape(len(colours), 3 * _BINS))
