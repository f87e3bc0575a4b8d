"""Cards of well-known networks, and their fitting to a file whose names and sizes differ."""
import difflib
import math
import pathlib
from collections.abc import Mapping, Sequence

from wholebody.card import Head, InputSpec, ModelCard, TensorRef, card_from_json
from wholebody.engines.engine import TensorInfo
from wholebody.errors import CardError

PRESET_DIR = pathlib.Path(__file__).resolve().parent / "presets"
Shapes = Mapping[str, tuple[int, ...]]  # what each output really gave for an input of a known size


def preset_names() -> list[str]:
    """What --preset accepts."""
    return sorted(path.stem for path in PRESET_DIR.glob("*.json"))


def load_preset(name: str) -> ModelCard:
    """A preset by name, or the card in a user's JSON file."""
    path = pathlib.Path(name) if name.endswith(".json") else PRESET_DIR / f"{name}.json"
    if not name.endswith(".json") and name not in preset_names():
        close = difflib.get_close_matches(name, preset_names(), 1)
        raise CardError(f"unknown preset {name!r}; {f'did you mean {close[0]}? ' if close else ''}"
                        f"known: {', '.join(preset_names())}, or the path of your own .json")
    try:
        return card_from_json(path.read_text(encoding="utf-8"), where=name, folder=path.parent)
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"cannot read card {path}: {getattr(error, 'strerror', None) or error}") from error


def fit_input(spec: InputSpec, inputs: Sequence[TensorInfo], where: str) -> InputSpec:
    """The preset's input with the file's own name and, when the file's is fixed, size."""
    names = [info.name for info in inputs]
    if len(inputs) != 1 or (spec.name and spec.name not in names):
        raise CardError(f"{where}: expected one input{f' {spec.name!r}' if spec.name else ''}, "
                        f"got {'; '.join(str(info) for info in inputs) or 'none'}")
    info = inputs[0]
    if info.dtype != spec.dtype:
        raise CardError(f"{where}: expected a {spec.dtype} input, got {info}")
    if len(info.shape) != 4:
        raise CardError(f"{where}: expected a picture as input ({spec.layout}), got {info}")
    first, last = info.shape[1], info.shape[3]
    channels, other, sides = ((first, last, info.shape[2:]) if spec.layout == "NCHW"
                              else (last, first, info.shape[1:3]))
    if (isinstance(channels, int) or other == 3) and channels != 3:
        raise CardError(f"{where}: expected 3 channels in layout {spec.layout}, got {info}")
    fixed = tuple(side for side in sides if isinstance(side, int))
    if len(fixed) == 2 and spec.size not in (None, fixed):
        raise CardError(f"{where}: the card's input is {spec.size}, the file's is {info}")
    return spec._replace(name=info.name, size=(fixed[0], fixed[1]) if len(fixed) == 2 else spec.size)


def fit_heads(card: ModelCard, shapes: Shapes, net_size: tuple[int, int], where: str) -> tuple[Head, ...]:
    """The preset's heads with the file's own output names, checked against the shapes it really gave."""
    return tuple(_fit_maps(head, card, shapes, net_size, where)
                 if head.kind in ("paf", "heatmap", "integral") and not head.in_boxes
                 else _fit_in_order(head, card, shapes, net_size, where) for head in card.heads)


