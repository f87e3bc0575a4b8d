"""Which shapes an engine takes: the network's own inputs, the card's size and the user's wishes put together."""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from wholebody.card import ModelCard
from wholebody.engines.build_spec import BuildSpec, Size, size_text
from wholebody.engines.engine import TensorInfo
from wholebody.errors import BuildError

Shape = Tuple[int, ...]


class InputShape(NamedTuple):
    """The shapes of one input, from smallest to largest; the engine is tuned for `opt`."""

    name: str
    dtype: str
    min: Shape
    opt: Shape
    max: Shape

    @property
    def is_fixed(self) -> bool:
        """Takes one shape only."""
        return self.min == self.max

    @property
    def dims(self) -> Tuple[Optional[int], ...]:
        """As an engine shows it: None where a range is taken."""
        return tuple(low if low == high else None for low, high in zip(self.min, self.max))

    def __str__(self) -> str:
        texts = ["x".join(str(dim) for dim in shape) for shape in (self.min, self.opt, self.max)]
        return "%s %s" % (self.name, texts[0] if self.is_fixed else "%s to %s, tuned for %s"
                          % (texts[0], texts[2], texts[1]))


def input_shapes(inputs: Sequence[TensorInfo], card: Optional[ModelCard], spec: BuildSpec,
                 where: str) -> Tuple[InputShape, ...]:
    """The shapes of every input, or BuildError that names the flag which is missing or does not fit."""
    shapes = tuple(_input_shape(info, card, spec, where) for info in inputs)
    if not shapes:
        raise BuildError("%s has no input" % where)
    return shapes


def shape_to_dict(shape: InputShape) -> Dict[str, Any]:
    """For JSON."""
    return dict(shape._asdict())


def shape_from_dict(data: Any) -> InputShape:
    """From JSON."""
    return InputShape(str(data["name"]), str(data["dtype"]), *[tuple(int(dim) for dim in data[key])
                                                              for key in ("min", "opt", "max")])


def _input_shape(info: TensorInfo, card: Optional[ModelCard], spec: BuildSpec, where: str) -> InputShape:
    at = _picture_axes(info, card)
    if at is None:
        if not all(isinstance(dim, int) for dim in info.shape):
            raise BuildError("%s: input %s is dynamic and no picture: export it with fixed sizes" % (where, info))
        fixed = tuple(dim for dim in info.shape if isinstance(dim, int))
        return InputShape(info.name, info.dtype, fixed, fixed, fixed)
    own = info.shape[0] if isinstance(info.shape[0], int) else 1
    least, most = spec.min_batch or own, spec.max_batch or own
    ends: List[Shape] = []
    for batch, size in zip((least, most, most), _sizes(info, card, spec, where, at)):
        wanted: List[Any] = list(info.shape)
        for axis, dim, flag in ((0, batch, "--batch"), (at[0], size[0], "--size"), (at[1], size[1], "--size")):
            if isinstance(wanted[axis], int) and wanted[axis] != dim:
                raise BuildError("%s: input %s is fixed, and %s asks for %d instead of %d: leave the flag out, or "
                                 "export the network with that size" % (where, info, flag, dim, wanted[axis]))
            wanted[axis] = dim
        if not all(isinstance(dim, int) for dim in wanted):
            raise BuildError("%s: the channels of input %s are unknown: export it again" % (where, info))
        ends.append(tuple(wanted))
    return InputShape(info.name, info.dtype, *ends)


def _sizes(info: TensorInfo, card: Optional[ModelCard], spec: BuildSpec, where: str,
           at: Tuple[int, int]) -> Tuple[Size, Size, Size]:
    if spec.min_size and spec.opt_size and spec.max_size:
        sizes = (spec.min_size, spec.opt_size, spec.max_size)
        for size in sizes:
            if card and card.input.size is None and (size[0] % card.input.multiple or size[1] % card.input.multiple):
                raise BuildError("%s: the network takes sides that %d divides, got %s"
                                 % (where, card.input.multiple, size_text(size)))
        return sizes
    height, width = info.shape[at[0]], info.shape[at[1]]
    if isinstance(height, int) and isinstance(width, int):
        return ((height, width),) * 3
    if card and card.input.size:
        return (card.input.size,) * 3
    raise BuildError("%s: input %s takes any size, an engine needs one: add --size WxH such as --size 656x368, or "
                     "--min-size, --opt-size and --max-size" % (where, info))


def _picture_axes(info: TensorInfo, card: Optional[ModelCard]) -> Optional[Tuple[int, int]]:
    """Where height and width are, if this input takes pictures."""
    if len(info.shape) != 4:
        return None
    if card is not None and card.input.name == info.name:
        return (2, 3) if card.input.layout == "NCHW" else (1, 2)
    if info.shape[1] == 3 or info.shape[3] != 3:
        return 2, 3
    return 1, 2
