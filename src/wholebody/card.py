"""ModelCard: all that must never be mis-paired with a network's weights, as JSON inside the ONNX file."""
import json
import pathlib
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from wholebody.errors import CardError, SkeletonError
from wholebody.skeletons import (
    Skeleton,
    get_skeleton,
    is_number,
    load_skeleton,
    skeleton_from_dict,
    skeleton_names,
    skeleton_to_dict,
)

METADATA_KEY = "wholebody.card"
CARD_VERSION = 1
LONGEST_SIDE = 16384  # of a network's input, pixels
_LARGEST_FACTOR = 16.0

# What each kind of head delivers: role -> may be left out.
ROLES = {
    "paf": {"heatmaps": False, "pafs": False},
    "heatmap": {"heatmaps": False, "boxes": True},
    "integral": {"heatmaps": False},
    "simcc": {"simcc_x": False, "simcc_y": False},
    "regression": {"keypoints": False, "score": True},
    "boxes": {"boxes": False, "boxes_2": True, "boxes_3": True},
    "embedding": {"embedding": False},
}
LAYOUTS = ("NCHW", "NHWC")
COLORS = ("bgr", "rgb")
DTYPES = ("float32", "uint8")
RESIZES = ("fit", "openpose", "stretch")
PADDINGS = ("right-bottom", "centre")
CROPS = ("face", "hand")
# How numbers are coded; of heat maps, how a peak's place is told finer than by cells (null: as the paf heads do).
FORMATS: Dict[str, Tuple[Optional[str], ...]] = {
    "boxes": ("yolox", "rtmdet"), "regression": ("xy-unit", "xyz-pixels"),
    "heatmap": (None, "quarter", "dark", "udp", "bicubic")}


class TensorRef(NamedTuple):
    """One output of the network, or some of its channels."""

    output: str
    channels: Optional[Tuple[int, int]] = None  # half-open; None is all


class Head(NamedTuple):
    """One thing the network predicts."""

    kind: str
    outputs: Tuple[Tuple[str, TensorRef], ...]     # role -> tensor
    keypoints: Optional[Tuple[int, int]] = None    # half-open range of the skeleton's keypoints; None is all
    stride: int = 0                                # input pixels a cell of the maps; 0 where there are no maps
    layout: str = "NCHW"                           # of the outputs
    format: Optional[str] = None                   # one of FORMATS for boxes, regression and heatmap
    split: float = 0.0                             # bins an input pixel along each axis, of simcc

    def output(self, role: str) -> TensorRef:
        """The tensor that plays one role."""
        return dict(self.outputs)[role]

    @property
    def in_boxes(self) -> bool:
        """Whether its maps cover boxes that the network itself gives, x0, y0, x1, y1 to pixels' edges of its input."""
        return self.kind == "heatmap" and "boxes" in dict(self.outputs)


class CropRule(NamedTuple):
    """Which square of a person a network for a face or a hand sees, from the body's keypoints."""

    kind: str                                 # one of CROPS: OpenPose's rectangle of the face, or of a hand
    scale: float = 1.0                        # the side, in sides of that rectangle
    shift: Tuple[float, float] = (0.0, 0.0)   # right and down in the crop itself, in sides of that rectangle
    turned: bool = False                      # upright in the crop is along the forearm, or across the eyes
    mirrored: bool = False                    # left hands are mirrored: the network knows right ones
    least_side: int = 0                       # of that rectangle, pixels; 0 is OpenPose's
    again: float = 0.0  # > 0: looked at once more, in a square so many times as large as the points that were found


class InputSpec(NamedTuple):
    """How a picture becomes the network's input: y = (x * scale - mean) / std, x from 0 to 255."""

    name: str
    layout: str = "NCHW"
    color: str = "bgr"
    scale: float = 1.0
    mean: Tuple[float, float, float] = (0.0, 0.0, 0.0)  # in the network's own channel order
    std: Tuple[float, float, float] = (1.0, 1.0, 1.0)
    size: Optional[Tuple[int, int]] = None              # (height, width) of a fixed input
    height: int = 368                                   # of a dynamic input, unless the user says otherwise
    multiple: int = 8                                   # a dynamic input's sides are multiples of this
    resize: str = "fit"
    padding: str = "right-bottom"
    pad_value: Tuple[float, float, float] = (0.0, 0.0, 0.0)  # BGR pixel, 0 to 255
    dtype: str = "float32"                              # uint8: the network itself scales, pixels go in as they are
    box_padding: float = 0.0  # > 0: the picture is one person's box, grown to the input's shape, then this much larger
    crop: Optional[CropRule] = None                     # of a network for a face or a hand, beside one for bodies


