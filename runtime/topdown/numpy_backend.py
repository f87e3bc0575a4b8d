"""The arithmetic of top-down networks in NumPy: twin of the native code, and what runs where that is not built."""
from typing import TYPE_CHECKING, Any, Tuple

import numpy as np

from wholebody.card import InputSpec
from wholebody.runtime.heads import channels_first
from wholebody.runtime.paf.scoring import finite
from wholebody.runtime.paf.upsample import bicubic_taps, upsample
from wholebody.runtime.topdown.backend import KERNEL, Backend, channel_values
from wholebody.runtime.topdown.refining import refined

if TYPE_CHECKING:
    import numpy.typing as npt


class NumpyBackend(Backend):
    """Holds nothing."""

    def peaks(self, maps: "npt.NDArray[np.float32]", refine: str) -> "npt.NDArray[np.float32]":
        """(N, C, h, w) -> (N, C, 3): x, y in cells, highest value; zeros where no value is above 0."""
        people, channels, height, width = maps.shape
        known = np.where(np.isfinite(maps), maps, np.float32(0))
        flat = known.reshape(people, channels, height * width)
        at = flat.argmax(axis=2)
        score = np.maximum(np.take_along_axis(flat, at[..., None], axis=2)[..., 0], 0)
        x, y = at % width, at // width
        places = refined(known, x, y, refine)
        found = np.concatenate([places, score[..., None]], axis=2).astype(np.float32)
        found[score <= 0] = 0
        return found

    def enlarged_peaks(self, maps: "npt.NDArray[np.float32]", factor: int) -> "npt.NDArray[np.float32]":
        """(N, C, h, w) -> (N, C, 3): the highest pixel of maps enlarged by a whole factor, OpenPose's bicubic way."""
        people, channels, height, width = maps.shape
        found = np.zeros((people * channels, 3), np.float32)
        taps = bicubic_taps(factor, KERNEL)
        for place, one in zip(found, maps.reshape(-1, height, width)):
            full = upsample(finite(one), taps)
            at = int(full.argmax())
            if full.flat[at] > 0:
                place[:] = at % full.shape[1], at // full.shape[1], full.flat[at]
        return found.reshape(people, channels, 3)

    def integrals(self, maps: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
        """(N, C, h, w) logits -> (N, C, 3): mean place of their sigmoid in cells, highest sigmoid."""
        finite = np.isfinite(maps)
        weights = np.where(finite, 1 / (1 + np.exp(-np.clip(np.where(finite, maps, 0), -87, 87))), 0)
        total = weights.sum(axis=(2, 3), dtype=np.float64)
        some = np.where(total > 0, total, 1)
        x = (weights.sum(axis=2, dtype=np.float64) * np.arange(maps.shape[3])).sum(axis=2) / some
        y = (weights.sum(axis=3, dtype=np.float64) * np.arange(maps.shape[2])).sum(axis=2) / some
        top = weights.max(axis=(2, 3), initial=0)
        return np.stack([x, y, top], axis=2).astype(np.float32)

    def simcc(self, along_x: "npt.NDArray[np.float32]", along_y: "npt.NDArray[np.float32]",
              split: float) -> "npt.NDArray[np.float32]":
        """(N, K, W * split) and (N, K, H * split) -> (N, K, 3): x, y in input pixels, lower of the highest values."""
        x, top_x = _highest(along_x)
        y, top_y = _highest(along_y)
        score = np.minimum(top_x, top_y)
        places = np.stack([x, y], axis=2).astype(np.float32) / np.float32(split)
        found = np.concatenate([places, score[..., None]], axis=2).astype(np.float32)
        found[score <= 0] = 0
        return found

    def crops(self, picture: "npt.NDArray[np.uint8]", matrices: "npt.NDArray[np.float32]", spec: InputSpec,
              out: "npt.NDArray[Any]") -> None:
        """Fill `out` (N, 3, h, w) or (N, h, w, 3) with the picture at matrix * (x, y, 1); bilinear, black outside."""
        channel, gain, bias = channel_values(spec)
        for matrix, one in zip(matrices, out):
            planes = channels_first(one, spec.layout)
            levels = _sampled(picture, matrix, planes.shape[2], planes.shape[1])
            for c in range(3):
                planes[channel[c]] = levels[..., c] if spec.dtype == "uint8" else levels[..., c] * gain[c] + bias[c]

    def nms(self, boxes_xyxy: "npt.NDArray[np.float32]", most: float) -> "npt.NDArray[np.bool_]":
        """Which of the boxes, best first, are not overlapped by a better one that stays."""
        count = len(boxes_xyxy)
        keep = np.ones(count, bool)
        size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
        area = size[:, 0] * size[:, 1]
        for i in range(count):
            if not keep[i]:
                continue
            rest = boxes_xyxy[i + 1:]
            inner = np.minimum(boxes_xyxy[i, 2:], rest[:, 2:]) - np.maximum(boxes_xyxy[i, :2], rest[:, :2])
            both = np.where((inner > 0).all(axis=1), inner[:, 0] * inner[:, 1], np.float32(0))
            with np.errstate(invalid="ignore", divide="ignore"):
                keep[i + 1:] &= ~((both / (area[i] + area[i + 1:] - both) > np.float32(most)) & (both > 0))
        return keep


def _highest(values: "npt.NDArray[np.float32]") -> "Tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]":
    known = np.where(np.isfinite(values), values, np.float32(0))
    at = known.argmax(axis=2)
    return at, np.take_along_axis(known, at[..., None], axis=2)[..., 0]


def _sampled(picture: "npt.NDArray[np.uint8]", matrix: "npt.NDArray[np.float32]", width: int,
             height: int) -> "npt.NDArray[np.float32]":
    """Grey levels (height, width, 3), whole numbers."""
    m = np.asarray(matrix, np.float32)
    x, y = np.arange(width, dtype=np.float32)[None, :], np.arange(height, dtype=np.float32)[:, None]
    columns, across = _taps(m[0, 0] * x + m[0, 1] * y + m[0, 2], picture.shape[1])
    rows, down = _taps(m[1, 0] * x + m[1, 1] * y + m[1, 2], picture.shape[0])
    sums = [picture[rows[0], columns[i]] * down[0][..., None] + picture[rows[1], columns[i]] * down[1][..., None]
            for i in range(2)]
    return np.asarray(np.rint(sums[0] * across[0][..., None] + sums[1] * across[1][..., None]), np.float32)


def _taps(position: "npt.NDArray[np.float32]",
          size: int) -> "Tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]":
    """Two pixels each (2, h, w), and their weights; outside the picture weighs nothing."""
    inside = (position > -1) & (position < size)
    place = np.where(inside, position, np.float32(0))
    base = np.floor(place)
    t = place - base
    first = base.astype(np.int64)
    weights = np.stack([np.where(first >= 0, 1 - t, np.float32(0)), np.where(first + 1 < size, t, np.float32(0))])
    indices = np.clip(np.stack([first, first + 1]), 0, size - 1)
    return indices, (weights * inside).astype(np.float32)
