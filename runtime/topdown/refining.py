"""The place of a peak finer than by cells: AlphaPose's quarter, DARK, and DARK as UDP has it."""
import math
from typing import TYPE_CHECKING, List

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_BLUR, _SIGMA = 5, 2.0  # a kernel of 11, and what OpenCV takes for it
_NEAR = 2               # cells around the peak that are looked at
_TINY = 1.1920929e-07


def refined(maps: "npt.NDArray[np.float32]", x: "npt.NDArray[np.int64]", y: "npt.NDArray[np.int64]",
            refine: str) -> "npt.NDArray[np.float64]":
    """Finite maps (N, C, h, w) and the cells (N, C) of their peaks -> places (N, C, 2)."""
    places = np.stack([x, y], axis=2).astype(np.float64)
    if refine == "none":
        return places
    height, width = maps.shape[2:]
    if refine == "quarter":
        inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
        return np.asarray(places + 0.25 * np.stack(_steps(maps, x, y), axis=2) * inside[..., None], np.float64)
    if refine == "dark":
        inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
        return places + np.where(inside[..., None], _dark(_log_around(maps, x, y, 1e-10, 3e38, False)), 0)
    return places + _udp(_log_around(maps, x, y, 1e-3, 50.0, True))


def _steps(maps: "npt.NDArray[np.float32]", x: "npt.NDArray[np.int64]",
           y: "npt.NDArray[np.int64]") -> "List[npt.NDArray[np.float32]]":
    height, width = maps.shape[2:]
    n, c = np.ogrid[:maps.shape[0], :maps.shape[1]]
    right, left = maps[n, c, y, np.minimum(x + 1, width - 1)], maps[n, c, y, np.maximum(x - 1, 0)]
    below, above = maps[n, c, np.minimum(y + 1, height - 1), x], maps[n, c, np.maximum(y - 1, 0), x]
    return [np.sign(right - left), np.sign(below - above)]


def _log_around(maps: "npt.NDArray[np.float32]", x: "npt.NDArray[np.int64]", y: "npt.NDArray[np.int64]", least: float,
                most: float, repeat_edge: bool) -> "npt.NDArray[np.float64]":
    """The logarithm of the blurred map around each peak (N, C, 5, 5).

    mmpose scales the blurred map to its old maximum first; a factor has no part in a logarithm's derivatives.
    """
    height, width = maps.shape[2:]
    reach = _NEAR + _BLUR
    padded = np.pad(maps, ((0, 0), (0, 0), (2 * reach, 2 * reach), (2 * reach, 2 * reach)), mode="constant")
    offsets = np.arange(-_NEAR, _NEAR + 1)
    xs, ys = x[..., None] + offsets, y[..., None] + offsets
    if repeat_edge:
        xs, ys = np.clip(xs, 0, width - 1), np.clip(ys, 0, height - 1)
    taps = np.arange(-_BLUR, _BLUR + 1)
    weights = np.exp(-taps ** 2 / (2 * _SIGMA ** 2))
    weights = (weights / weights.sum()).astype(np.float32)
    n, c = np.ogrid[:maps.shape[0], :maps.shape[1]]
    rows = (ys[..., :, None] + taps)[:, :, :, :, None, None] + 2 * reach       # (N, C, 5, 11, 1, 1)
    columns = (xs[..., :, None] + taps)[:, :, None, None, :, :] + 2 * reach    # (N, C, 1, 1, 5, 11)
    patches = padded[n[..., None, None, None, None], c[..., None, None, None, None], rows, columns]
    blurred = np.einsum("ncjrik,r,k->ncji", patches, weights, weights)
    return np.asarray(np.log(np.clip(blurred, least, most).astype(np.float64)))


def _dark(l: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":  # noqa: E741 - as the paper has it
    l = np.moveaxis(l, (2, 3), (0, 1))  # noqa: E741
    return _to_the_top(0.5 * (l[2, 3] - l[2, 1]), 0.5 * (l[3, 2] - l[1, 2]), 0.25 * (l[2, 4] - 2 * l[2, 2] + l[2, 0]),
                       0.25 * (l[3, 3] - l[1, 3] - l[3, 1] + l[1, 1]), 0.25 * (l[4, 2] - 2 * l[2, 2] + l[0, 2]))


def _udp(l: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":  # noqa: E741
    l = np.moveaxis(l, (2, 3), (0, 1))  # noqa: E741
    mixed = 0.5 * (l[3, 3] - l[2, 3] - l[3, 2] + 2 * l[2, 2] - l[2, 1] - l[1, 2] + l[1, 1])
    return _to_the_top(0.5 * (l[2, 3] - l[2, 1]), 0.5 * (l[3, 2] - l[1, 2]), l[2, 3] - 2 * l[2, 2] + l[2, 1] + _TINY,
                       mixed, l[3, 2] - 2 * l[2, 2] + l[1, 2] + _TINY)


def _to_the_top(dx: "npt.NDArray[np.float64]", dy: "npt.NDArray[np.float64]", dxx: "npt.NDArray[np.float64]",
                dxy: "npt.NDArray[np.float64]", dyy: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """One step of Newton's to the top of each parabola; none where it has no top."""
    det = dxx * dyy - dxy * dxy
    safe = np.where(det == 0, math.inf, det)
    step = np.stack([-(dyy * dx - dxy * dy) / safe, -(dxx * dy - dxy * dx) / safe], axis=2)
    return np.where((np.abs(step) < 1e6).all(axis=2, keepdims=True), step, 0)