class ModelCard(NamedTuple):
    """What a network is, eats and delivers."""

    name: str
    input: InputSpec
    heads: Tuple[Head, ...]
    skeleton: Optional[Skeleton] = None  # None for a detector
    licence: str = "unknown"
    source: str = ""                     # file the weights came from
    weights_sha256: str = ""
    decoding: Tuple[Tuple[str, float], ...] = ()  # thresholds that differ from the skeleton's
    notes: str = ""

    def head(self, kind: str) -> Head:
        """The first head of one kind."""
        for head in self.heads:
            if head.kind == kind:
                return head
        raise CardError("%s has no %s head; it has: %s" % (self.name, kind, ", ".join(h.kind for h in self.heads)))


def input_size(spec: InputSpec) -> Tuple[int, int]:
    """(width, height) of a fixed input."""
    assert spec.size is not None, "looked at when it was opened"
    return spec.size[1], spec.size[0]


def card_to_json(card: ModelCard) -> str:
    """One JSON text, the same for the same card."""
    skeleton: Any = None
    if card.skeleton is not None:
        known = card.skeleton.name in skeleton_names() and get_skeleton(card.skeleton.name) == card.skeleton
        skeleton = card.skeleton.name if known else skeleton_to_dict(card.skeleton)
    data = {
        "wholebody_card": CARD_VERSION, "name": card.name, "licence": card.licence, "source": card.source,
        "weights_sha256": card.weights_sha256, "skeleton": skeleton, "decoding": dict(card.decoding),
        "notes": card.notes, "input": _input_to_dict(card.input),
        "heads": [dict(head._asdict(), outputs={role: dict(ref._asdict()) for role, ref in head.outputs})
                  for head in card.heads],
    }
    return json.dumps(data, indent=2, sort_keys=True)


def _input_to_dict(spec: InputSpec) -> Dict[str, Any]:
    data = dict(spec._asdict())
    data["crop"] = None if spec.crop is None else dict(spec.crop._asdict())
    return data


