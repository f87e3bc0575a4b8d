"""Where tracked people will be: a Kalman filter of constant velocity over centre and size, for all of them at once."""
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

# Shares of a person's height: how far a measured centre is off, and by how much a speed changes in a second.
MEASURED, CHANGES = 1 / 20.0, 1.5
_SPEEDS = np.array([1.0, 1.0, 0.0])  # a size that changes says little of the next one: arms go up and down
_UNKNOWN_SPEED = 1.0  # heights a second, of somebody new
_FADES = 0.5          # seconds in which the speed of somebody who is not seen goes down to a third


class Motion:
    """State of T people: (T, 3) centre x, centre y and height, their speeds, and how sure each is (2x2 a value)."""

    def __init__(self) -> None:
        self.place: "npt.NDArray[Any]" = np.zeros((0, 3))
        self.speed: "npt.NDArray[Any]" = np.zeros((0, 3))
        self.spread: "npt.NDArray[Any]" = np.zeros((0, 3, 3))  # of place, of both, of speed

    def predict(self, seconds: "npt.NDArray[Any]", unseen: "npt.NDArray[Any]") -> None:
        """Everybody so many seconds later (T,); those who were not seen the last time (T,) slow down."""
        dt = seconds[:, None]
        self.place += self.speed * dt
        self.speed[unseen] *= np.exp(-dt[unseen] / _FADES)
        of_place, of_both, of_speed = np.moveaxis(self.spread.copy(), 2, 0)
        # White acceleration, Bar-Shalom, Li and Kirubarajan 2001, section 6.2.2.
        noise = (CHANGES * np.maximum(self.place[:, 2:], 1)) ** 2
        self.spread[..., 0] = of_place + 2 * dt * of_both + dt * dt * of_speed + noise * dt ** 3 / 3
        self.spread[..., 1] = of_both + dt * of_speed + noise * dt ** 2 / 2
        self.spread[..., 2] = of_speed + noise * dt

    def correct(self, which: "npt.NDArray[Any]", measured: "npt.NDArray[Any]") -> None:
        """The people `which` were seen at (n, 3)."""
        noise = (MEASURED * np.maximum(measured[:, 2:], 1)) ** 2
        of_place, of_both, of_speed = np.moveaxis(self.spread[which], 2, 0)
        total = of_place + noise
        gain_place, gain_speed = of_place / total, of_both / total
        off = measured - self.place[which]
        self.place[which] += gain_place * off
        self.speed[which] += gain_speed * off * _SPEEDS
        self.spread[which] = np.stack([(1 - gain_place) * of_place, (1 - gain_place) * of_both,
                                       of_speed - gain_speed * of_both], axis=2)

    def add(self, measured: "npt.NDArray[Any]") -> None:
        """New people at (n, 3); how they move is not known."""
        noise = (MEASURED * np.maximum(measured[:, 2:], 1)) ** 2 + np.zeros((len(measured), 3))
        speed = (_UNKNOWN_SPEED * np.maximum(measured[:, 2:], 1)) ** 2 + np.zeros((len(measured), 3))
        self.place = np.concatenate([self.place, measured])
        self.speed = np.concatenate([self.speed, np.zeros((len(measured), 3))])
        self.spread = np.concatenate([self.spread, np.stack([noise, np.zeros_like(noise), speed], axis=2)])

    def keep(self, which: "npt.NDArray[Any]") -> None:
        """Only these stay."""
        self.place, self.speed, self.spread = self.place[which], self.speed[which], self.spread[which]


def measured_of(boxes: "npt.NDArray[np.float32]") -> "npt.NDArray[Any]":
    """(N, 4) boxes to centre x, centre y and the square root of their area, which limbs move less than the height."""
    boxes = np.asarray(boxes, np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([centre, np.sqrt(sides[:, :1] * sides[:, 1:])], axis=1)
