"""An open PAF network and its stages: preprocess -> engine -> decode -> Poses in the frame's pixels."""
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple, Union

from wholebody.card import ModelCard
from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import NO_CARD
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.errors import CardError
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.geometry import Geometry, Resolution
from wholebody.runtime.heads import PafHead, PafMaps
from wholebody.runtime.lane import Lane, Seen, Stage, StagedEstimator
from wholebody.runtime.paf import PafOptions
from wholebody.runtime.paf.options import SKELETON_MAY_SET
from wholebody.runtime.paf_lanes import PafWay, open_lanes
from wholebody.runtime.preprocess import warn_of_rounding
from wholebody.runtime.topdown.estimator import TopDownEstimator, TopDownOptions, is_topdown
from wholebody.runtime.topdown.opening import open_topdown
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SHARES = (1.0, 0.75, 0.5)  # of the usual sides of an input: the work is about their square


class EstimatorOptions(NamedTuple):
    """What a user may choose; the rest is in the model's card."""

    net_resolution: str = ""          # such as -1x368 or 656x368; empty is the card's own
    number_people_max: int = -1       # -1 keeps everybody
    maximize_positives: bool = False  # lower thresholds: more people and more mistakes
    decoder: str = "auto"             # cuda beside an engine, native, numpy, or the first of them that is there
    decoding: str = "exact"           # as OpenPose does, or "fast": half the time, points as near or nearer the joint
    threads: int = 0                  # for a network on the CPU; 0 takes every core
    trust: str = ""                   # a file of sha256: no other TensorRT engine is opened
    keep_maps: bool = False           # `maps` is asked for: on a GPU they are brought to the host only then
    rebuild: bool = False             # a TensorRT engine that does not fit here, from the ONNX file beside it


class Estimator(StagedEstimator):
    """An open network: call it with a BGR frame. A context manager; one instance serves one thread, or one pipeline."""

    def __init__(self, engine: Engine, options: EstimatorOptions = EstimatorOptions()) -> None:
        """Takes over `engine` and closes it."""
        if engine.card is None:
            raise CardError(NO_CARD.format(model=engine.path))
        self.engine = engine
        self.card = engine.card
        if "paf" not in [head.kind for head in self.card.heads]:
            raise CardError("%s: its heads are %s, and people are found with paf, heatmap, integral, simcc and "
                            "regression heads; a detector goes with one of these: --engine POSE --detector %s"
                            % (engine.path, ", ".join(head.kind for head in self.card.heads), engine.path))
        self._head = PafHead(self.card)
        check_fit(self.card, engine.inputs, engine.outputs, engine.path)
        self.skeleton = self._head.skeleton
        resolution = Resolution.parse(options.net_resolution) if options.net_resolution else Resolution()
        warn_of_rounding(self.card.input, resolution)
        decoding = decoding_options(self.card, self.skeleton, options)
        self._lanes = open_lanes(PafWay(self.card.input, self._head, resolution, options.decoder, decoding,
                                        options.keep_maps, engine.least_sides), engine)
        self.stages = (Stage("preprocess", self._preprocess), Stage("engine", self._infer),
                       Stage("decode", self._find))
        self._own = self.new_lane()  # what is wrong with the choices shows here, before the first frame

    def new_lane(self) -> Lane:
        """Buffers and a decoder for one batch in flight."""
        return self._lanes.new()

    def lane_of(self, resolution: Resolution) -> Lane:
        """A lane for pictures of another size in the network; Resolution() is the usual one."""
        return self._lanes.new(resolution if resolution != Resolution() else None)

    @property
    def max_batch(self) -> Optional[int]:
        """Frames of one size that the network takes at once; None is any number."""
        return self.engine.max_batch

    @property
    def shares(self) -> Tuple[float, ...]:
        """Three quarters and a half of the usual sides, where the network takes any."""
        return SHARES if self.card.input.size is None else (1.0,)

    def _preprocess(self, lane: Any) -> None:
        lane.preprocess(self.engine.max_batch)

    def _infer(self, lane: Any) -> None:
        lane.infer(self.engine, self.card.input.name)

    def _find(self, lane: Any) -> None:
        lane.find(self._head)

    @property
    def maps(self) -> PafMaps:
        """The network's maps of the last frame; valid until the next."""
        seen = self._last()
        if seen.heatmaps is None or seen.pafs is None:
            raise ValueError("the maps stayed on the GPU; open the network with keep_maps=True")
        return PafMaps(seen.heatmaps, seen.pafs)

    @property
    def geometry(self) -> Geometry:
        """How the last frame lay in the network's input."""
        return self._last().geometry

    def candidates(self) -> "List[npt.NDArray[np.float32]]":
        """Every peak of the last frame: for each keypoint (n, 3) x, y in frame pixels, score."""
        return self._last(candidates=True).candidates or []

    def _last(self, candidates: bool = False) -> Seen:
        assert self.lane.results, "no frame yet"
        return self.lane.seen(0, candidates)

    def close(self) -> None:
        """Free the network and the lane of `process`."""
        super().close()
        self._lanes.close()
        self.engine.close()


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


def open_estimator(model: str, **options: Any) -> Union[Estimator, TopDownEstimator]:
    """An estimator for a model file; `options` are those of EstimatorOptions and TopDownOptions."""
    chosen, topdown = _sorted_options(options)
    opening = OpenOptions(chosen.threads, CudaDevice, chosen.trust, chosen.rebuild)
    return _around(open_engine(model, opening), chosen, topdown, opening)


def estimator_around(engine: Engine, **options: Any) -> Union[Estimator, TopDownEstimator]:
    """The same around a network that is open already, which the estimator closes."""
    try:
        chosen, topdown = _sorted_options(options)
    except BaseException:
        engine.close()
        raise
    return _around(engine, chosen, topdown, OpenOptions(chosen.threads, CudaDevice, chosen.trust, chosen.rebuild))


def _sorted_options(options: Dict[str, Any]) -> Tuple[EstimatorOptions, TopDownOptions]:
    known = EstimatorOptions._fields + TopDownOptions._fields
    for name in options:
        if name not in known:
            raise TypeError("unknown option %r; known: %s" % (name, ", ".join(known)))
    return (EstimatorOptions(**{name: options[name] for name in options if name in EstimatorOptions._fields}),
            TopDownOptions(**{name: options[name] for name in options if name in TopDownOptions._fields}))


def _around(engine: Engine, chosen: EstimatorOptions, topdown: TopDownOptions,
            opening: OpenOptions) -> Union[Estimator, TopDownEstimator]:
    try:
        if is_topdown(engine.card):
            return open_topdown(engine, topdown, opening, chosen.number_people_max)
        if topdown.detector or topdown.boxes or topdown.whole_frame:
            raise CardError("%s sees whole frames and finds people by itself: leave --detector, --boxes and "
                            "--whole-frame out" % engine.path)
        if topdown.flip:
            raise CardError("%s finds people by itself: --flip is for networks that see one person at a time"
                            % engine.path)
        return Estimator(engine, chosen)
    except BaseException:
        engine.close()
        raise


def open_paf_estimator(model: str, **options: Any) -> Estimator:
    """The same for who looks at a PAF network's maps; CardError for any other."""
    estimate = open_estimator(model, **options)
    if not isinstance(estimate, Estimator):
        estimate.close()
        raise CardError("%s has no PAFs: it sees one person at a time" % model)
    return estimate