def card_from_json(text: str, where: str = "card", folder: Optional[pathlib.Path] = None) -> ModelCard:
    """The card of a JSON text; every field is checked and unknown ones are refused.

    A skeleton may be a file of `folder`; without a folder, as inside a model, it is a name or the whole skeleton.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CardError("%s: not valid JSON: %s" % (where, error))
    fields = _Fields(data, where)
    version = fields.take("wholebody_card", CARD_VERSION)
    if version != CARD_VERSION:
        raise CardError("%s: expected wholebody_card %d, got %r; update wholebody" % (where, CARD_VERSION, version))
    card = ModelCard(
        name=fields.text("name"), licence=fields.text("licence", "unknown"), source=fields.text("source", ""),
        weights_sha256=fields.text("weights_sha256", ""), notes=fields.text("notes", ""),
        skeleton=_skeleton(fields.take("skeleton", None), where, folder),
        decoding=fields.numbers("decoding"),
        input=_input(fields.mapping("input"), where + ": input"),
        heads=tuple(_head(head, "%s: heads[%d]" % (where, i)) for i, head in enumerate(fields.array("heads"))))
    fields.done()
    if not card.heads:
        raise CardError("%s: expected at least one head" % where)
    points = len(card.skeleton.keypoints) if card.skeleton else 0
    for i, head in enumerate(card.heads):
        if head.keypoints is not None and head.keypoints[1] > points:
            raise CardError("%s: heads[%d]: `keypoints` ends at %d, the skeleton has %d"
                            % (where, i, head.keypoints[1], points))
    return card


class _Fields:
    """Takes checked fields out of a JSON object; what is left at the end is unknown."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, dict):
            raise CardError("%s: expected a JSON object, got %s" % (where, type(data).__name__))
        self.left, self.where = dict(data), where

    def take(self, name: str, *default: Any) -> Any:
        if name not in self.left and not default:
            raise CardError("%s: `%s` is missing" % (self.where, name))
        return self.left.pop(name, *default)

    def wanted(self, name: str, what: str, good: Callable[[Any], bool], *default: Any) -> Any:
        value = self.take(name, *default)
        if not good(value):
            raise CardError("%s: `%s` is %s, got %s" % (self.where, name, what, json.dumps(value)[:60]))
        return value

    def text(self, name: str, *default: str) -> str:
        return str(self.wanted(name, "a text", lambda v: isinstance(v, str), *default))

    def choice(self, name: str, choices: Tuple[str, ...], *default: str) -> str:
        return str(self.wanted(name, "one of " + ", ".join(choices), lambda v: v in choices, *default))

    def number(self, name: str, default: float) -> float:
        return float(self.wanted(name, "a number", is_number, default))

    def factor(self, name: str, default: float = 0.0) -> float:
        return float(self.wanted(name, "a number from 0 to %d" % _LARGEST_FACTOR,
                                 lambda v: is_number(v) and 0 <= v <= _LARGEST_FACTOR, default))

    def flag(self, name: str) -> bool:
        return bool(self.wanted(name, "true or false", lambda v: isinstance(v, bool), False))

    def shift(self, name: str) -> Tuple[float, float]:
        value = self.wanted(name, "two numbers from -%d to %d" % (_LARGEST_FACTOR, _LARGEST_FACTOR),
                            lambda v: isinstance(v, list) and len(v) == 2
                            and all(is_number(x) and abs(x) <= _LARGEST_FACTOR for x in v), [0.0, 0.0])
        return float(value[0]), float(value[1])

    def count(self, name: str, default: int, least: int = 1) -> int:
        return int(self.wanted(name, "a whole number from %d to %d" % (least, LONGEST_SIDE),
                               lambda v: type(v) is int and least <= v <= LONGEST_SIDE, default))

    def three(self, name: str, default: float) -> Tuple[float, float, float]:
        value = self.wanted(name, "three numbers", lambda v: isinstance(v, list) and len(v) == 3
                            and all(is_number(x) for x in v), [default] * 3)
        return float(value[0]), float(value[1]), float(value[2])

    def range(self, name: str, what: str, good: Callable[[int, int], bool]) -> Optional[Tuple[int, int]]:
        value = self.wanted(name, what, lambda v: v is None or (isinstance(v, list) and len(v) == 2
                            and all(type(x) is int for x in v) and good(v[0], v[1])), None)
        return None if value is None else (value[0], value[1])

    def mapping(self, name: str, *default: Dict[str, Any]) -> Dict[str, Any]:
        return dict(self.wanted(name, "an object", lambda v: isinstance(v, dict), *default))

    def numbers(self, name: str) -> Tuple[Tuple[str, float], ...]:
        value = self.wanted(name, "an object of numbers", lambda v: isinstance(v, dict)
                            and all(is_number(x) for x in v.values()), {})
        return tuple(sorted((key, float(number)) for key, number in value.items()))

    def array(self, name: str) -> List[Any]:
        return list(self.wanted(name, "a list", lambda v: isinstance(v, list)))

    def done(self) -> None:
        if self.left:
            raise CardError("%s: unknown fields: %s" % (self.where, ", ".join(sorted(self.left))))


def _skeleton(value: Any, where: str, folder: Optional[pathlib.Path]) -> Optional[Skeleton]:
    if value is None:
        return None
    try:
        if isinstance(value, str) and value.endswith(".json"):
            if folder is None:
                raise CardError("%s: expected the skeleton itself or its name, got the file %r" % (where, value))
            return load_skeleton(folder / value)
        return get_skeleton(value) if isinstance(value, str) else skeleton_from_dict(value, "skeleton")
    except SkeletonError as error:
        raise CardError("%s: %s" % (where, error))


