"""What happens to a photograph before it is learnt from: one affine map, other colours, things in the way."""

from dataclasses import dataclass
from typing import Tuple

import cv2
import numpy as np

from .coco import Photograph

REFERENCE_HEIGHT = 368  # the height photographs are looked at when the network is used
OUTSIDE = 127           # what lies beyond the picture, and behind things in the way
MOST_THINGS = 3
KEPT_INSIDE = 0.85      # of a crop: so much stays within the picture where it is large enough


@dataclass(frozen=True)
class Augmentation:
    """How far chance may go."""

    scale: Tuple[float, float] = (0.65, 1.5)
    """Times the size the photograph has at a height of 368."""
    degrees: float = 30.0
    """Rotation either way; normally distributed, this is two standard deviations."""
    flip: float = 0.5
    """Share of mirrored photographs."""
    on_person: float = 0.8
    """Share of crops with some person near their middle."""
    colour: float = 0.25
    """Contrast, brightness, saturation and colour balance change by so much, either way."""
    occlusion: float = 0.2
    """Share of crops with things in the way."""
    blur: float = 0.1
    """Share of crops that are out of focus."""


NONE = Augmentation((1.0, 1.0), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)


def random_affine(rng: np.random.RandomState, photograph: Photograph, crop: int,
                  options: Augmentation) -> np.ndarray:
    """A map from photograph to crop, 2x3, continuous pixels."""
    width, height = photograph.size
    low, high = np.log(options.scale[0]), np.log(options.scale[1])
    factor = REFERENCE_HEIGHT / height * np.exp(rng.uniform(low, high))
    angle = np.radians(np.clip(rng.normal() * options.degrees / 2, -options.degrees, options.degrees))
    linear = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.uniform() < options.flip:
        linear = np.array([[-1.0, 0], [0, 1]]) @ linear
    centre = _centre(rng, photograph, crop / 2 / factor * KEPT_INSIDE, options)
    return np.concatenate([linear, (crop / 2 - linear @ centre)[:, None]], axis=1)


def _centre(rng: np.random.RandomState, photograph: Photograph, margin: float, options: Augmentation) -> np.ndarray:
    """The point of the photograph that comes to the middle of the crop; no nearer to an edge than it must be."""
    size = np.array(photograph.size, np.float64)
    least = np.minimum(margin, size / 2)
    return np.asarray(np.clip(_wanted_centre(rng, photograph, size, options), least, size - least))


def _wanted_centre(rng: np.random.RandomState, photograph: Photograph, size: np.ndarray,
                   options: Augmentation) -> np.ndarray:
    seen = np.flatnonzero(photograph.known.any(axis=1))
    if not len(seen) or rng.uniform() >= options.on_person:
        return np.asarray(rng.uniform(0.2, 0.8, 2) * size)
    person = seen[rng.randint(0, len(seen))]
    points = photograph.keypoints[person][photograph.known[person]]
    low, high = points.min(axis=0), points.max(axis=0)
    reach = max(0.25 * float((high - low).max()), 12.0)
    return np.asarray((low + high) / 2 + rng.uniform(-reach, reach, 2))


def recoloured(rng: np.random.RandomState, picture: np.ndarray, options: Augmentation) -> np.ndarray:
    """A BGR picture in other light, uint8 in and out."""
    if not options.colour:
        return picture
    most = options.colour
    pixels = picture.astype(np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * rng.uniform(1 - 2 * most, 1 + most)
    pixels *= rng.uniform(1 - most, 1 + most) * rng.uniform(1 - most / 3, 1 + most / 3, 3)
    pixels += rng.uniform(-most, most) * 128
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)


def obstructed(rng: np.random.RandomState, picture: np.ndarray, options: Augmentation) -> np.ndarray:
    """Rectangles of one colour or of noise over parts of the picture; sometimes a blur over all of it."""
    if rng.uniform() < options.blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.5)))
    if rng.uniform() >= options.occlusion:
        return picture
    picture = picture.copy()
    height, width = picture.shape[:2]
    for _ in range(rng.randint(1, MOST_THINGS + 1)):
        sides = (rng.uniform(0.06, 0.22, 2) * (width, height)).astype(int) + 1
        x, y = rng.randint(0, width - sides[0]), rng.randint(0, height - sides[1])
        colour = rng.uniform(0, 255, 3) if rng.uniform() < 0.5 else rng.uniform(0, 255, (sides[1], sides[0], 3))
        picture[y:y + sides[1], x:x + sides[0]] = colour
    return picture
