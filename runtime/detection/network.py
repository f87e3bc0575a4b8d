"""A detector network: YOLOX or RTMDet with its card."""
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import NO_CARD
from wholebody.errors import CardError
from wholebody.poses import Detections, Frame
from wholebody.runtime.detection.decoding import FORMATS, select
from wholebody.runtime.detection.finder import BoxFinder, Search
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.paf_lane import Group, Members, group_by_size
from wholebody.runtime.preprocess import Preprocessor, input_shape
from wholebody.runtime.topdown.backend import Backend


class BoxOptions(NamedTuple):
    """Which boxes count: AlphaPose's for YOLOX. Little is lost by a low threshold but time."""

    least_score: float = 0.1
    overlap: float = 0.6   # intersection over union beyond which the lesser of two boxes goes
    most: int = -1         # of a frame; -1 keeps all


class DetectorNetwork(BoxFinder):
    """An open detector; takes over its engine and closes it."""

    has_network = True

    def __init__(self, engine: Engine, options: BoxOptions, backend: Backend) -> None:
        if engine.card is None:
            raise CardError(NO_CARD.format(model=engine.path))
        self.engine, self.card, self.options, self.backend = engine, engine.card, options, backend
        heads = [head.kind for head in self.card.heads]
        if heads != ["boxes"]:
            raise CardError("%s finds no boxes: its heads are %s; give --detector a model with the preset yolox or "
                            "rtmdet (wb-export card --list)" % (engine.path, ", ".join(heads)))
        check_fit(self.card, engine.inputs, engine.outputs, engine.path)
        self.head = self.card.heads[0]
        self.decode = FORMATS[str(self.head.format)]

    @property
    def max_batch(self) -> Optional[int]:
        """Frames of one size that it takes at once; None is any number."""
        return self.engine.max_batch

    def new_search(self) -> "NetworkSearch":
        """For one lane."""
        return NetworkSearch(self)

    def close(self) -> None:
        """Free the network."""
        self.engine.close()


class NetworkSearch(Search):
    """The inputs and outputs of one lane's frames, reused."""

    def __init__(self, finder: DetectorNetwork) -> None:
        self._finder = finder
        self._preprocessors: List[Preprocessor] = []
        self._geometries: List[Geometry] = []
        self._groups: List[Group] = []
        self._laid_out: List[Tuple[Members, Tuple[int, ...]]] = []

    def preprocess(self, frames: Sequence[Frame]) -> None:
        """Frames into the detector's inputs, those of one size together."""
        spec = self._finder.card.input
        while len(self._preprocessors) < len(frames):
            self._preprocessors.append(Preprocessor(spec))
        places = list(zip(self._preprocessors, frames))
        self._geometries = [place.geometry(frame.image) for place, frame in places]
        members = group_by_size([(g.net_width, g.net_height) for g in self._geometries], self._finder.max_batch)
        wanted = [(m, input_shape(spec, self._geometries[m[0]])) for m in members]
        if wanted != self._laid_out:
            self._groups = [Group(m, shape, spec.dtype) for m, shape in wanted]
            for group in self._groups:
                for place, index in enumerate(group.members):
                    self._preprocessors[index].use(group.input[place:place + 1])
            self._laid_out = wanted
        for preprocess, frame in places:
            preprocess(frame.image)

    def infer(self) -> None:
        """One run of the detector for each size of frame."""
        for group in self._groups:
            group.outputs = self._finder.engine.infer_into({self._finder.card.input.name: group.input}, group.memory)

    def boxes(self, frames: Sequence[Frame]) -> List[Detections]:
        """Where people are in each frame, in its pixels, best first."""
        finder = self._finder
        found: Dict[int, Detections] = {}
        for group in self._groups:
            for place, index in enumerate(group.members):
                geometry = self._geometries[index]
                outputs = [group.outputs[ref.output][place] for _, ref in finder.head.outputs]
                raw = finder.decode(outputs, (geometry.net_width, geometry.net_height), finder.options.least_score)
                boxes = geometry.to_frame(raw.boxes_xyxy.reshape(-1, 2, 2)).reshape(-1, 4)
                height, width = frames[index].image.shape[:2]
                found[index] = select(Detections(boxes, raw.scores), (width, height), finder.options.overlap,
                                      finder.backend, finder.options.most)
        return [found[index] for index in range(len(frames))]

    def geometry(self, index: int, frame: Frame) -> Geometry:  # noqa: ARG002 - it was planned with the frame
        """How a frame lay in the detector's input."""
        return self._geometries[index]

    def close(self) -> None:
        """Free the arrays; what ONNX Runtime was told about them holds its session."""
        self._groups, self._laid_out = [], []
