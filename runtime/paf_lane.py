"""The lane of a PAF network: preprocess -> engine -> decode, on the CPU, for one frame or a batch of them."""
import logging
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wholebody.engines.engine import Engine, RunMemory
from wholebody.poses import Frame, Poses
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.heads import PafHead, PafMaps
from wholebody.runtime.lane import Lane, Seen
from wholebody.runtime.paf import PafDecoder
from wholebody.runtime.preprocess import Preprocessor, input_shape

if TYPE_CHECKING:
    import numpy.typing as npt

log = logging.getLogger("wholebody")
Members = Tuple[int, ...]


class Group:
    """Frames of a lane that go through the network together: their input and what comes out, both reused."""

    def __init__(self, members: Members, shape: Tuple[int, ...], dtype: str) -> None:
        self.members = members
        self.input: "npt.NDArray[Any]" = np.empty((len(members),) + shape, dtype)
        self.memory = RunMemory()
        self.outputs: "Dict[str, npt.NDArray[np.float32]]" = {}


class PafLane(Lane):
    """Frames, the network's input and output arrays, and a decoder of their own."""

    def __init__(self, preprocessor: Callable[[], Preprocessor], decoder: PafDecoder) -> None:
        """Takes over the decoder and closes it; a preprocessor is made for every place in a batch."""
        super().__init__()
        self.decode = decoder
        self.groups: List[Group] = []
        self.geometries: List[Geometry] = []
        self.maps: List[PafMaps] = []
        self._new_preprocessor = preprocessor
        self._preprocessors: List[Preprocessor] = []
        self._laid_out: List[Tuple[Members, Tuple[int, ...]]] = []

    def take(self, frames: Sequence[Frame]) -> None:
        """Set out with these frames."""
        super().take(frames)
        self.geometries, self.maps = [], []

    def preprocess(self, limit: Optional[int]) -> None:
        """Every frame into its place in an input; at most `limit` frames of one size go together."""
        while len(self._preprocessors) < len(self.frames):
            self._preprocessors.append(self._new_preprocessor())
        places = list(zip(self._preprocessors, (frame.image for frame in self.frames)))
        for place, _ in places:
            place.shrink = place.shrink._replace(share=self.share)
        self.geometries = [place.geometry(image) for place, image in places]
        self._lay_out(limit)
        for place, image in places:
            place(image)

    def infer(self, engine: Engine, name: str) -> None:
        """One run of the network for each group."""
        for group in self.groups:
            group.outputs = engine.infer_into({name: group.input}, group.memory)

    def find(self, head: PafHead) -> None:
        """The people of every frame, in its pixels."""
        places = {index: (group, place) for group in self.groups for place, index in enumerate(group.members)}
        for index, geometry in enumerate(self.geometries):
            group, place = places[index]
            maps = head(group.outputs, geometry.net_width, geometry.net_height, place)
            self.maps.append(maps)
            self.poses.append(in_frame(self.decode(maps.heatmaps, maps.pafs), geometry))

    def seen(self, index: int, candidates: bool = False) -> Seen:
        """Maps and geometry of one frame, and its peaks."""
        geometry, maps = self.geometries[index], self.maps[index]
        peaks = None
        if candidates:
            peaks = [np.concatenate([geometry.to_frame(p[:, :2]), p[:, 2:]], axis=1)
                     for p in self.decode.candidates(maps.heatmaps)]
        return Seen(geometry, maps.heatmaps, maps.pafs, peaks)

    def close(self) -> None:
        """Free the decoder and the arrays; what ONNX Runtime was told about them holds its session."""
        self.decode.close()
        self.groups, self._laid_out, self.maps = [], [], []

    def _lay_out(self, limit: Optional[int]) -> None:
        """Inputs for the sizes at hand; what fits from the last frames stays."""
        members = group_by_size([(g.net_width, g.net_height) for g in self.geometries], limit)
        spec = self._preprocessors[0].spec if self._preprocessors else None
        wanted = [] if spec is None else [(m, input_shape(spec, self.geometries[m[0]])) for m in members]
        if wanted == self._laid_out or spec is None:
            return
        self.groups = [Group(m, shape, spec.dtype) for m, shape in wanted]
        for group in self.groups:
            for place, index in enumerate(group.members):
                self._preprocessors[index].use(group.input[place:place + 1])
        self._laid_out = wanted


def group_by_size(sizes: Sequence[Tuple[int, int]], limit: Optional[int]) -> List[Members]:
    """Which frames go together: those of one size, in their order, at most `limit` at once.

    >>> group_by_size([(8, 8), (4, 4), (8, 8), (8, 8)], 2)
    [(0, 2), (3,), (1,)]
    """
    of_size: Dict[Tuple[int, int], List[int]] = {}
    for index, size in enumerate(sizes):
        of_size.setdefault(size, []).append(index)
    groups: List[Members] = []
    for same in of_size.values():
        step = limit or len(same)
        groups += [tuple(same[start:start + step]) for start in range(0, len(same), step)]
    return groups


def in_frame(poses: Poses, geometry: Geometry) -> Poses:
    """Poses in net pixels -> the same in frame pixels; what was not found stays at 0, 0."""
    found = (poses.scores > 0)[..., None]
    return poses.with_keypoints(np.where(found, geometry.to_frame(poses.keypoints), np.float32(0)))
