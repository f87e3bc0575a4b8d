"""The heads of a top-down network's card: how its maps become keypoints, which no checkpoint says."""
from wholebody.card import Head, TensorRef
from wholebody.errors import ModelError
from wholebody.export.networks.architecture import Architecture

HEATMAP, INTEGRAL, COMBINED, SIMCC = "heatmap", "integral", "combined", "simcc"
HEAD_KINDS = (HEATMAP, INTEGRAL, COMBINED)
# AlphaPose's combined networks have maps with peaks for the body, the rest (face and hands, or hands) is integrated.
_INTEGRATED = {133: 110, 136: 110, 68: 42}
_MAPS, BOXES = "heatmaps", "boxes"


def default_head(architecture: Architecture) -> str:
    """What AlphaPose's published networks are: body alone has peaks, the whole body is integrated, or with DCN both.

    HRNet, SimplePose and networks with the long DUC were published with peaks alone, and so was ZoomNet described.
    """
    if architecture.in_boxes:
        return HEATMAP
    if architecture.outputs != (_MAPS,):
        return SIMCC
    if not architecture.name.startswith("fastpose-") or "-duc-" in architecture.name:
        return HEATMAP
    if architecture.keypoints not in _INTEGRATED:
        return HEATMAP
    return COMBINED if architecture.name.endswith("-dcn") or architecture.keypoints == 68 else INTEGRAL


def kind_of(heads: tuple[Head, ...]) -> str:
    """The word for the heads of a card."""
    return COMBINED if len(heads) > 1 else heads[0].kind


def map_heads(architecture: Architecture, kind: str) -> tuple[Head, ...]:
    """The heads over the one output of a network with maps."""
    if architecture.outputs != (_MAPS,):
        raise ModelError(f"{architecture.name} gives {' and '.join(architecture.outputs)}; this head is for networks "
                         "that give one stack of maps")
    count, stride = architecture.keypoints, architecture.stride
    if kind == HEATMAP:
        return (_peaks(None, stride),)
    if kind == INTEGRAL:
        return (Head(INTEGRAL, ((_MAPS, TensorRef(_MAPS)),), stride=stride),)
    if count not in _INTEGRATED:
        raise ModelError(f"{architecture.name} has {count} keypoints: a combined head is known for "
                         f"{', '.join(str(n) for n in sorted(_INTEGRATED))}")
    first = count - _INTEGRATED[count]
    rest = (first, count)
    return _peaks((0, first), stride), Head(INTEGRAL, ((_MAPS, TensorRef(_MAPS, rest)),), rest, stride)


def _peaks(keypoints: tuple[int, int] | None, stride: int) -> Head:
    return Head(HEATMAP, ((_MAPS, TensorRef(_MAPS, keypoints)),), keypoints, stride, format="quarter")
