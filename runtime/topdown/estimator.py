"""An open top-down network and its stages: detect-preprocess -> detect -> boxes -> crop -> pose -> decode."""
from typing import TYPE_CHECKING, Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np

from wholebody.card import ModelCard
from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import NO_CARD
from wholebody.errors import CardError
from wholebody.poses import Detections, Poses
from wholebody.runtime.cuda_network import CudaNetwork
from wholebody.runtime.detection import BoxFinder
from wholebody.runtime.lane import Stage, StagedEstimator
from wholebody.runtime.topdown.backend import Backend
from wholebody.runtime.topdown.cuda_lane import CudaTopDownLane
from wholebody.runtime.topdown.heads import KINDS, PointHeads
from wholebody.runtime.topdown.lane import TopDownLane
from wholebody.runtime.topdown.oks_nms import oks_nms, soft_oks_nms
from wholebody.runtime.topdown.pose_nms import options_for, pose_nms

if TYPE_CHECKING:
    import numpy.typing as npt

AT_ONCE = 16        # people, where the network sets no limit: more cost memory and gain no time
_SURE = 0.2         # a keypoint's score above which it counts for its person's (mmpose, AlphaPose's evaluation)


class TopDownOptions(NamedTuple):
    """What a user may choose about a network for one person at a time; the rest is in the models' cards."""

    detector: str = ""           # a model that finds people's boxes
    boxes: str = ""              # or a COCO file that has them
    whole_frame: bool = False    # or one person fills the frame
    box_score: float = 0.1       # the least of a box
    box_overlap: float = 0.6     # beyond which the lesser of two boxes goes
    people_at_once: int = 0      # through the network; 0 is what it takes, at most 16
    pose_nms: str = "oks"        # one of POSE_NMS
    flip: bool = False           # ask the network about the mirrored person as well: slower, a little better
    decoder: str = "auto"        # cuda beside an engine, native, numpy, or the first of them that is there


def _by_keypoints(poses: Poses) -> Poses:
    """mmpose's score of a person: the box's times the mean of the keypoints' that count."""
    return Poses(poses.keypoints, poses.scores, poses.person_scores * mean_of_sure(poses.scores), poses.skeleton,
                 poses.boxes_xyxy)


def _oks(poses: Poses, integrated: bool) -> Poses:  # noqa: ARG001 - as all of them
    scored = _by_keypoints(poses)
    return scored[oks_nms(scored)]


def _soft_oks(poses: Poses, integrated: bool) -> Poses:  # noqa: ARG001
    scored = _by_keypoints(poses)
    return scored[soft_oks_nms(scored)]


def _everybody(poses: Poses, integrated: bool) -> Poses:  # noqa: ARG001
    return _by_keypoints(poses)


def _alphapose(poses: Poses, integrated: bool) -> Poses:
    return pose_nms(poses, options_for(len(poses.skeleton.keypoints), integrated))


# From people with the scores of their boxes to people told once with their own; True: points are integrated.
POSE_NMS: Dict[str, Callable[[Poses, bool], Poses]] = {
    "oks": _oks, "soft-oks": _soft_oks, "alphapose": _alphapose, "none": _everybody}


def is_topdown(card: Optional[ModelCard]) -> bool:
    """Whether this network sees one person at a time."""
    return card is not None and any(head.kind in KINDS for head in card.heads)


class TopDownEstimator(StagedEstimator):
    """An open network and what finds people for it: call it with a BGR frame. A context manager."""

    def __init__(self, engine: Engine, finder: BoxFinder, backend: Backend,
                 options: TopDownOptions = TopDownOptions(), network: Optional[CudaNetwork] = None) -> None:
        """Takes over all it is given and closes it; `network` is the engine's, where people are cut out on its GPU."""
        if engine.card is None:
            raise CardError(NO_CARD.format(model=engine.path))
        self.engine, self.finder, self.card, self.backend = engine, finder, engine.card, backend
        self._heads, self._network = PointHeads(self.card, backend), network
        check_fit(self.card, engine.inputs, engine.outputs, engine.path)
        if self.card.input.size is None:
            raise CardError("%s: a network for one person needs a fixed input: export it with --size WxH" % engine.path)
        if options.pose_nms not in POSE_NMS:
            raise ValueError("unknown pose_nms %r; known: %s" % (options.pose_nms, ", ".join(POSE_NMS)))
        self.skeleton, self.options = self._heads.skeleton, options
        self._among = POSE_NMS[options.pose_nms]
        self._limit = min(engine.max_batch or AT_ONCE, options.people_at_once or AT_ONCE)
        self.stages = self._search_stages() + (
            Stage("boxes", _find_boxes), Stage("crop", self._crop), Stage("pose", self._infer),
            Stage("decode", self._find))

    def _search_stages(self) -> Tuple[Stage, ...]:
        if not self.finder.has_network:
            return ()
        return Stage("detect-preprocess", _preprocess), Stage("detect", _detect)

    def new_lane(self) -> TopDownLane:
        """Buffers for one batch of frames in flight."""
        if self._network is not None:
            return CudaTopDownLane(self.finder.new_search(), self.card.input, self._network,
                                   self.options.flip)
        return TopDownLane(self.finder.new_search(), self.card.input)

    @property
    def max_batch(self) -> Optional[int]:
        """Frames of one size that the detector takes at once; None is any number."""
        return self.finder.max_batch

    @property
    def at_once(self) -> int:
        """People that go through the network in one run, at most."""
        return self._limit

    def _crop(self, lane: TopDownLane) -> None:
        lane.crop(self.backend, self.card.input, self._heads.udp)

    def _infer(self, lane: TopDownLane) -> None:
        lane.infer(self.engine, self.card.input, self._limit, self.options.flip)

    def _find(self, lane: TopDownLane) -> None:
        lane.find(self._heads, self._poses)

    def _poses(self, keypoints: "npt.NDArray[np.float32]", scores: "npt.NDArray[np.float32]",
               found: Detections) -> Poses:
        scores = np.where(np.isfinite(scores), scores, np.float32(0))
        keypoints = np.where((scores > 0)[..., None], keypoints, np.float32(0))
        return self._among(Poses(keypoints, scores, found.scores, self.skeleton, found.boxes_xyxy),
                           self._heads.integrated)

    def close(self) -> None:
        """Free both networks and the lane of `process`."""
        super().close()
        self.finder.close()
        if self._network is not None:
            self._network.close()
        self.engine.close()


def mean_of_sure(scores: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
    """Of each person (N, K) the mean of the scores that count; 0 where none does."""
    sure = scores > _SURE
    return np.asarray((scores * sure).sum(axis=1) / np.maximum(sure.sum(axis=1), 1), np.float32)


def _preprocess(lane: TopDownLane) -> None:
    lane.search.preprocess(lane.frames)


def _detect(lane: TopDownLane) -> None:
    lane.search.infer()


def _find_boxes(lane: TopDownLane) -> None:
    lane.find_boxes()
