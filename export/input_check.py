"""Does somebody's own preprocessing make what the card says? And if not, what does it do instead?"""
import pathlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from wholebody.card import LAYOUTS, PADDINGS, RESIZES, InputSpec
from wholebody.errors import ModelError, WholebodyError
from wholebody.export.onnx_graph import Array
from wholebody.runtime.geometry import Resolution
from wholebody.runtime.preprocess import Preprocessor

_SAME = 0.01         # of the range, on average: resizing in other libraries differs by less
_EXPLAINED = 0.995   # of the variance
_SAME_FACTOR = 0.01  # of a scale, and of the range that an offset shifts by


@dataclass(frozen=True)
class InputCheck:
    """What was found."""

    differences: tuple[str, ...]  # in words: yours, then the card's
    error: float                  # mean difference over the range of what the card makes; infinite for other shapes

    @property
    def same(self) -> bool:
        """It is what the card says."""
        return not self.differences


def read_prepared(path: str) -> Array:
    """The array of a .npy file, with a batch of one."""
    try:
        loaded: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path}: expected a NumPy array (.npy) of one prepared picture: {error}")
    if loaded.ndim == 3:
        loaded = loaded[None]
    if loaded.ndim != 4 or loaded.shape[0] != 1 or 3 not in (loaded.shape[1], loaded.shape[3]):
        raise ModelError(f"{path}: expected one prepared picture, [1, 3, height, width] or [1, height, width, 3], got "
                         f"{list(loaded.shape)}")
    return loaded


def check_input(spec: InputSpec, image: Any, given: Array) -> InputCheck:
    """Compares an array with what the card makes of the same picture."""
    layout = "NCHW" if given.shape[1] == 3 else "NHWC"
    planes = np.asarray(given[0] if layout == "NCHW" else given[0].transpose(2, 0, 1), np.float64)
    found = [] if layout == spec.layout else [f"layout {layout}, not {spec.layout}"]
    if str(given.dtype) != spec.dtype:
        found.append(f"numbers are {given.dtype}, not {spec.dtype}")
    expected = _made(spec, image, planes.shape[1:])
    if expected is None:
        return InputCheck((*found, f"its size is {planes.shape[2]}x{planes.shape[1]}, which the card never makes"),
                          float("inf"))
    error = float(np.abs(planes - expected).mean() / (np.ptp(expected) or 1.0))
    if error > _SAME:
        found += _explained(spec, image, planes, expected)
    return InputCheck(tuple(found), error)


def _explained(spec: InputSpec, image: Any, planes: Array, expected: Array) -> list[str]:
    """The one change of the card that makes this array best, in words."""
    found = _colours(spec, planes, expected)
    if found is not None:
        return found
    for resize in RESIZES:
        for padding in PADDINGS:
            other = spec._replace(resize=resize, padding=padding)
            made = _made(other, image, planes.shape[1:])
            found = None if made is None else _colours(spec, planes, made)
            if found is not None:
                ways = [f"{name} {a}, not {b}" for name, a, b in (("resize", resize, spec.resize),
                                                                 ("padding", padding, spec.padding)) if a != b]
                return ways + found
    return ["no change of scale, colours, resizing or padding makes it: is it of another picture, or mirrored?"]


def _colours(spec: InputSpec, planes: Array, expected: Array) -> list[str] | None:
    """How colours and numbers differ where all else is the same; None where something else is not."""
    straight, turned = _fit(planes, expected), _fit(planes[::-1], expected)
    if max(straight[0], turned[0]) < _EXPLAINED:
        return None
    swapped = turned[0] > straight[0] + 1e-4
    gains, offsets = (turned if swapped else straight)[1:]
    found = []
    if swapped:
        other = "rgb" if spec.color == "bgr" else "bgr"
        found.append(f"colours are {other}, not {spec.color}")
    # In pixels of 0 to 255: yours = pixel * ours.gain * gain + ...
    own_gain, own_offset = spec.scale / np.asarray(spec.std), -np.asarray(spec.mean) / np.asarray(spec.std)
    gain, offset = own_gain * gains, own_offset * gains + offsets
    # Who exchanges colours mostly leaves mean and deviation in their order.
    if not _alike(gain, offset, own_gain, own_offset) and not (
            swapped and _alike(gain[::-1], offset[::-1], own_gain, own_offset)):
        yours, ours = (f"pixel * {_short(a)} + {_short(b, 255 * float(np.abs(a).max()))}"
                       for a, b in ((gain, offset), (own_gain, own_offset)))
        found.append(f"numbers are {yours}, not {ours}")
    return found


def _alike(gain: Array, offset: Array, own_gain: Array, own_offset: Array) -> bool:
    return bool((np.abs(gain - own_gain) <= _SAME_FACTOR * np.abs(own_gain)).all()
                and (np.abs(offset - own_offset) <= 255 * _SAME_FACTOR * np.abs(own_gain)).all())


def _fit(planes: Array, expected: Array) -> tuple[float, Array, Array]:
    """Explained variance, gain and offset of each channel: planes = expected * gain + offset."""
    gains, offsets, left, whole = [], [], 0.0, 0.0
    for plane, known in zip(planes, expected):
        x, y = known - known.mean(), plane - plane.mean()
        gain = float((x * y).sum() / max((x * x).sum(), 1e-12))
        gains.append(gain)
        offsets.append(float(plane.mean() - gain * known.mean()))
        left += float(((y - gain * x) ** 2).sum())
        whole += float((y * y).sum())
    return 1 - left / max(whole, 1e-12), np.array(gains), np.array(offsets)


def _made(spec: InputSpec, image: Any, size: Any) -> Array | None:
    """(3, h, w) of what a card makes at this size; None where it cannot."""
    height, width = size
    free = spec._replace(size=None, multiple=1) if spec.size is None else spec
    try:
        blob, _ = Preprocessor(free, Resolution() if spec.size else Resolution(width, height))(image)
    except WholebodyError:
        return None
    made = np.asarray(blob[0] if spec.layout == LAYOUTS[0] else blob[0].transpose(2, 0, 1), np.float64)
    return made if made.shape[1:] == (height, width) else None


def _short(values: Array, spread: float = 0.0) -> str:
    """One number where the channels hardly differ; what is nothing beside `spread` is 0."""
    flat = np.where(np.abs(values) < _SAME_FACTOR * spread, 0.0, np.asarray(values))
    if np.ptp(flat) <= _SAME_FACTOR * max(float(np.abs(flat).max()), spread):
        flat = flat[:1] if np.ptp(flat) == 0 else np.array([flat.mean()])
    rounded = [f"{value:.3g}" for value in flat + 0.0]
    return rounded[0] if len(rounded) == 1 else f"({', '.join(rounded)})"


def check_file(spec: InputSpec, picture: str, prepared: str) -> InputCheck:
    """The same for files."""
    from wholebody.runtime.sources.pictures import read_picture
    return check_input(spec, read_picture(pathlib.Path(picture)), read_prepared(prepared))
