"""The path of one frame: preprocess -> engine -> decode -> Poses in the frame's pixels."""
import time
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Type

import numpy as np

from wholebody.card import ModelCard
from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import NO_CARD
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.errors import CardError
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.geometry import Geometry, Resolution
from wholebody.runtime.heads import PafHead, PafMaps
from wholebody.runtime.paf import PafDecoder, PafOptions
from wholebody.runtime.paf.options import SKELETON_MAY_SET
from wholebody.runtime.preprocess import Preprocessor
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    from types import TracebackType

    import numpy.typing as npt


class EstimatorOptions(NamedTuple):
    """What a user may choose; the rest is in the model's card."""

    net_resolution: str = ""          # such as -1x368 or 656x368; empty is the card's own
    number_people_max: int = -1       # -1 keeps everybody
    maximize_positives: bool = False  # lower thresholds: more people and more mistakes
    decoder: str = "auto"             # native, numpy, or the first of them that is there
    decoding: str = "exact"           # as OpenPose does, or "fast": half the time, points as near or nearer the joint
    threads: int = 0                  # for a network on the CPU; 0 takes every core
    trust: str = ""                   # a file of sha256: no other TensorRT engine is opened
    rebuild: bool = False             # a TensorRT engine that does not fit here, from the ONNX file beside it


class Estimator:
    """An open network: call it with a BGR frame. A context manager; one instance serves one thread."""

    def __init__(self, engine: Engine, options: EstimatorOptions = EstimatorOptions()) -> None:
        """Takes over `engine` and closes it."""
        if engine.card is None:
            raise CardError(NO_CARD.format(model=engine.path))
        self.engine = engine
        self.card = engine.card
        if "paf" not in [head.kind for head in self.card.heads]:
            raise CardError("%s: its heads are %s; this version finds people with paf networks only"
                            % (engine.path, ", ".join(head.kind for head in self.card.heads)))
        self._head = PafHead(self.card)
        check_fit(self.card, engine.inputs, engine.outputs, engine.path)
        self.skeleton = self._head.skeleton
        resolution = Resolution.parse(options.net_resolution) if options.net_resolution else Resolution()
        self._preprocess = Preprocessor(self.card.input, resolution)
        self._decode = PafDecoder(self.skeleton, stride=self._head.head.stride, backend=options.decoder,
                                  options=decoding_options(self.card, self.skeleton, options))
        self._geometry: Optional[Geometry] = None
        self._maps: Optional[PafMaps] = None

    def __call__(self, image: "npt.NDArray[np.uint8]") -> Poses:
        """uint8 (H, W, 3) BGR -> who is in it, in its pixels."""
        return self.process(Frame(image, 0, time.monotonic(), "frame")).poses

    def process(self, frame: Frame) -> Result:
        """One frame, with the milliseconds of each stage."""
        started = time.perf_counter()
        feed, geometry = self._preprocess(frame.image)
        prepared = time.perf_counter()
        outputs = self.engine.infer({self.card.input.name: feed})
        inferred = time.perf_counter()
        maps = self._head(outputs, geometry.net_width, geometry.net_height)
        poses = in_frame(self._decode(maps.heatmaps, maps.pafs), geometry)
        decoded = time.perf_counter()
        self._geometry, self._maps = geometry, maps
        return Result(frame.index, frame.captured_at, poses,
                      {"preprocess": 1e3 * (prepared - started), "engine": 1e3 * (inferred - prepared),
                       "decode": 1e3 * (decoded - inferred)})

    @property
    def maps(self) -> PafMaps:
        """The network's maps of the last frame; valid until the next."""
        assert self._maps is not None, "no frame yet"
        return self._maps

    @property
    def geometry(self) -> Geometry:
        """How the last frame lay in the network's input."""
        assert self._geometry is not None, "no frame yet"
        return self._geometry

    def candidates(self) -> "List[npt.NDArray[np.float32]]":
        """Every peak of the last frame: for each keypoint (n, 3) x, y in frame pixels, score."""
        peaks = self._decode.candidates(self.maps.heatmaps)
        return [np.concatenate([self.geometry.to_frame(p[:, :2]), p[:, 2:]], axis=1) for p in peaks]

    def close(self) -> None:
        """Free the network and the decoder."""
        self._decode.close()
        self.engine.close()

    def __enter__(self) -> "Estimator":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: "Optional[TracebackType]") -> None:
        self.close()


def in_frame(poses: Poses, geometry: Geometry) -> Poses:
    """Poses in net pixels -> the same in frame pixels; what was not found stays at 0, 0."""
    found = (poses.scores > 0)[..., None]
    return poses.with_keypoints(np.where(found, geometry.to_frame(poses.keypoints), np.float32(0)))


def decoding_options(card: ModelCard, skeleton: Skeleton,
                     options: EstimatorOptions = EstimatorOptions()) -> PafOptions:
    """The skeleton's thresholds, then the card's, then the user's choices."""
    unknown = sorted(name for name, _ in card.decoding if name not in SKELETON_MAY_SET)
    if unknown:
        raise CardError("%s: unknown thresholds in the card's decoding: %s; known: %s"
                        % (card.name, ", ".join(unknown), ", ".join(SKELETON_MAY_SET)))
    try:
        PafOptions.for_skeleton(skeleton, **dict(card.decoding))
    except ValueError as error:
        raise CardError("%s: %s" % (card.name, error))
    return PafOptions.for_skeleton(skeleton, number_people_max=options.number_people_max,
                                   maximize_positives=options.maximize_positives, mode=options.decoding,
                                   **dict(card.decoding))


def open_estimator(model: str, **options: Any) -> Estimator:
    """An estimator for a model file; `options` are those of EstimatorOptions."""
    for name in options:
        if name not in EstimatorOptions._fields:
            raise TypeError("unknown option %r; known: %s" % (name, ", ".join(EstimatorOptions._fields)))
    chosen = EstimatorOptions(**options)
    engine = open_engine(model, OpenOptions(chosen.threads, CudaDevice, chosen.trust, chosen.rebuild))
    try:
        return Estimator(engine, chosen)
    except BaseException:
        engine.close()
        raise
