"""The network maps a decoder is given, checked against what the skeleton expects."""
from typing import TYPE_CHECKING, Any, Sequence, Tuple

import numpy as np

from wholebody.errors import ShapeError
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt


READ = (np.dtype(np.float32), np.dtype(np.float16))  # as they are, in the machine's own byte order


def checked_heatmaps(heatmaps: Any, skeleton: Skeleton) -> "npt.NDArray[np.float32]":
    """Heat maps (K or, with its background, K + 1, h, w) as float32 or float16; a view stays a view."""
    points = len(skeleton.keypoints)
    counts = [points, points + 1] if skeleton.has_background else [points]
    return _checked("heatmaps", heatmaps, counts, skeleton)


def checked_maps(heatmaps: Any, pafs: Any, skeleton: Skeleton
                 ) -> "Tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]":
    """Heat maps and PAFs (2L, h, w) of the same size."""
    heat = checked_heatmaps(heatmaps, skeleton)
    fields = _checked("pafs", pafs, [skeleton.paf_channel_count], skeleton)
    if heat.shape[1:] != fields.shape[1:]:
        raise ShapeError("pafs of %s: expected height and width of the heatmaps %s, got %s"
                         % (skeleton.name, heat.shape[1:], fields.shape[1:]))
    return heat, fields


def _checked(name: str, maps: Any, counts: Sequence[int], skeleton: Skeleton) -> "npt.NDArray[np.float32]":
    array = np.asarray(maps)
    if array.ndim != 3 or array.shape[0] not in counts:
        expected = " or ".join("(%d, h, w)" % count for count in counts)
        raise ShapeError("%s of %s: expected shape %s, got %s" % (name, skeleton.name, expected, array.shape))
    if array.dtype in READ and array.flags.aligned:
        return array
    if array.dtype.kind != "f" or array.dtype.itemsize > 4:
        raise ShapeError("%s of %s: expected float32 (or float16), got %s" % (name, skeleton.name, array.dtype))
    return array.astype(np.float32)
