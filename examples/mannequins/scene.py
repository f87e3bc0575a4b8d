"""Scenes of mannequins: where every keypoint of every figure is, and whether it can be seen."""

from typing import List, NamedTuple, Tuple

import numpy as np

from .figure import CAPSULES, LIMBS, hidden_face, random_figure

CANDIDATES = 24
ELBOW_ROOM = 0.16
GRID = 64.0
SELF_COVER_DEPTH = 0.03


class Scene(NamedTuple):
    """Mannequins in a picture, those further away first (they are drawn first)."""

    keypoints: np.ndarray
    """(N, 25, 2) float32, continuous pixels: the centre of pixel i is i + 0.5; BODY_25 order."""
    visible: np.ndarray
    """(N, 25) bool: inside the picture, and covered neither by a later figure nor by the figure itself."""
    told: np.ndarray
    """(N, 25) bool: visible, or behind the figure itself, or hidden between two visible neighbours.

    What a network is trained to find: a limb breaks in two where a joint is missing.
    """
    heights: np.ndarray
    """(N,) float32, pixels: standing height of each figure."""
    depths: np.ndarray
    """(N, 25) float32, pixels towards the viewer, relative to the MidHip of the same figure."""
    size: Tuple[int, int]
    """Width and height of the picture, pixels."""


def random_scene(people: int, width: int, height: int, seed: int) -> Scene:
    """Draw a scene at random; the same seed gives the same bytes on every NumPy.

    >>> random_scene(people=2, width=320, height=240, seed=0).keypoints.shape
    (2, 25, 2)
    """
    rng = np.random.RandomState(seed)
    figures: List[np.ndarray] = []
    heights: List[float] = []
    for _ in range(people):
        figure, tall = random_figure(rng), _random_height(rng, people, width, height)
        figures.append(_place(rng, figure * tall, tall, figures, heights, (width, height)))
        heights.append(tall)
    order = sorted(range(people), key=lambda i: figures[i][:, 1].max())
    points = _rounded(np.array([figures[i] for i in order]).reshape(people, 25, 3))
    tall_px = _rounded(np.array([heights[i] for i in order]).reshape(people))
    visible, told = _seen(points, tall_px, (width, height))
    return Scene(
        keypoints=points[..., :2].astype(np.float32),
        visible=visible,
        told=told,
        heights=tall_px.astype(np.float32),
        depths=points[..., 2].astype(np.float32),
        size=(width, height),
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    """Hide the last bits of sin and cos, which differ between builds of NumPy.

    Odd multiples of 1/128 px: never the centre or the edge of a map cell, where a perfect map has two equal peaks.
    """
    return np.asarray((np.floor(values * GRID) + 0.5) / GRID)


def _random_height(rng: np.random.RandomState, people: int, width: int, height: int) -> float:
    roomy = min(1.18 * np.sqrt(width * height / max(people, 1)), 0.87 * height)
    smallest = np.interp(people, [1, 5, 20], [0.45, 0.5, 0.75])
    return float(roomy * rng.uniform(smallest, 1.1 if people > 3 else 1.05))


def _place(rng: np.random.RandomState, figure: np.ndarray, tall: float, others: List[np.ndarray],
           heights: List[float], size: Tuple[int, int]) -> np.ndarray:
    """Put a figure (25, 3) where it crowds the others least, of a few random places."""
    margin = (-0.10 if rng.uniform() < 0.15 else 0.05) * tall
    low = margin - figure[:, :2].min(axis=0) + (0, 0.03 * tall)
    high = np.array(size) - margin - figure[:, :2].max(axis=0)
    middle = (low + high) / 2
    low, high = np.where(low > high, middle, low), np.where(low > high, middle, high)
    best, least = figure, np.inf
    for _ in range(CANDIDATES):
        moved = figure + np.append(low + rng.uniform(size=2) * (high - low), 0)
        crowding = 0.0
        for other, other_tall in zip(others, heights):
            gap = np.hypot(*(moved[:, None, :2] - other[None, :, :2]).transpose(2, 0, 1))
            gap /= ELBOW_ROOM * max(tall, other_tall)
            crowding += float(np.maximum(0, 1 - gap).sum())
        # Rounded, so that the last bits of a sum never decide between two places.
        if round(crowding, 6) < least:
            best, least = moved, round(crowding, 6)
    return best


def _covered(points: np.ndarray, figure: np.ndarray, tall: float, own: bool) -> np.ndarray:
    """Which of the points (K, 3) lie behind the solid parts of a figure (25, 3)."""
    covered = np.zeros(len(points), bool)
    for a, b, radius_a, radius_b in CAPSULES:
        start, along = figure[a], figure[b] - figure[a]
        length2 = max(float(along[:2] @ along[:2]), 1e-6)
        t = np.clip((points[:, :2] - start[:2]) @ along[:2] / length2, 0, 1)
        nearest = start + t[:, None] * along
        distance = np.hypot(*(points[:, :2] - nearest[:, :2]).T)
        inside = distance < tall * (radius_a + t * (radius_b - radius_a))
        if own:
            thick = tall * (SELF_COVER_DEPTH + max(radius_a, radius_b))
            inside &= nearest[:, 2] - points[:, 2] > thick
        covered |= inside
    return covered


def _seen(points: np.ndarray, heights: np.ndarray, size: Tuple[int, int]) -> Tuple[np.ndarray, np.ndarray]:
    """Which keypoints (N, 25) can be seen, and which can be seen or told."""
    x, y = points[..., 0], points[..., 1]
    inside = np.asarray((x >= 1) & (y >= 1) & (x <= size[0] - 1) & (y <= size[1] - 1))
    visible, told = np.zeros_like(inside), np.zeros_like(inside)
    for i, figure in enumerate(points):
        turned_away = hidden_face(figure / heights[i])
        behind_others = np.zeros(25, bool)
        for j in range(i + 1, len(points)):
            behind_others |= _covered(figure, points[j], float(heights[j]), own=False)
        behind_itself = _covered(figure, figure, float(heights[i]), own=True)
        visible[i] = inside[i] & ~turned_away & ~behind_others & ~behind_itself
        neighbours = np.zeros(25, int)
        for a, b in LIMBS:
            neighbours[a] += visible[i, b]
            neighbours[b] += visible[i, a]
        told[i] = inside[i] & ~turned_away & (visible[i] | behind_itself & ~behind_others | (neighbours >= 2))
    return visible, told
