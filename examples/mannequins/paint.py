"""Brushes: anti-aliased, shaded solids on a picture drawn at twice its size."""

from typing import Iterable, List, Tuple

import cv2
import numpy as np

SCALE = 2
SHIFT = 4
Colour = Tuple[float, float, float]
Circle = Tuple[float, float, float]

_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_LIGHT = np.array([-0.30, -0.34])
_EDGE_PX = 1.0
_DARKEST, _LIGHTEST = 0.66, 1.12


def tint(colour: Colour, factor: float) -> Colour:
    """Darken (factor < 1) a colour or lighten it (factor > 1)."""
    values = np.asarray(colour, float)
    mixed = values * factor if factor <= 1 else values + (255 - values) * (factor - 1)
    return (float(mixed[0]), float(mixed[1]), float(mixed[2]))


def fixed(points: np.ndarray) -> np.ndarray:
    """Continuous picture coordinates (K, 2) as OpenCV's fixed-point ones on the enlarged picture."""
    return np.round((np.asarray(points) * SCALE - 0.5) * (1 << SHIFT)).astype(np.int32)


def polygon(picture: np.ndarray, points: np.ndarray, colour: Colour) -> None:
    """Fill a convex polygon (K, 2)."""
    cv2.fillConvexPoly(picture, fixed(points), colour, cv2.LINE_AA, SHIFT)


def curve(picture: np.ndarray, points: np.ndarray, colour: Colour, thickness_px: float) -> None:
    """Draw an open line through points (K, 2)."""
    thickness = max(1, int(round(thickness_px * SCALE)))
    cv2.polylines(picture, [fixed(points)], False, colour, thickness, cv2.LINE_AA, SHIFT)


def solid(picture: np.ndarray, circles: Iterable[Circle], colour: Colour, edge: float = 0.45) -> None:
    """Draw the hull of circles (x, y, radius) as one rounded body, lit from the upper left."""
    body = np.array(list(circles), float)
    radius = float(body[:, 2].max())
    layers = int(np.clip(radius * SCALE * 0.6, 3, 12))
    polygon(picture, _hull(body, np.zeros(2), _EDGE_PX * min(1.0, radius / 4)), tint(colour, edge))
    for layer in range(layers):
        t = layer / (layers - 1.0)
        shade = tint(colour, _DARKEST + (_LIGHTEST - _DARKEST) * t)
        shrunk = body.copy()
        shrunk[:, 2] *= 1 - 0.72 * t
        polygon(picture, _hull(shrunk, _LIGHT * t * body[:, 2:], 0.0), shade)


def _hull(circles: np.ndarray, offset: np.ndarray, grow: float) -> np.ndarray:
    centres = circles[:, :2] + offset
    rims = centres[:, None] + _CIRCLE * (circles[:, 2:, None] + grow)
    if len(circles) == 1:
        return np.asarray(rims[0])
    hull = cv2.convexHull(rims.reshape(-1, 2).astype(np.float32))
    return np.asarray(hull).reshape(-1, 2)


def along(a: np.ndarray, b: np.ndarray, *stops: Tuple[float, float]) -> List[Circle]:
    """Circles on the line from a to b: (share of the way, radius) each."""
    points = [(a + share * (b - a), radius) for share, radius in stops]
    return [(float(point[0]), float(point[1]), radius) for point, radius in points]
