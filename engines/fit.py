"""Does a card fit a network? Checked on the shapes it declares when it is opened."""
from typing import Sequence, Tuple

from wholebody.card import Head, ModelCard
from wholebody.engines.engine import Dim, TensorInfo
from wholebody.errors import CardError


def check_fit(card: ModelCard, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], where: str) -> None:
    """CardError with expected and got when the card cannot be this network's; unknown sizes are let pass."""
    spec = card.input
    found = {info.name: info for info in inputs}.get(spec.name)
    if found is None or len(inputs) != 1:
        _refuse(where, "the card feeds one input %r" % spec.name, inputs)
    assert found is not None
    if found.dtype != spec.dtype:
        _refuse(where, "the card makes a %s input" % spec.dtype, inputs)
    sides: Tuple[Dim, ...] = ("?", "?") if spec.size is None else spec.size
    expected: Tuple[Dim, ...] = (1, 3) + sides if spec.layout == "NCHW" else (1,) + sides + (3,)
    if len(found.shape) == 4 and all(_may_be(dim, want) for dim, want in zip(found.shape[1:], expected[1:])):
        _check_batch(card, found, where)
    if len(found.shape) != 4 or not all(_may_be(dim, want) for dim, want in zip(found.shape, expected)):
        _refuse(where, "the card makes an input of [%s]" % ", ".join(str(d) for d in expected), inputs)
    if spec.size is None and any(isinstance(dim, int) for dim in _sides(found, spec.layout)):
        _refuse(where, "the card says that the input may have any size", inputs)
    _check_outputs(card, outputs, where)


def _check_batch(card: ModelCard, found: TensorInfo, where: str) -> None:
    """Frames come one at a time."""
    batch = found.shape[0]
    if not isinstance(batch, int) or batch == 1:
        return
    if where.lower().endswith(".engine"):
        again = "build it again without --batch: wb-export build MODEL -o %s --overwrite" % where
    elif card.source:
        again = ("export it again for one picture, or for any number: wb-export onnx %s -o %s --batch 1 --overwrite"
                 % (card.source, where))
    else:
        again = "export it again for one picture, or for any number"
    raise CardError("%s takes %d pictures at once, and frames are given one at a time; %s" % (where, batch, again))


def _check_outputs(card: ModelCard, outputs: Sequence[TensorInfo], where: str) -> None:
    known = {info.name: info for info in outputs}
    for head in card.heads:
        for role, ref in head.outputs:
            reads = "the card reads %s from output %r" % (role, ref.output)
            if ref.output not in known:
                _refuse(where, reads, outputs)
            shape = known[ref.output].shape
            channels = shape[1 if head.layout == "NCHW" else -1] if len(shape) == 4 else None
            if ref.channels is not None:
                first, end = ref.channels
                if isinstance(channels, int) and channels < end:
                    _refuse(where, "%s, channels %d to %d" % (reads, first, end), outputs)
                channels = end - first
            wanted = _map_channels(card, head, role)
            if wanted and isinstance(channels, int) and channels not in wanted:
                _refuse(where, "%s: expected %s channels, got %d"
                        % (reads, " or ".join(str(n) for n in wanted), channels), outputs)


def _map_channels(card: ModelCard, head: Head, role: str) -> Tuple[int, ...]:
    """How many channels this role may have; () where any number will do."""
    if head.kind != "paf" or card.skeleton is None:
        return ()
    if role == "pafs":
        return (card.skeleton.paf_channel_count,)
    return tuple(sorted({card.skeleton.heatmap_channels, len(card.skeleton.keypoints)}, reverse=True))


def _sides(info: TensorInfo, layout: str) -> Sequence[Dim]:
    return info.shape[2:4] if layout == "NCHW" else info.shape[1:3]


def _may_be(dim: Dim, wanted: Dim) -> bool:
    return not isinstance(dim, int) or not isinstance(wanted, int) or dim == wanted


def _refuse(where: str, card_says: str, network_has: Sequence[TensorInfo]) -> None:
    raise CardError("%s: its card does not fit: %s; the network has: %s. Give it the right one: "
                    "wb-export card %s --preset NAME -o OUT.onnx"
                    % (where, card_says, "; ".join(str(info) for info in network_has) or "none", where))
