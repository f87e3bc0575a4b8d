"""What the CUDA kernels found, as one block of words (runtime/native/paf.h says what is in it), taken apart."""
from typing import TYPE_CHECKING, Any, List, Tuple

import numpy as np

from wholebody.errors import ModelError
from wholebody.runtime.paf.scoring import Connections, sort_connections
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

HEADER = 4  # words: keypoints, limbs, all peaks, all connections


def read_peaks(block: "npt.NDArray[np.int32]", points: int) -> "List[npt.NDArray[np.float32]]":
    """Peaks (n, 3) x, y, score of each of `points` keypoints."""
    return _peaks(block, points)[0]


def read_block(block: "npt.NDArray[np.int32]",
               skeleton: Skeleton) -> "Tuple[List[npt.NDArray[np.float32]], Connections]":
    """Peaks, and the connections as they are walked."""
    points, limbs = len(skeleton.keypoints), len(skeleton.paf_pairs)
    if len(block) < HEADER + points + limbs or block[0] != points or block[1] != limbs:
        raise ModelError("the GPU's peaks and connections are not of %s: %s" % (skeleton.name, block[:HEADER].tolist()))
    peaks, begin = _peaks(block, points)
    counts = block[HEADER + points:HEADER + points + limbs]
    words = block[begin:begin + 2 * int(counts.sum())].reshape(-1, 2)
    limb = np.repeat(np.arange(limbs), counts)
    a, b = words[:, 1] & 0xFFFF, words[:, 1] >> 16 & 0xFFFF
    paf = np.ascontiguousarray(words[:, 0]).view(np.float32)
    pairs = np.array(skeleton.paf_pairs)
    lengths = np.array([len(found) for found in peaks])
    if len(words) != block[3] or (a >= lengths[pairs[limb, 0]]).any() or (b >= lengths[pairs[limb, 1]]).any():
        raise ModelError("the GPU's connections of %s are damaged" % skeleton.name)
    return peaks, sort_connections(paf, limb, a.astype(np.int64), b.astype(np.int64), peaks, skeleton.paf_pairs)


def _peaks(block: "npt.NDArray[np.int32]", points: int) -> "Tuple[List[npt.NDArray[np.float32]], int]":
    begin = HEADER + points + int(block[1])
    ends = begin + 3 * np.cumsum(block[HEADER:HEADER + points].astype(np.int64))
    starts: Any = [begin] + ends[:-1].tolist()
    return [block[start:end].view(np.float32).reshape(-1, 3).copy() for start, end in zip(starts, ends)], int(ends[-1])
