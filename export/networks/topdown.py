"""The top-down networks: one person's picture in, that person's keypoints out."""
import functools
import re
from collections.abc import Callable, Iterable

from torch import nn

from wholebody.export.networks.alphapose import FastPose, FastPoseDuc, SimplePose
from wholebody.export.networks.architecture import TOP_DOWN, Architecture, Shapes, with_build
from wholebody.export.networks.bottleneck import BLOCKS, DEFORMABLE, PLAIN, UNSHUFFLED
from wholebody.export.networks.cspnext import widths
from wholebody.export.networks.deformable import GRID_SAMPLE_OPSET
from wholebody.export.networks.hrnet import HRNet
from wholebody.export.networks.rtmpose import RtmPose, SimccSpec
from wholebody.export.networks.zoomnet import BODY, FACE, HAND, PARTS, ZoomNet

# By number of keypoints. AlphaPose's networks for 68 have Halpe's body and both hands, others the face.
SKELETONS = {16: "MPII_16", 17: "COCO_17", 21: "HAND_21", 26: "HALPE_26", 68: "FACE_68", 133: "WHOLEBODY_133",
             136: "HALPE_136"}
ALPHAPOSE_SKELETONS = {**SKELETONS, 68: "HALPE_68"}
_SIZE, _COCO = (256, 192), 17
_CELL = 32                 # input pixels of the coarsest features
_MOST = 4096               # channels, keypoints or bins that a file may ask for
_HEADS = (("keypoint_head.", ""), ("head.", ""))  # mmpose 0.x and 1.x
_SIZES_RTM = {"t": (0.167, 0.375), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
_WIDTHS = (32, 48)         # of HRNets
_MMPOSE_UNUSED = (r"data_preprocessor\.",)


def _read(shapes: Shapes, name: str, axis: int, otherwise: int) -> int:
    """One side of a tensor; what no network has is left to the comparison that follows."""
    shape = shapes.get(name, ())
    return shape[axis] if axis < len(shape) and 0 < shape[axis] <= _MOST else otherwise


def _deepest(names: Iterable[str]) -> int:
    """The depth of a ResNet by the last block of its third layer that a file has."""
    found = [int(match[1]) for match in (re.match(r"preact\.layer3\.(\d{1,3})\.", name) for name in names) if match]
    last = max(found, default=0)
    return next((depth for depth, blocks in BLOCKS.items() if last < blocks[2]), max(BLOCKS))


def _has(names: Iterable[str], pattern: str) -> bool:
    return any(re.match(pattern, name) for name in names)


def _architecture(name: str, build: Callable[[], nn.Module], preset: str, **rest: object) -> Architecture:
    return Architecture(name, build, SKELETONS[_COCO], (("heatmaps", _COCO),), preset, _SIZE, TOP_DOWN, 4,
                        **rest)  # type: ignore[arg-type]  # further fields by name


def _fastpose(depth: int, kind: str) -> Architecture:
    deformable = kind == DEFORMABLE

    def likely(shapes: Shapes) -> bool:
        return (_has(shapes, r"preact\.") and not _has(shapes, r"duc3\.|deconv_layers\.|final_layer\.")
                and _deepest(shapes) == depth and _has(shapes, r"preact\..*\.conv2_offset\.") == deformable)

    def variant(architecture: Architecture, shapes: Shapes) -> Architecture:
        points, width = _read(shapes, "conv_out.weight", 0, _COCO), _read(shapes, "conv_out.weight", 1, 128)
        return _fastpose_variant(architecture, depth, kind, points, width)

    return _architecture(f"fastpose-{depth}{'-dcn' if deformable else ''}",
                         functools.partial(FastPose, depth, _COCO, 128, kind), "alphapose", likely=likely,
                         variant=variant, opset=GRID_SAMPLE_OPSET if deformable else 13)


@functools.lru_cache(maxsize=64)
def _fastpose_variant(architecture: Architecture, depth: int, kind: str, points: int, width: int) -> Architecture:
    return with_build(architecture, points, functools.partial(FastPose, depth, points, width, kind),
                      ALPHAPOSE_SKELETONS.get(points, ""))


def _fastpose_duc(name: str, depth: int, kind: str) -> Architecture:
    def likely(shapes: Shapes) -> bool:
        unshuffled = _has(shapes, r"preact\.layer[234]\.0\.conv2\.1\.")
        return _has(shapes, r"duc3\.") and unshuffled == (kind == UNSHUFFLED) and _deepest(shapes) == depth

    def variant(architecture: Architecture, shapes: Shapes) -> Architecture:
        points = _read(shapes, "conv_out.weight", 0, _COCO)
        return _plain_variant(architecture, FastPoseDuc, depth, points, kind)

    return _architecture(name, functools.partial(FastPoseDuc, depth, _COCO, kind), "alphapose", likely=likely,
                         variant=variant)


def _simplepose(depth: int) -> Architecture:
    def likely(shapes: Shapes) -> bool:
        return _has(shapes, r"preact\.") and _has(shapes, r"deconv_layers\.") and _deepest(shapes) == depth

    def variant(architecture: Architecture, shapes: Shapes) -> Architecture:
        return _plain_variant(architecture, SimplePose, depth, _read(shapes, "final_layer.weight", 0, _COCO))

    return _architecture(f"simplepose-{depth}", functools.partial(SimplePose, depth, _COCO), "alphapose",
                         likely=likely, variant=variant, unused=_MMPOSE_UNUSED, renamed_preset="simplepose",
                         renamed=(*_HEADS, ("backbone.", "preact."),
                                  *((start, "preact." + start) for start in ("conv1.", "bn1.", "layer"))))


def _hrnet(width: int) -> Architecture:
    def likely(shapes: Shapes) -> bool:
        told = _read(shapes, "stage2.0.branches.0.0.conv1.weight", 0, width)
        return _has(shapes, r"stage[234]\.\d+\.(branches|fuse_layers)\.") and (told == width or told not in _WIDTHS)

    def variant(architecture: Architecture, shapes: Shapes) -> Architecture:
        return _plain_variant(architecture, HRNet, width, _read(shapes, "final_layer.weight", 0, _COCO))

    return _architecture(f"hrnet-w{width}", functools.partial(HRNet, width, _COCO), "hrnet", likely=likely,
                         variant=variant, unused=_MMPOSE_UNUSED, renamed=(*_HEADS, ("backbone.", "")))


@functools.lru_cache(maxsize=64)
def _plain_variant(architecture: Architecture, network: Callable[..., nn.Module], first: int, points: int,
                   *more: str) -> Architecture:
    """A network that is built from one number, its keypoints and what else there is."""
    skeletons = ALPHAPOSE_SKELETONS if network is FastPoseDuc else SKELETONS
    return with_build(architecture, points, functools.partial(network, first, points, *more),
                      skeletons.get(points, ""))


def _rtm(size: str, pyramid: bool) -> Architecture:
    deepen, widen = _SIZES_RTM[size]
    points = 133 if pyramid else _COCO
    spec = SimccSpec(points, (8, 6), (512, 384))

    def likely(shapes: Shapes) -> bool:
        stems = [widths(wide)[0] for _, wide in _SIZES_RTM.values()]
        told = _read(shapes, "backbone.stem.2.conv.weight", 0, widths(widen)[0])
        return (_has(shapes, r"backbone\.stage1\.1\.") and _has(shapes, r"neck\.") == pyramid
                and (told == widths(widen)[0] or told not in stems))

    def variant(architecture: Architecture, shapes: Shapes) -> Architecture:
        return _rtm_variant(architecture, deepen, widen, pyramid, _simcc_spec(shapes, pyramid, points))

    preset = "rtmw" if pyramid else "rtmpose"
    return Architecture(
        f"{preset}-{size}", functools.partial(RtmPose, deepen, widen, spec, pyramid), SKELETONS[points],
        (("simcc_x", points), ("simcc_y", points)), preset, _SIZE, TOP_DOWN, 0, _MMPOSE_UNUSED, one_size=True,
        likely=likely, variant=variant)


def _simcc_spec(shapes: Shapes, pyramid: bool, points: int) -> SimccSpec:
    """What a head is like: the input's size follows from the bins of its axes and the cells that one token takes."""
    hidden = _read(shapes, "head.cls_x.weight", 1, 256)
    attention, expanded = _read(shapes, "head.gau.gamma", 1, 128), _read(shapes, "head.gau.o.weight", 1, 512)
    bins = (_read(shapes, "head.cls_y.weight", 0, 512), _read(shapes, "head.cls_x.weight", 0, 384))
    cells = _read(shapes, "head.mlp.1.weight", 1, 48)
    split = max(1.0, (bins[0] * bins[1] / (cells * _CELL ** 2)) ** 0.5)  # bins a pixel
    sides = (max(1, round(bins[0] / split / _CELL)), max(1, round(bins[1] / split / _CELL)))
    final = "head.final_layer.conv.weight" if pyramid else "head.final_layer.weight"
    return SimccSpec(_read(shapes, final, 0, points), sides, bins, hidden, attention, expanded)


@functools.lru_cache(maxsize=64)
def _rtm_variant(architecture: Architecture, deepen: float, widen: float, pyramid: bool,
                 spec: SimccSpec) -> Architecture:
    return with_build(architecture, spec.keypoints, functools.partial(RtmPose, deepen, widen, spec, pyramid),
                      SKELETONS.get(spec.keypoints, ""), (spec.cells[0] * _CELL, spec.cells[1] * _CELL))


def _zoomnet() -> Architecture:
    channels = (("heatmaps", BODY), ("face", FACE), ("hands", 2 * HAND), ("boxes", PARTS))
    return Architecture("zoomnet", ZoomNet, SKELETONS[133], channels, "zoomnet", (384, 288), TOP_DOWN, 4,
                        opset=GRID_SAMPLE_OPSET, in_boxes=("face", "hands"),
                        likely=lambda shapes: _has(shapes, r"(feature_net|body_net|face_head|hand_head)\."))


TOP_DOWN_NETWORKS = (
    *(_fastpose(depth, kind) for kind in (PLAIN, DEFORMABLE) for depth in BLOCKS),
    _fastpose_duc("fastpose-duc-152", 152, PLAIN),
    _fastpose_duc("fastpose-duc-50-shuffle", 50, UNSHUFFLED),
    *(_simplepose(depth) for depth in BLOCKS),
    *(_hrnet(width) for width in _WIDTHS),
    *(_rtm(size, False) for size in _SIZES_RTM),
    *(_rtm(size, True) for size in ("m", "l", "x")),
    _zoomnet(),
)
