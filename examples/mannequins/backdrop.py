"""What stands behind the mannequins: a room, or soft blobs, and things that are not people."""

from typing import Callable, Tuple

import cv2
import numpy as np

from .paint import SCALE, Circle, Colour, solid, tint

PALETTE: Tuple[Colour, ...] = (
    (214, 226, 236), (196, 214, 198), (222, 208, 190), (188, 200, 226), (226, 218, 226), (150, 168, 178),
    (120, 108, 96), (168, 190, 222), (204, 196, 160), (92, 96, 112),
)
MOST_THINGS = 5


def paint_backdrop(rng: np.random.RandomState, size: Tuple[int, int]) -> np.ndarray:
    """Paint a background (H * SCALE, W * SCALE, 3) uint8."""
    width, height = size[0] * SCALE, size[1] * SCALE
    painters: Tuple[Callable[..., np.ndarray], ...] = (_room, _room, _gradient, _blobs)
    picture = painters[rng.randint(0, len(painters))](rng, width, height)
    for _ in range(rng.randint(0, MOST_THINGS + 1)):
        _thing(rng, picture, size)
    return picture


def _colour(rng: np.random.RandomState) -> Colour:
    base = np.array(PALETTE[rng.randint(0, len(PALETTE))]) + rng.uniform(-22, 22, 3)
    b, g, r = np.clip(base, 0, 255)
    return (float(b), float(g), float(r))


def _ramp(top: Colour, bottom: Colour, width: int, height: int) -> np.ndarray:
    t = np.linspace(0, 1, height)[:, None]
    column = np.array(top) * (1 - t) + np.array(bottom) * t
    return np.repeat(column[:, None], width, axis=1).astype(np.uint8)


def _gradient(rng: np.random.RandomState, width: int, height: int) -> np.ndarray:
    return _ramp(_colour(rng), _colour(rng), width, height)


def _room(rng: np.random.RandomState, width: int, height: int) -> np.ndarray:
    """Wall above, floor below, a skirting board between them, perhaps wallpaper or floor boards."""
    wall, floor = _colour(rng), _colour(rng)
    horizon = int(height * rng.uniform(0.35, 0.75))
    picture = np.concatenate([
        _ramp(tint(wall, 1.25), tint(wall, 0.9), width, horizon),
        _ramp(tint(floor, 0.72), tint(floor, 1.1), width, height - horizon)])
    if rng.uniform() < 0.4:
        step = rng.randint(40, 120)
        for x in range(rng.randint(0, step), width, step):
            cv2.line(picture, (x, 0), (x, horizon), tint(wall, 0.93), rng.randint(1, step // 3), cv2.LINE_AA)
    if rng.uniform() < 0.5:
        vanishing, step = int(width * rng.uniform(0.3, 0.7)), rng.randint(90, 200)
        for x in range(-3 * width, 4 * width, step):
            end = vanishing + (x - vanishing) // 3
            cv2.line(picture, (end, horizon), (x, height), tint(floor, 0.78), 2, cv2.LINE_AA)
    board = max(2, height // 60)
    cv2.rectangle(picture, (0, horizon - board), (width, horizon), tint(wall, 0.7), -1)
    return picture


def _blobs(rng: np.random.RandomState, width: int, height: int) -> np.ndarray:
    small = _ramp(_colour(rng), _colour(rng), width // 8 + 1, height // 8 + 1)
    for _ in range(rng.randint(8, 30)):
        centre = (rng.randint(0, small.shape[1]), rng.randint(0, small.shape[0]))
        cv2.circle(small, centre, rng.randint(3, 16), _colour(rng), -1)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(1.5, 6))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _thing(rng: np.random.RandomState, picture: np.ndarray, size: Tuple[int, int]) -> None:
    """Draw a crate, a ball, a vase, a lamp or a pole."""
    x, y = rng.uniform(0, size[0]), size[1] * rng.uniform(0.3, 1.0)
    big, kind = size[1] * rng.uniform(0.05, 0.16), rng.randint(0, 5)
    b, g, r = rng.uniform(40, 225, 3)
    colour = (float(b), float(g), float(r))
    shapes: Tuple[Tuple[Circle, ...], ...] = (
        ((x - big, y - big, 2), (x + big, y - big, 2), (x - big, y, 2), (x + big, y, 2)),
        ((x, y, big * 0.5),),
        ((x, y, big * 0.45), (x, y - big, big * 0.25), (x, y - 1.5 * big, big * 0.32)),
        ((x - big / 2, y, 2), (x + big / 2, y, 2), (x - big / 4, y - big, 2), (x + big / 4, y - big, 2)),
        ((x, y, 4), (x + rng.uniform(-10, 10), y - 3 * big, 4)),
    )
    if kind == 3:
        solid(picture, ((x, y, 2), (x, y + 2 * big, 2)), (70, 70, 70))
    solid(picture, shapes[kind], colour)
