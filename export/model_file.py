"""A model file seen from outside, whether two may be compared, and random pictures as it takes them."""
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wholebody.card import METADATA_KEY, InputSpec, ModelCard
from wholebody.engines.engine import Dim, TensorInfo
from wholebody.engines.onnxfile import OnnxFile, card_of, parse_onnx, read_bytes
from wholebody.errors import ModelError
from wholebody.export.onnx_graph import Array

Size = tuple[int, int]  # height, width
_SIZES = ((64, 96), (96, 64), (40, 136))  # for files that take any: unequal, and with odd numbers of cells
_STRANGER = 32  # the multiple of a network without a card


@dataclass(frozen=True)
class Model:
    """A network with one picture as input."""

    path: str
    file: OnnxFile
    card: ModelCard | None
    source: TensorInfo  # its input

    @property
    def layout(self) -> str:
        """NCHW or NHWC."""
        if self.card is not None:
            return self.card.input.layout
        return "NHWC" if self.source.shape[3] == 3 else "NCHW"

    def size_of(self, picture: Array) -> Size:
        """Height and width of an input."""
        first = 1 if self.layout == "NHWC" else 2
        return picture.shape[first], picture.shape[first + 1]


def read_model(path: str) -> Model:
    """A model file with one picture as input; anything else is refused."""
    file = parse_onnx(read_bytes(path), path)
    if len(file.inputs) != 1 or len(file.inputs[0].shape) != 4 or not file.outputs:
        raise ModelError(f"{path}: networks with one picture as input are compared; its inputs are: "
                         f"{'; '.join(str(info) for info in file.inputs) or 'none'}")
    card = card_of(file, path) if METADATA_KEY in file.metadata else None
    return Model(path, file, card, file.inputs[0])


def check_same_outside(reference: Model, model: Model) -> None:
    """ModelError when the two cannot be the same network."""
    for what, a, b in (("inputs", reference.file.inputs, model.file.inputs),
                       ("outputs", reference.file.outputs, model.file.outputs)):
        if {_face(info) for info in a} != {_face(info) for info in b}:
            raise ModelError(f"{model.path} cannot be compared with {reference.path}: its {what} are "
                             f"{'; '.join(str(info) for info in b)}; expected {'; '.join(str(info) for info in a)}")
    ours, theirs = (m.card.skeleton if m.card else None for m in (reference, model))
    if ours is not None and theirs is not None and ours != theirs:
        raise ModelError(f"{model.path} cannot be compared with {reference.path}: its keypoints are {theirs.name}, "
                         f"expected {ours.name}")


def _face(info: TensorInfo) -> tuple[str, str, tuple[Dim, ...]]:
    """What must be equal: a tensor without the names of its dynamic sizes."""
    return info.name, info.dtype, tuple(dim if isinstance(dim, int) else None for dim in info.shape)


def random_pictures(model: Model, sizes: tuple[Size, ...], count: int, seed: int) -> Iterator[Array]:
    """`count` inputs of each size; where `sizes` is () a handful, or the file's own."""
    rng = np.random.default_rng(seed)
    batch = model.source.shape[0]
    for n, size in enumerate(_sizes(model, sizes)):
        for _ in range(count):
            yield _picture(model, size, batch if isinstance(batch, int) else 2 if n == 1 else 1, rng)


def _sizes(model: Model, asked: tuple[Size, ...]) -> list[Size]:
    shape = model.source.shape
    own = shape[1:3] if model.layout == "NHWC" else shape[2:4]
    multiple = model.card.input.multiple if model.card else _STRANGER
    if not asked:
        asked = tuple((-(-h // multiple) * multiple, -(-w // multiple) * multiple) for h, w in _SIZES)
        return list(dict.fromkeys((_or(own[0], h), _or(own[1], w)) for h, w in asked))
    for height, width in asked:
        if (_or(own[0], height), _or(own[1], width)) != (height, width):
            raise ModelError(f"{model.path} takes {own[1]}x{own[0]} pictures only, got {width}x{height}")
        if model.card and not isinstance(own[0], int) and (height % multiple or width % multiple):
            raise ModelError(f"{model.path}: the input's sides are multiples of {multiple}, got {width}x{height}")
    return list(dict.fromkeys(asked))


def _or(own: Dim, otherwise: int) -> int:
    return own if isinstance(own, int) else otherwise


def _picture(model: Model, size: Size, batch: int, rng: np.random.Generator) -> Array:
    """Random pixels, prepared as the card says; a network without a card is given numbers about zero."""
    pixels: Array = rng.integers(0, 256, (batch, *size, 3), np.uint8)
    if model.source.dtype != "uint8":
        spec = model.card.input if model.card else InputSpec(model.source.name, scale=1 / 256, mean=(0.5, 0.5, 0.5))
        prepared = (pixels * np.float64(spec.scale) - np.array(spec.mean)) / np.array(spec.std)
        pixels = prepared.astype(model.source.dtype)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if model.layout == "NCHW" else pixels
