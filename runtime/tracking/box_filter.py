"""Where boxes will be in the next frame: the Kalman filter of DeepSORT, JDE and AlphaPose, for all tracks at once."""
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

# Of a box's height: how much a place and a speed change from frame to frame. The aspect ratio has numbers of its own.
_PLACE, _SPEED = 1 / 20.0, 1 / 160.0
_RATIO_PLACE, _RATIO_SPEED, _RATIO_MEASURED = 1e-2, 1e-5, 1e-1


class BoxFilter:
    """T boxes as (T, 4) centre x, centre y, width / height and height, their speeds, and how sure each is.

    Place and speed of one value depend on each other alone, so 8x8 covariances are three numbers a value.
    """

    def __init__(self) -> None:
        self.place: "npt.NDArray[Any]" = np.zeros((0, 4))
        self.speed: "npt.NDArray[Any]" = np.zeros((0, 4))
        self.spread: "npt.NDArray[Any]" = np.zeros((0, 4, 3))  # of place, of both, of speed

    def predict(self, still: "npt.NDArray[np.bool_]") -> None:
        """One frame later; of lost ones, `still` (T,), the height no longer grows."""
        self.speed[still, 3] = 0
        of_place, of_both, of_speed = np.moveaxis(self.spread.copy(), 2, 0)
        self.spread[..., 0] = of_place + 2 * of_both + of_speed + _noise(self.place, _PLACE, _RATIO_PLACE)
        self.spread[..., 1] = of_both + of_speed
        self.spread[..., 2] = of_speed + _noise(self.place, _SPEED, _RATIO_SPEED)
        self.place = self.place + self.speed

    def gate(self, measured: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
        """Squared Mahalanobis distances (T, N) of measured boxes (N, 4)."""
        total = self.spread[..., 0] + _noise(self.place, _PLACE, _RATIO_MEASURED)
        return np.asarray(((measured[None] - self.place[:, None]) ** 2 / total[:, None]).sum(axis=2))

    def correct(self, which: "npt.NDArray[np.int64]", measured: "npt.NDArray[Any]") -> None:
        """The tracks `which` were measured at (n, 4)."""
        of_place, of_both, of_speed = np.moveaxis(self.spread[which], 2, 0)
        total = of_place + _noise(self.place[which], _PLACE, _RATIO_MEASURED)
        gain_place, gain_speed = of_place / total, of_both / total
        off = measured - self.place[which]
        self.place[which] += gain_place * off
        self.speed[which] += gain_speed * off
        self.spread[which] = np.stack([(1 - gain_place) * of_place, (1 - gain_place) * of_both,
                                       of_speed - gain_speed * of_both], axis=2)

    def add(self, measured: "npt.NDArray[Any]") -> None:
        """New tracks at (n, 4)."""
        place, speed = _noise(measured, 2 * _PLACE, _RATIO_PLACE), _noise(measured, 10 * _SPEED, _RATIO_SPEED)
        self.place = np.concatenate([self.place, measured])
        self.speed = np.concatenate([self.speed, np.zeros_like(measured)])
        self.spread = np.concatenate([self.spread, np.stack([place, np.zeros_like(place), speed], axis=2)])

    def keep(self, which: "npt.NDArray[np.bool_]") -> None:
        """Only these stay."""
        self.place, self.speed, self.spread = self.place[which], self.speed[which], self.spread[which]

    @property
    def boxes(self) -> "npt.NDArray[Any]":
        """(T, 4) x0 y0 x1 y1."""
        half = np.stack([self.place[:, 2] * self.place[:, 3], self.place[:, 3]], axis=1) / 2
        return np.concatenate([self.place[:, :2] - half, self.place[:, :2] + half], axis=1)


def measured_of(boxes: "npt.NDArray[np.float32]") -> "npt.NDArray[Any]":
    """(N, 4) x0 y0 x1 y1 as the filter has them."""
    boxes = np.asarray(boxes, np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, sides[:, :1] / sides[:, 1:], sides[:, 1:]], axis=1)


def _noise(place: "npt.NDArray[Any]", of_height: float, of_ratio: float) -> "npt.NDArray[Any]":
    """Variances (T, 4)."""
    spread = np.repeat(of_height * place[:, 3:], 4, axis=1)
    spread[:, 2] = of_ratio
    return np.asarray(spread ** 2)
