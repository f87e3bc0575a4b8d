"""A body estimator with networks for faces and hands behind it: the body's stages, then theirs."""
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

from wholebody.errors import CardError
from wholebody.poses import Frame
from wholebody.runtime.lane import Lane, Seen, Stage, StagedEstimator
from wholebody.runtime.parts.network import PartLane, PartNetwork
from wholebody.runtime.parts.whole import WHOLE_BODIES, Whole

PARTS = {"face": "face", "hands": "hand"}  # option -> kind of part


class PartOptions(NamedTuple):
    """What a user may choose about faces and hands; the rest is in their networks' cards."""

    face: str = ""                  # a model of FACE_68 or FACE_70
    hands: str = ""                 # a model of HAND_21
    whole_body: str = ""            # one of WHOLE_BODIES; empty is the points of all the networks
    hand_scale_number: int = 1      # squares about each hand: the answer that is surest of stays
    hand_scale_range: float = 0.4   # between the smallest and the largest of them, in sides of the usual one


def check_options(options: PartOptions) -> None:
    """CardError or ValueError for what does not go together, before a network is opened."""
    if options.whole_body and options.whole_body not in WHOLE_BODIES:
        raise ValueError("unknown whole_body %r; known: %s" % (options.whole_body, ", ".join(WHOLE_BODIES)))
    if not (options.face or options.hands) and options != PartOptions():
        raise CardError("--whole-body and --hand-scale-number are for faces and hands: add --face FACE.onnx or "
                        "--hands HANDS.onnx")
    if not (1 <= options.hand_scale_number <= 16 and 0 <= options.hand_scale_range < 2):
        raise ValueError("expected a hand_scale_number from 1 to 16 and a hand_scale_range from 0 to below 2, got %r "
                         "and %r" % (options.hand_scale_number, options.hand_scale_range))


class ComposedLane(Lane):
    """A lane of the body's estimator, and one of each part."""

    def __init__(self, body: Lane, parts: Sequence[PartLane]) -> None:
        """Takes over all of them and closes them."""
        super().__init__()
        self.body, self.parts = body, parts

    def take(self, frames: Sequence[Frame]) -> None:
        """Set out with these frames."""
        super().take(frames)
        self.body.take(frames)

    def seen(self, index: int, candidates: bool = False) -> Seen:
        """What the network for bodies said about the frame of this index."""
        return self.body.seen(index, candidates)

    def close(self) -> None:
        """Free what the lanes hold."""
        self.body.close()
        for part in self.parts:
            part.close()


class ComposedEstimator(StagedEstimator):
    """A network for bodies, and for faces, hands or both: call it with a BGR frame. A context manager."""

    def __init__(self, body: StagedEstimator, parts: Sequence[PartNetwork], whole_body: str = "") -> None:
        """Takes over all of them and closes them."""
        self.body, self.parts = body, tuple(parts)
        self._whole = Whole(body.skeleton, [(part.kind, part.skeleton) for part in parts], whole_body)
        self.skeleton = self._whole.skeleton
        names = {kind: option for option, kind in PARTS.items()}
        self.part_stages = tuple(names[part.kind] for part in self.parts)
        self.stages = (tuple(Stage(stage.name, _of_body(stage)) for stage in body.stages)
                       + (Stage("part-crops", _crop),)
                       + tuple(Stage(name, _of_part(i)) for i, name in enumerate(self.part_stages))
                       + (Stage("whole", self._put_together),))

    def new_lane(self) -> ComposedLane:
        """Buffers for one batch of frames in flight."""
        return ComposedLane(self.body.new_lane(), [PartLane(part) for part in self.parts])

    @property
    def max_batch(self) -> Optional[int]:
        """Frames of one size that the network for bodies takes at once; None is any number."""
        return self.body.max_batch

    @property
    def shares(self) -> Tuple[float, ...]:
        """Parts of the usual sides that the body network's input may have."""
        return self.body.shares

    def _put_together(self, lane: ComposedLane) -> None:
        for index, bodies in enumerate(lane.body.poses):
            lane.poses.append(self._whole(bodies, [part.found[index] for part in lane.parts]))

    def close(self) -> None:
        """Free all networks and the lane of `process`."""
        super().close()
        self.body.close()
        for part in self.parts:
            part.close()


def _of_body(stage: Stage) -> Callable[[Any], None]:
    def run(lane: ComposedLane) -> None:
        lane.body.share = lane.share
        stage.run(lane.body)
        lane.stage_ms.update(lane.body.stage_ms)  # what only puts work on a GPU writes its times itself
    return run


def _of_part(number: int) -> Callable[[Any], None]:
    def run(lane: ComposedLane) -> None:
        lane.parts[number].infer()
    return run


def _crop(lane: ComposedLane) -> None:
    for part in lane.parts:
        part.crop(lane.frames, lane.body.poses)


def part_models(options: PartOptions) -> List[Tuple[str, str]]:
    """(kind, model) of the parts that are asked for."""
    return [(kind, getattr(options, option)) for option, kind in PARTS.items() if getattr(options, option)]