def _fit_maps(head: Head, card: ModelCard, shapes: Shapes, net_size: tuple[int, int], where: str) -> Head:
    """Maps are recognised by their channels; of several stages the last counts."""
    wanted = _channels_wanted(head, card)
    sides = (net_size[0] // head.stride, net_size[1] // head.stride)
    maps = {name: shape for name, shape in shapes.items() if len(shape) == 4 and _hw(shape, head.layout) == sides}
    by_channels = {_channels(shape, head.layout): name for name, shape in maps.items()}
    together = sum(wanted.values())
    found: dict[str, TensorRef] = {}
    first = 0
    for role, count in wanted.items():
        ref = head.output(role)
        if ref.output:  # a card that names its output means that one and no other
            if ref.output in maps and _channels_read(ref, _channels(maps[ref.output], head.layout)) == count:
                found[role] = ref
        elif count in by_channels:
            found[role] = TensorRef(by_channels[count])
        elif together in by_channels:
            found[role] = TensorRef(by_channels[together], (first, first + count))
        first += count
    if len(found) < len(wanted):
        needed = " and ".join(f"{count} channels ({_asked_for(role, head.output(role))})"
                              for role, count in wanted.items())
        raise CardError(f"{where}: card {card.name!r} does not fit: expected maps of {needed} at stride {head.stride}, "
                        f"that is {head.layout} {sides[0]}x{sides[1]} for an input of {net_size[0]}x{net_size[1]}; "
                        f"the network gave {_list(shapes)}")
    return head._replace(outputs=tuple((role, found[role]) for role in wanted))


def _fit_in_order(head: Head, card: ModelCard, shapes: Shapes, net_size: tuple[int, int], where: str) -> Head:
    """Other heads take the outputs by name where the preset has one, else in the file's order."""
    free = [name for name in shapes if name not in [ref.output for _, ref in head.outputs]]
    outputs = []
    for role, ref in head.outputs:
        if ref.output not in shapes:
            if ref.output or not free:
                raise CardError(f"{where}: the card reads {role} from output {ref.output or '(any)'}; "
                                f"the network gave {_list(shapes)}")
            ref = ref._replace(output=free.pop(0))
        if not _can_be(role, head, card, shapes[ref.output]):
            raise CardError(f"{where}: card {card.name!r} does not fit: output {ref.output!r} cannot be the {role} of "
                            f"a {head.format or head.kind} head; the network gave {_list(shapes)}")
        outputs.append((role, ref))
    head = head._replace(outputs=tuple(outputs))
    return head if head.kind != "simcc" else head._replace(split=_split(head, shapes, net_size, where))


def _split(head: Head, shapes: Shapes, net_size: tuple[int, int], where: str) -> float:
    """Bins an input pixel, the same along both axes."""
    x, y = (shapes[head.output(role).output][2] for role in ("simcc_x", "simcc_y"))
    if x * net_size[0] != y * net_size[1]:
        raise CardError(f"{where}: {x} bins for {net_size[1]} pixels across and {y} for {net_size[0]} down are not "
                        f"equally many a pixel; the network gave {_list(shapes)}")
    return x / net_size[1]


def _can_be(role: str, head: Head, card: ModelCard, shape: tuple[int, ...]) -> bool:
    """Whether an output of this shape can play this role; the batch is the first dimension."""
    points = len(card.skeleton.keypoints) if card.skeleton else 0
    if head.in_boxes:
        first, end = head.keypoints or (0, points)
        there = _channels_read(head.output(role), shape[1])
        return (len(shape) == 3 and shape[2] == 4 and there == 1) if role == "boxes" else (
            len(shape) == 4 and there == end - first)
    if head.kind == "boxes":
        return (len(shape) == 3 and shape[2] > 5) if head.format == "yolox" else (len(shape) == 4 and shape[3] == 5)
    if head.kind == "simcc":
        return len(shape) == 3 and shape[1] == points
    if head.kind == "regression" and role == "keypoints":
        return math.prod(shape[1:]) == points * (2 if head.format == "xy-unit" else 3)
    return True


def _channels_wanted(head: Head, card: ModelCard) -> dict[str, int]:
    if card.skeleton is None:
        raise CardError(f"card {card.name!r}: a {head.kind} head needs a skeleton")
    if head.kind == "paf":
        if not card.skeleton.paf_pairs:
            raise CardError(f"card {card.name!r}: a paf head needs a skeleton with `paf.pairs`; "
                            f"{card.skeleton.name} has no limbs")
        return {"heatmaps": card.skeleton.heatmap_channels, "pafs": card.skeleton.paf_channel_count}
    first, end = head.keypoints or (0, len(card.skeleton.keypoints))
    return {"heatmaps": end - first}


def _channels_read(ref: TensorRef, there: int) -> int:
    first, end = ref.channels or (0, there)
    return min(end, there) - first


def _asked_for(role: str, ref: TensorRef) -> str:
    channels = f", channels {ref.channels[0]} to {ref.channels[1]}" if ref.channels else ""
    return f"{role}: output {ref.output!r}{channels}" if ref.output else role


def _channels(shape: tuple[int, ...], layout: str) -> int:
    return shape[1] if layout == "NCHW" else shape[3]


def _hw(shape: tuple[int, ...], layout: str) -> tuple[int, int]:
    return (shape[2], shape[3]) if layout == "NCHW" else (shape[1], shape[2])


def _list(shapes: Shapes) -> str:
    return ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
