"""The NumPy twin: the reference in plain arrays, for machines without a compiler and for tests."""
from typing import TYPE_CHECKING, List

import numpy as np

from wholebody.poses import Poses
from wholebody.runtime.paf.assembly import assemble
from wholebody.runtime.paf.backend import HostBackend
from wholebody.runtime.paf.block import read_block
from wholebody.runtime.paf.fast_peaks import find_fast_peaks
from wholebody.runtime.paf.filters import best_people, gather, keep_people, pose_scores
from wholebody.runtime.paf.options import PafOptions
from wholebody.runtime.paf.peaks import find_peaks
from wholebody.runtime.paf.scoring import Connections, connect, finite
from wholebody.runtime.paf.upsample import field_taps, upsample
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt


class NumpyBackend(HostBackend):
    """Decodes one map at a time, so that BODY_135 needs no more memory than one upsampled limb."""

    def __init__(self, skeleton: Skeleton, stride: int, options: PafOptions) -> None:
        self._skeleton, self._options = skeleton, options
        self._taps = field_taps(stride, options)  # the exact mode reads heat maps by the same

    def candidates(self, heatmaps: "npt.NDArray[np.float32]") -> "List[npt.NDArray[np.float32]]":
        """Peaks (n, 3) of every keypoint."""
        channels = (finite(heatmaps[k]) for k in range(len(self._skeleton.keypoints)))
        if self._options.mode == "fast":
            return [find_fast_peaks(channel, self._taps.stride, self._options) for channel in channels]
        return [find_peaks(upsample(channel, self._taps), self._options) for channel in channels]

    def decode(self, heatmaps: "npt.NDArray[np.float32]", pafs: "npt.NDArray[np.float32]") -> Poses:
        """Peaks and connections, then people."""
        skeleton = self._skeleton
        peaks = self.candidates(heatmaps)
        return self._people(peaks, connect(peaks, pafs, skeleton.paf_pairs, skeleton.paf_channels, self._taps,
                                           self._options))

    def assemble(self, block: "npt.NDArray[np.int32]") -> Poses:
        """The same from peaks and connections that the CUDA kernels found."""
        return self._people(*read_block(block, self._skeleton))

    def _people(self, peaks: "List[npt.NDArray[np.float32]]", connections: Connections) -> Poses:
        skeleton, options = self._skeleton, self._options
        people = assemble(connections, peaks, skeleton.paf_pairs)
        people = keep_people(people, peaks, skeleton, options)
        keypoints, scores = gather(people, peaks)
        person_scores = pose_scores(people.scores, skeleton)
        best = best_people(keypoints, scores, person_scores, options.number_people_max)
        return Poses(keypoints[best], scores[best], person_scores[best], skeleton)
