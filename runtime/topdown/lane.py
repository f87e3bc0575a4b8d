"""The lane of a top-down network: boxes -> crops -> network -> keypoints, all people of its frames together."""
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wholebody.card import InputSpec, input_size
from wholebody.engines.engine import Engine, RunMemory
from wholebody.poses import Detections, Frame, Poses
from wholebody.runtime.detection import Search
from wholebody.runtime.lane import Lane, Seen
from wholebody.runtime.topdown.backend import Backend
from wholebody.runtime.topdown.boxes import Crops, plan_crops
from wholebody.runtime.topdown.heads import PointHeads

if TYPE_CHECKING:
    import numpy.typing as npt

    Outputs = Dict[str, npt.NDArray[np.float32]]

MakePoses = Callable[["npt.NDArray[np.float32]", "npt.NDArray[np.float32]", Detections], Poses]


class TopDownLane(Lane):
    """Frames, where people are in them, and the network's input and output arrays for all of these people."""

    def __init__(self, search: Search, spec: InputSpec) -> None:
        """Takes over the search and closes it."""
        super().__init__()
        self.search = search
        self.detections: List[Detections] = []
        self.crops: List[Crops] = []
        self._input = Grown(spec)
        self._mirrored = Grown(spec)
        self._runs = Runs()
        self._mirrored_runs = Runs()
        self._outputs: "Outputs" = {}
        self._mirrored_outputs: "Optional[Outputs]" = None

    def take(self, frames: Sequence[Frame]) -> None:
        """Set out with these frames."""
        super().take(frames)
        self.detections, self.crops = [], []

    @property
    def people(self) -> int:
        """Of all its frames."""
        return sum(len(found.scores) for found in self.detections)

    def find_boxes(self) -> None:
        """Where people are in every frame."""
        self.detections = self.search.boxes(self.frames)

    def plan(self, spec: InputSpec, udp: bool) -> None:
        """What is to be cut out of every frame."""
        self.crops = [plan_crops(found.boxes_xyxy, input_size(spec), spec.box_padding or 1.25, udp)
                      for found in self.detections]

    def crop(self, backend: Backend, spec: InputSpec, udp: bool) -> None:
        """Everybody into the network's input, frame after frame."""
        self.plan(spec, udp)
        blob, first = self._input.of(self.people), 0
        for frame, crops in zip(self.frames, self.crops):
            end = first + len(crops.matrices)
            if end > first:
                backend.crops(frame.image, crops.matrices, spec, blob[first:end])
            first = end

    def infer(self, engine: Engine, spec: InputSpec, limit: int, flip: bool) -> None:
        """Everybody through the network, at most `limit` at once, and mirrored once more on request."""
        people = self.people
        blob = self._input.of(people)
        self._outputs = self._runs(engine, spec.name, blob, limit)
        self._mirrored_outputs = None
        if flip:
            mirrored = self._mirrored.of(people)
            np.copyto(mirrored, blob[..., ::-1] if spec.layout == "NCHW" else blob[:, :, ::-1])
            self._mirrored_outputs = self._mirrored_runs(engine, spec.name, mirrored, limit)

    def find(self, heads: PointHeads, make: MakePoses) -> None:
        """The keypoints of everybody in one call, then everybody to their frame."""
        points = np.zeros((0, len(heads.skeleton.keypoints), 3), np.float32)
        if self.people:
            points = heads(self._outputs, self.people, self._mirrored_outputs)
        first = 0
        for found, crops in zip(self.detections, self.crops):
            own = points[first:first + len(found.scores)]
            first += len(own)
            self.poses.append(make(crops.to_frame(own[..., :2], (1, 1)), own[..., 2], found))

    def seen(self, index: int, candidates: bool = False) -> Seen:  # noqa: ARG002 - there are no peaks but the points
        """How the frame lay in the detector's input."""
        return Seen(self.search.geometry(index, self.frames[index]))

    def close(self) -> None:
        """Free the arrays; what ONNX Runtime was told about them holds its session."""
        self.search.close()
        self._runs, self._mirrored_runs = Runs(), Runs()
        self._outputs, self._mirrored_outputs = {}, None


class Grown:
    """An input array for as many people as were ever seen at once, rounded up."""

    def __init__(self, spec: InputSpec) -> None:
        width, height = input_size(spec)
        self._shape = (3, height, width) if spec.layout == "NCHW" else (height, width, 3)
        self._array: "npt.NDArray[Any]" = np.zeros((0,) + self._shape, spec.dtype)

    def of(self, people: int) -> "npt.NDArray[Any]":
        """The part for this many people; what is in it stays while it does not grow."""
        if people > len(self._array):
            self._array = np.zeros((max(people, 2 * len(self._array)),) + self._shape, self._array.dtype)
        return self._array[:people]


class Runs:
    """Runs of a network over an input larger than it takes at once; one answer for all of it."""

    def __init__(self) -> None:
        self._memories: List[RunMemory] = []
        self._whole: "Dict[str, npt.NDArray[np.float32]]" = {}

    def __call__(self, engine: Engine, name: str, blob: "npt.NDArray[Any]", limit: int) -> "Outputs":
        """Valid until the next call."""
        if not len(blob):
            return {}
        starts = range(0, len(blob), limit)
        while len(self._memories) < len(starts):  # each its own: an engine need not be told anew where its input lies
            self._memories.append(RunMemory())
        if len(starts) == 1:
            return engine.infer_into({name: blob}, self._memories[0])
        for first, memory in zip(starts, self._memories):
            end = min(first + limit, len(blob))
            for output, array in engine.infer_into({name: blob[first:end]}, memory).items():
                self._of(output, len(blob), array.shape[1:])[first:end] = array
        return {output: array[:len(blob)] for output, array in self._whole.items()}

    def _of(self, output: str, people: int, shape: Tuple[int, ...]) -> "npt.NDArray[np.float32]":
        array = self._whole.get(output)
        if array is None or len(array) < people or array.shape[1:] != shape:
            larger = np.empty((people if array is None else max(people, 2 * len(array)),) + shape, np.float32)
            if array is not None and array.shape[1:] == shape:
                larger[:len(array)] = array
            self._whole[output] = array = larger
        return array