def _input(data: Dict[str, Any], where: str) -> InputSpec:
    fields = _Fields(data, where)
    spec = InputSpec(
        name=fields.text("name", ""), layout=fields.choice("layout", LAYOUTS, "NCHW"),
        color=fields.choice("color", COLORS, "bgr"), scale=fields.number("scale", 1.0),
        mean=fields.three("mean", 0.0), std=fields.three("std", 1.0),
        size=fields.range("size", "[height, width] or null", lambda h, w: 0 < min(h, w) <= max(h, w) <= LONGEST_SIDE),
        height=fields.count("height", 368), multiple=fields.count("multiple", 8),
        resize=fields.choice("resize", RESIZES, "fit"), padding=fields.choice("padding", PADDINGS, "right-bottom"),
        pad_value=fields.three("pad_value", 0.0), dtype=fields.choice("dtype", DTYPES, "float32"),
        box_padding=fields.factor("box_padding"), crop=_crop(fields.take("crop", None), where + ": crop"))
    fields.done()
    if 0.0 in spec.std:
        raise CardError("%s: `std` must not be 0" % where)
    if spec.dtype == "uint8" and (spec.scale, spec.mean, spec.std) != (1.0, (0.0,) * 3, (1.0,) * 3):
        raise CardError("%s: a uint8 input takes pixels as they are: leave `scale`, `mean` and `std` out" % where)
    return spec


def _crop(data: Any, where: str) -> Optional[CropRule]:
    if data is None:
        return None
    fields = _Fields(data, where)
    rule = CropRule(fields.choice("kind", CROPS), fields.factor("scale", 1.0), fields.shift("shift"),
                    fields.flag("turned"), fields.flag("mirrored"), fields.count("least_side", 0, least=0),
                    fields.factor("again"))
    fields.done()
    if not rule.scale:
        raise CardError("%s: `scale` must not be 0" % where)
    return rule


def _head(data: Any, where: str) -> Head:
    fields = _Fields(data, where)
    kind = fields.choice("kind", tuple(ROLES))
    outputs = fields.mapping("outputs")
    unknown = set(outputs) - set(ROLES[kind])
    missing = [role for role, optional in ROLES[kind].items() if not optional and role not in outputs]
    if unknown or missing:
        raise CardError("%s: a %s head has outputs %s; got %s"
                        % (where, kind, ", ".join(ROLES[kind]), ", ".join(sorted(outputs)) or "none"))
    head = Head(
        kind=kind, outputs=tuple((role, _tensor(outputs[role], "%s: outputs.%s" % (where, role)))
                                 for role in ROLES[kind] if role in outputs),
        keypoints=fields.range("keypoints", "[first, end] or null", lambda a, b: 0 <= a < b),
        stride=fields.count("stride", 0, least=0), layout=fields.choice("layout", LAYOUTS, "NCHW"),
        format=fields.wanted("format", _choices(FORMATS.get(kind, (None,))),
                             lambda v: v in FORMATS.get(kind, (None,)), None),
        split=fields.factor("split"))
    fields.done()
    if (kind == "paf" or head.format == "bicubic") and head.stride < 1:
        raise CardError("%s: a %s head needs its `stride`" % (where, head.format or kind))
    if head.format == "bicubic" and head.stride > _LARGEST_FACTOR:
        raise CardError("%s: a bicubic head has a `stride` up to %d" % (where, _LARGEST_FACTOR))
    if head.in_boxes and head.format == "bicubic":
        raise CardError("%s: `bicubic` is of maps of the whole picture, these cover `boxes`" % where)
    if head.split and kind != "simcc":
        raise CardError("%s: `split` is of simcc heads, this is a %s head" % (where, kind))
    return head


def _choices(values: Tuple[Optional[str], ...]) -> str:
    named = [value or "null" for value in values]
    return "one of %s" % ", ".join(named) if len(named) > 1 else named[0]


def _tensor(data: Any, where: str) -> TensorRef:
    fields = _Fields(data, where)
    ref = TensorRef(fields.text("output", ""),
                    fields.range("channels", "[first, end] or null", lambda a, b: 0 <= a < b))
    fields.done()
    return ref
