"""A network for a face or a hand beside one for bodies, and what one lane has of it."""
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence

import numpy as np

from wholebody.card import CropRule, ModelCard, input_size
from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import NO_CARD
from wholebody.errors import CardError
from wholebody.poses import Frame, Poses
from wholebody.runtime.parts.crops import PartCrops, around_points, at_scales, plan_part_crops
from wholebody.runtime.parts.squares import SIDES, SQUARES
from wholebody.runtime.topdown.backend import Backend
from wholebody.runtime.topdown.heads import KINDS, PointHeads
from wholebody.runtime.topdown.lane import Grown, Runs
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

    Points = npt.NDArray[np.float32]

AT_ONCE, PIXELS_AT_ONCE = 16, 1 << 20  # crops, where the network sets no limit: OpenPose's are large
# From left to right in a face, and from the fingers to the wrist in a hand: means of these keypoints.
_UPRIGHT = {"face": (["face_%d" % i for i in range(36, 42)], ["face_%d" % i for i in range(42, 48)]),
            "hand": (["middle_1"], ["hand_root"])}


class PartNetwork:
    """An open network for faces, or for hands; takes over its engine and closes it."""

    def __init__(self, kind: str, engine: Engine, body: Skeleton, backend: Backend,
                 scales: Sequence[float] = (1.0,)) -> None:
        """`kind` is what it was given for: face or hand; of several `scales` of its squares the surest answer stays."""
        self.kind, self.engine, self.backend, self.scales = kind, engine, backend, scales
        self.card = _checked(kind, engine)
        check_fit(self.card, engine.inputs, engine.outputs, engine.path)
        spec = self.card.input
        self.spec = spec if spec.size else spec._replace(size=(spec.height, spec.height))  # a network of any size
        self.rule = spec.crop or CropRule(kind)
        self.heads = PointHeads(self.card._replace(input=self.spec), backend)
        self.skeleton = self.heads.skeleton
        self.squares = SQUARES[kind](body, self.rule.least_side)
        if not self.squares.serves:
            raise CardError("%s: where a %s is cannot be told from %s: it has no %s"
                            % (engine.path, kind, body.name, "nose and neck" if kind == "face" else "arms"))
        self._ends = _ends(self.skeleton, kind, engine.path) if self.rule.turned and self.rule.again else []
        self.slots = len(SIDES[kind])
        width, height = input_size(self.spec)
        self.limit = min(engine.max_batch or AT_ONCE, AT_ONCE, max(1, PIXELS_AT_ONCE // (width * height)))

    def upright(self, points: "Points") -> "npt.NDArray[np.float64]":
        """Of each of M faces or hands (M, K, 2) the way from left to right in it, of length 1."""
        if not self.rule.turned:
            return np.tile([1.0, 0.0], (len(points), 1))
        first, last = (points[:, indices].astype(np.float64).mean(axis=1) for indices in self._ends)
        way = last - first
        if self.kind == "hand":
            way = np.stack([way[:, 1], -way[:, 0]], axis=1)
        return np.asarray(way / np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)[:, None], np.float64)

    def close(self) -> None:
        """Free the network."""
        self.engine.close()


class PartLane:
    """The faces, or the hands, of a lane's frames: crops, and the network's input and output arrays for all of them."""

    def __init__(self, network: PartNetwork) -> None:
        self.network = network
        self.found: "List[Points]" = []  # of each frame (N, slots, K, 3) x, y, score; zeros where there is none
        self._people: List[int] = []
        self._crops: List[PartCrops] = []
        self._frames: Sequence[Frame] = ()
        self._input = Grown(network.spec)
        self._runs = Runs()
        self._outputs: "Dict[str, npt.NDArray[np.float32]]" = {}

    @property
    def crops(self) -> int:
        """How many the last frames have."""
        return sum(len(crops.matrices) for crops in self._crops)

    def crop(self, frames: Sequence[Frame], bodies: Sequence[Poses]) -> None:
        """Everybody's into the network's input."""
        network = self.network
        self._people = [len(poses) for poses in bodies]
        squares = [at_scales(network.squares(poses), network.scales) for poses in bodies]
        self._cut(frames, [plan_part_crops(some, network.rule, input_size(network.spec)) for some in squares])

    def infer(self) -> None:
        """All of them through the network, at most so many at once as it takes; and again where its card says so."""
        self._run()
        if self.network.rule.again and self.crops:
            first = self._points()
            self._look_again(first)
            self._run()
            self._keep([_surer(a, b) for a, b in zip(first, self._points())])
        else:
            self._keep(self._points())

    def _look_again(self, first: "List[Points]") -> None:
        network = self.network
        rule = network.rule._replace(scale=1.0, shift=(0.0, 0.0))
        squares = [around_points(crops, points[..., :2], network.upright(points[..., :2]), rule)
                   for crops, points in zip(self._crops, first)]
        self._cut(self._frames, [plan_part_crops(some, rule, input_size(network.spec)) for some in squares])

    def _cut(self, frames: Sequence[Frame], crops: List[PartCrops]) -> None:
        self._frames, self._crops = frames, crops
        blob, first = self._input.of(self.crops), 0
        for frame, some in zip(frames, crops):
            end = first + len(some.matrices)
            if end > first:
                self.network.backend.crops(frame.image, some.matrices, self.network.spec, blob[first:end])
            first = end

    def _run(self) -> None:
        count = self.crops
        self._outputs = self._runs(self.network.engine, self.network.spec.name, self._input.of(count),
                                   self.network.limit)

    def _points(self) -> "List[Points]":
        """Of each frame's crops (M, K, 3)."""
        heads, count = self.network.heads, self.crops
        found = (heads(self._outputs, count) if count
                 else np.zeros((0, len(heads.skeleton.keypoints), 3), np.float32))
        found[~np.isfinite(found).all(axis=2)] = 0
        of_frames, first = [], 0
        for crops in self._crops:
            own = found[first:first + len(crops.matrices)]
            first += len(own)
            scores = own[..., 2:] if heads.tells_scores else own[..., 2:] * crops.score[:, None, None]
            places = np.where(own[..., 2:] > 0, crops.to_frame(own[..., :2]), np.float32(0))
            of_frames.append(np.concatenate([places, scores], axis=2).astype(np.float32))
        return of_frames

    def _keep(self, points: "List[Points]") -> None:
        """Each to its body; of several scales the one with the highest mean score, the first of equal ones."""
        network, scales = self.network, len(self.network.scales)
        self.found = []
        for people, crops, some in zip(self._people, self._crops, points):
            slots = crops.slots[::scales]
            if scales > 1:
                best = _sureness(some).reshape(-1, scales).argmax(axis=1)
                some = some.reshape((-1, scales) + some.shape[1:])[np.arange(len(slots)), best]
            all_of_them = np.zeros((people * network.slots,) + some.shape[1:], np.float32)
            all_of_them[slots] = some
            self.found.append(all_of_them.reshape((people, network.slots) + some.shape[1:]))

    def close(self) -> None:
        """Free the arrays."""
        self._runs, self._outputs = Runs(), {}


def _ends(skeleton: Skeleton, kind: str, path: str) -> List[List[int]]:
    """Between what a second look takes its direction from."""
    missing = [name for names in _UPRIGHT[kind] for name in names if name not in skeleton.keypoints]
    if missing:
        raise CardError("%s: a crop that is turned and looked at again needs the points %s; %s has not"
                        % (path, ", ".join(missing), skeleton.name))
    return [[skeleton.index_of(name) for name in names] for names in _UPRIGHT[kind]]


def _sureness(points: "Points") -> "npt.NDArray[np.float32]":
    return np.asarray(points[..., 2].mean(axis=1), np.float32)


def _surer(first: "Points", second: "Points") -> "Points":
    """The second look, but the first where the network was surer of it; what was not found then was not looked at."""
    before, after = _sureness(first), _sureness(second)
    return np.where(((after >= before) & (before > 0))[:, None, None], second, first)


def _checked(kind: str, engine: Engine) -> ModelCard:
    """The network's card, if it is one of this kind of part and of nothing else."""
    card: Optional[ModelCard] = engine.card
    if card is None:
        raise CardError(NO_CARD.format(model=engine.path))
    skeleton = card.skeleton
    if skeleton is None or len(skeleton.part(kind)) != len(skeleton.keypoints):
        flag, sets = ("--face", "FACE_68 or FACE_70") if kind == "face" else ("--hands", "HAND_21")
        raise CardError("%s: %s takes a network of %s; its card says %s"
                        % (engine.path, flag, sets, skeleton.name if skeleton else "none"))
    if not any(head.kind in KINDS for head in card.heads):
        raise CardError("%s: its heads are %s; a network for a %s has one of %s"
                        % (engine.path, ", ".join(head.kind for head in card.heads), kind, ", ".join(KINDS)))
    if card.input.crop is not None and card.input.crop.kind != kind:
        raise CardError("%s: its card cuts out a %s, and it was given for a %s"
                        % (engine.path, card.input.crop.kind, kind))
    return card

