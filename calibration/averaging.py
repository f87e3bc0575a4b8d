"""A PAF network asked several times about each frame, at several sizes and mirrored: slower, and what papers report."""
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import NO_CARD
from wholebody.errors import CardError, ShapeError
from wholebody.poses import Frame, Poses
from wholebody.runtime.estimator import decoding_options
from wholebody.runtime.geometry import Geometry, Resolution
from wholebody.runtime.heads import PafHead
from wholebody.runtime.lane import Lane, Seen, Stage, StagedEstimator
from wholebody.runtime.paf import PafDecoder
from wholebody.runtime.paf_lane import in_frame
from wholebody.runtime.preprocess import Preprocessor
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

    Maps = npt.NDArray[np.float32]

_CUBIC = -0.75  # OpenCV's cubic kernel


class AveragedEstimator(StagedEstimator):
    """Calls the network once for each scale, and again mirrored; averages the maps on the grid of the largest scale."""

    def __init__(self, engine: Engine, net_resolution: str = "", scales: Sequence[float] = (1.0,),
                 flip: bool = False) -> None:
        """Takes over `engine` and closes it."""
        if engine.card is None:
            raise CardError(NO_CARD.format(model=engine.path))
        self.engine, self.card, self.flip = engine, engine.card, flip
        self.head = PafHead(self.card)
        check_fit(self.card, engine.inputs, engine.outputs, engine.path)
        self.skeleton = self.head.skeleton
        self.flipping = mirrored_channels(self.skeleton) if flip else None
        self.resolutions = [_scaled(self.card.input.size, self.card.input.height, net_resolution, scale)
                            for scale in sorted(scales, reverse=True)]
        self.stages = (Stage("everything", lambda lane: lane.run()),)

    def new_lane(self) -> "_AveragingLane":
        """Buffers of each scale, and a decoder."""
        decoding = decoding_options(self.card, self.skeleton)
        return _AveragingLane(self, PafDecoder(self.skeleton, self.head.head.stride, options=decoding))

    def close(self) -> None:
        """Free the network."""
        super().close()
        self.engine.close()


class _AveragingLane(Lane):
    """One frame after the other."""

    def __init__(self, owner: AveragedEstimator, decode: PafDecoder) -> None:
        super().__init__()
        self._owner, self._decode = owner, decode
        self._preprocessors = [Preprocessor(owner.card.input, resolution) for resolution in owner.resolutions]
        self._geometries: list[Geometry] = []

    def run(self) -> None:
        """All of it."""
        self._geometries = []
        for frame in self.frames:
            self.poses.append(self._find(frame))

    def _find(self, frame: Frame) -> Poses:
        images = [frame.image, np.ascontiguousarray(frame.image[:, ::-1])][:1 + self._owner.flip]
        width, count = frame.image.shape[1], len(self._preprocessors) * len(images)
        base: Geometry | None = None
        heatmaps: "Maps" = np.zeros((1, 1, 1), np.float32)
        pafs = heatmaps
        for preprocess in self._preprocessors:
            for mirrored, image in enumerate(images):
                blob, geometry = preprocess(image)
                base = base or geometry
                outputs = self._owner.engine.infer({self._owner.card.input.name: blob})
                maps = self._owner.head(outputs, geometry.net_width, geometry.net_height)
                heat, fields = (self._on_base(m, base, geometry, width if mirrored else None) for m in maps)
                if mirrored and self._owner.flipping is not None:
                    points, channels, signs = self._owner.flipping
                    heat, fields = heat[points[:len(heat)]], fields[channels] * signs[:, None, None]
                heatmaps = np.asarray(heatmaps + heat / np.float32(count), np.float32)
                pafs = np.asarray(pafs + fields / np.float32(count), np.float32)
        assert base is not None, "there is one scale at least"
        self._geometries.append(base)
        return in_frame(self._decode(heatmaps, pafs), base)

    def _on_base(self, maps: "Maps", base: Geometry, own: Geometry, width: int | None) -> "Maps":
        stride = self._owner.head.head.stride
        rows = _sampling(base.net_height // stride, maps.shape[1], stride, base, own, 1, None)
        columns = _sampling(base.net_width // stride, maps.shape[2], stride, base, own, 0, width)
        return np.asarray(rows @ np.asarray(maps, np.float32) @ columns.T, np.float32)

    def seen(self, index: int, candidates: bool = False) -> Seen:  # noqa: ARG002 - an evaluation asks for none
        """How the frame lay in the largest input."""
        return Seen(self._geometries[index])

    def close(self) -> None:
        """Free the decoder."""
        self._decode.close()


def mirrored_channels(skeleton: Skeleton) -> "tuple[list[int], list[int], npt.NDArray[np.float32]]":
    """Which heat map and PAF channel of a mirrored picture stand for each of the picture's, and the PAFs' signs."""
    points = list(range(skeleton.heatmap_channels))
    for left, right in skeleton.flip_pairs:
        points[left], points[right] = right, left
    channels, signs = list(range(skeleton.paf_channel_count)), np.ones(skeleton.paf_channel_count, np.float32)
    for (a, b), (x, y) in zip(skeleton.paf_pairs, skeleton.paf_channels):
        wanted, turned = (points[a], points[b]), (points[b], points[a])
        if wanted not in skeleton.paf_pairs and turned not in skeleton.paf_pairs:
            raise CardError(f"{skeleton.name}: the limb {skeleton.keypoints[a]} to {skeleton.keypoints[b]} has no "
                            "counterpart on the other side; leave --flip out")
        sign = 1 if wanted in skeleton.paf_pairs else -1
        channels[x], channels[y] = skeleton.paf_channels[skeleton.paf_pairs.index(wanted if sign > 0 else turned)]
        signs[x], signs[y] = -sign, sign  # a field's x turns with the picture
    return points, channels, signs


def _scaled(fixed: tuple[int, int] | None, height: int, net_resolution: str, scale: float) -> Resolution:
    if fixed is not None:
        if scale != 1:
            raise ShapeError("this network takes %dx%d only: leave --scales out" % (fixed[1], fixed[0]))
        return Resolution()
    base = Resolution.parse(net_resolution) if net_resolution else Resolution(-1, height)
    return Resolution(*(side if side < 0 else max(16, round(side * scale)) for side in base))


def _sampling(target: int, source: int, stride: int, base: Geometry, own: Geometry, axis: int,
              width: int | None) -> "Maps":
    """(target, source): cubic weights that read one map along an axis where the other's cells lie in the frame."""
    frame = (np.arange(target) + 0.5) * stride * base.scale[axis] + base.offset[axis]
    if width is not None:
        frame = width - frame
    place = (frame - own.offset[axis]) / own.scale[axis] / stride - 0.5
    distance = np.abs(place[:, None] - np.arange(-2, source + 2))
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance ** 2 + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    weights = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    weights[:, 2] += weights[:, :2].sum(axis=1)    # the edge goes on outside
    weights[:, -3] += weights[:, -2:].sum(axis=1)
    return np.asarray(weights[:, 2:-2], np.float32)
