"""The One-Euro filter for all keypoints of all people at once: still when they are still, quick when they move.

Casiez, Roussel and Vogel 2012. Speeds count in heights of the person, so that a resolution changes nothing.
"""
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

LONGEST_GAP = 0.5  # seconds: a keypoint that was not seen for longer starts anew


class Smoothing(NamedTuple):
    """How much is smoothed: the cut-off at rest, how it rises with speed, and the cut-off of the speed itself."""

    hertz: float = 1.2
    per_speed: float = 6.0   # hertz more for a height a second
    speed_hertz: float = 2.0


class OneEuro:
    """State of T people: (T, K, 2) places and speeds, and when each keypoint was last seen (T, K)."""

    def __init__(self, points: int, smoothing: Smoothing = Smoothing()) -> None:
        self._points, self._smoothing = points, smoothing
        self._place: "npt.NDArray[Any]" = np.zeros((0, points, 2))
        self._speed: "npt.NDArray[Any]" = np.zeros((0, points, 2))
        self._seen: "npt.NDArray[Any]" = np.full((0, points), -np.inf)

    def add(self, count: int) -> None:
        """So many new people, of whom nothing was seen yet."""
        self._place = np.concatenate([self._place, np.zeros((count, self._points, 2))])
        self._speed = np.concatenate([self._speed, np.zeros((count, self._points, 2))])
        self._seen = np.concatenate([self._seen, np.full((count, self._points), -np.inf)])

    def keep(self, which: "npt.NDArray[Any]") -> None:
        """Only these stay."""
        self._place, self._speed, self._seen = self._place[which], self._speed[which], self._seen[which]

    def __call__(self, which: "npt.NDArray[Any]", keypoints: "npt.NDArray[np.float32]",
                 found: "npt.NDArray[np.bool_]", heights: "npt.NDArray[Any]", now: float) -> "npt.NDArray[np.float32]":
        """Keypoints (n, K, 2) of the people `which`, smoothed where `found` (n, K); the others stay as they are."""
        place, speed, gap = self._place[which], self._speed[which], now - self._seen[which]
        known = found & (gap <= LONGEST_GAP)
        dt = np.where(known, np.maximum(gap, 1e-4), 1.0)[..., None]
        fresh = (keypoints - place) / dt
        new_speed = speed + _share(self._smoothing.speed_hertz, dt) * (fresh - speed)
        pace = np.sqrt((new_speed ** 2).sum(axis=2, keepdims=True)) / np.maximum(heights, 1)[:, None, None]
        share = _share(self._smoothing.hertz + self._smoothing.per_speed * pace, dt)
        smooth = np.where(known[..., None], place + share * (keypoints - place), keypoints)
        self._place[which] = np.where(found[..., None], smooth, place)
        self._speed[which] = np.where(known[..., None], new_speed, np.where(found[..., None], 0, speed))
        self._seen[which] = np.where(found, now, self._seen[which])
        return np.asarray(smooth, np.float32)


def _share(hertz: Any, dt: Any) -> Any:
    """Of the new value, in an exponential average with this cut-off."""
    return 1 / (1 + 1 / (2 * np.pi * hertz * dt))
