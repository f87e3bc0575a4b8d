"""A top-down network's outputs to points of its input, by the heads of its card."""
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Tuple

import numpy as np

from wholebody.card import Head, ModelCard, input_size
from wholebody.errors import CardError
from wholebody.runtime.topdown.backend import Backend
from wholebody.runtime.topdown.flipping import Flip, unflipped_bins, unflipped_maps, unflipped_points
from wholebody.runtime.topdown.in_boxes import mean_of_found, placed, unmirrored

if TYPE_CHECKING:
    import numpy.typing as npt

    Outputs = Dict[str, npt.NDArray[np.float32]]
    Points = npt.NDArray[np.float32]

KINDS = ("heatmap", "integral", "simcc", "regression")


class PointHeads:
    """Finds the keypoints of all people of a batch; `flipped` are the outputs for the mirrored inputs."""

    def __init__(self, card: ModelCard, backend: Backend) -> None:
        if card.skeleton is None:
            raise CardError("%s: a network for one person needs a skeleton in its card" % card.name)
        self.card, self.skeleton, self._backend = card, card.skeleton, backend
        self._heads = [head for head in card.heads if head.kind in KINDS]
        points = len(self.skeleton.keypoints)
        covered = sorted(k for head in self._heads for k in range(*_range(head, points)))
        if covered != list(range(points)):
            raise CardError("%s: its heads give keypoints %s; %s has %d, each of them once"
                            % (card.name, _listed(covered), self.skeleton.name, points))
        self.tells_scores = all(self.has_score(head) for head in self._heads)
        self.integrated = any(head.kind == "integral" for head in self._heads)
        self.udp = any(head.format == "udp" for head in self._heads)

    def __call__(self, outputs: "Outputs", people: int, flipped: "Optional[Outputs]" = None) -> "Points":
        """(N, K, 3): x and y as parts of the crop's extent, and scores; 0, 0, 0 for what was not found."""
        points = len(self.skeleton.keypoints)
        found = np.zeros((people, points, 3), np.float32)
        for head in self._heads:
            first, end = _range(head, points)
            found[:, first:end] = self._decoders[head.kind](self, head, Flip.of(self.skeleton, first, end),
                                                            outputs, flipped)
        if flipped is not None and any(head.in_boxes for head in self._heads):
            self._average_in_boxes(found, flipped)
        return found

    def _average_in_boxes(self, found: "Points", flipped: "Outputs") -> None:
        """A mirrored person's boxes are not the person's own: points are averaged, not maps."""
        points = len(self.skeleton.keypoints)
        mirrored, ranges = np.zeros_like(found), [(head, _range(head, points)) for head in self._heads if head.in_boxes]
        for head, (first, end) in ranges:
            mirrored[:, first:end] = self._in_boxes(head, flipped)
        width, _ = self._size
        turned = unmirrored(mirrored, Flip.of(self.skeleton, 0, points), (width - 1) / (width - self._less))
        for _, (first, end) in ranges:
            found[:, first:end] = mean_of_found(found[:, first:end], turned[:, first:end])

    @property
    def _less(self) -> int:
        """By how much a crop's extent is less than its pixels: with UDP it ends at their centres."""
        return 1 if self.udp else 0

    @property
    def _size(self) -> Tuple[int, int]:
        """Width and height of the input."""
        if self.card.input.size is None:
            raise CardError("%s: maps within boxes need a fixed input: export it with --size WxH" % self.card.name)
        return self.card.input.size[1], self.card.input.size[0]

    def _in_boxes(self, head: Head, outputs: "Outputs") -> "Points":
        maps, boxes = self._take(head, "heatmaps", outputs, 4), self._take(head, "boxes", outputs, 3)
        found = self._backend.peaks(maps, head.format or "none")
        points = placed(found, boxes[:, 0], (maps.shape[3], maps.shape[2]))
        return _parts(points, (self._size[0] - self._less, self._size[1] - self._less))

    def _heatmap(self, head: Head, flip: Flip, outputs: "Outputs", flipped: "Optional[Outputs]") -> "Points":
        if head.in_boxes:
            return self._in_boxes(head, outputs)
        maps = self._take(head, "heatmaps", outputs, 4)
        if flipped is not None:
            maps = _mean(maps, unflipped_maps(self._take(head, "heatmaps", flipped, 4), flip, not self.udp))
        if head.format == "bicubic":
            sides = (maps.shape[3] * head.stride, maps.shape[2] * head.stride)
            return _parts(self._backend.enlarged_peaks(maps, head.stride), sides)
        found = self._backend.peaks(maps, head.format or "none")
        less = 1 if head.format == "udp" else 0
        return _parts(found, (maps.shape[3] - less, maps.shape[2] - less))

    def _integral(self, head: Head, flip: Flip, outputs: "Outputs", flipped: "Optional[Outputs]") -> "Points":
        maps = self._take(head, "heatmaps", outputs, 4)
        found = self._backend.integrals(maps)
        if flipped is not None:
            mirrored = unflipped_maps(self._take(head, "heatmaps", flipped, 4), flip, True)
            found = _mean(found, self._backend.integrals(mirrored))
        return _parts(found, (maps.shape[3], maps.shape[2]))

    def _simcc(self, head: Head, flip: Flip, outputs: "Outputs", flipped: "Optional[Outputs]") -> "Points":
        across, down = (self._take(head, role, outputs, 3) for role in ("simcc_x", "simcc_y"))
        if flipped is not None:
            across = _mean(across, unflipped_bins(self._take(head, "simcc_x", flipped, 3), flip))
            down = _mean(down, unflipped_points(self._take(head, "simcc_y", flipped, 3), flip))
        split = head.split or 2.0
        return _parts(self._backend.simcc(across, down, split), (across.shape[2] / split, down.shape[2] / split))

    def _regression(self, head: Head, flip: Flip, outputs: "Outputs", flipped: "Optional[Outputs]") -> "Points":
        found = self._regressed(head, outputs)
        if flipped is None:
            return found
        other = unflipped_points(self._regressed(head, flipped), flip)
        other[..., 0] = 1 - 1 / np.float32(input_size(self.card.input)[0]) - other[..., 0]
        return _mean(found, other)

    def _regressed(self, head: Head, outputs: "Outputs") -> "Points":
        """x and y as parts of the input, and the score that the network has for all of a person's points, or 1."""
        first, end = _range(head, len(self.skeleton.keypoints))
        size, values = (1, 1), 2
        if head.format == "xyz-pixels":
            size, values = input_size(self.card.input), 3
        array = self._output(head, "keypoints", outputs)
        if array[0].size != (end - first) * values:
            raise CardError("%s: keypoints: expected %d of %s, %d numbers each, got %s; the card does not fit"
                            % (self.card.name, end - first, self.skeleton.name, values, array.shape))
        found = np.ones((len(array), end - first, 3), np.float32)
        found[..., :2] = array.reshape(len(array), end - first, values)[..., :2] / np.array(size, np.float32)
        if self.has_score(head):
            found[..., 2] = self._output(head, "score", outputs).reshape(len(array), -1)[:, :1]
        return found

    @staticmethod
    def has_score(head: Head) -> bool:
        """Whether the network itself says how sure it is; all but some that regress points do."""
        return head.kind != "regression" or "score" in dict(head.outputs)

    _decoders: "Dict[str, Callable[..., Points]]" = {"heatmap": _heatmap, "integral": _integral, "simcc": _simcc,
                                                     "regression": _regression}

    def _take(self, head: Head, role: str, outputs: "Outputs", dims: int) -> "npt.NDArray[np.float32]":
        ref, array = head.output(role), self._output(head, role, outputs)
        if array.ndim == 4 and head.layout == "NHWC":
            array = array.transpose(0, 3, 1, 2)
        if ref.channels is not None and array.ndim == dims:
            array = array[:, ref.channels[0]:ref.channels[1]]
        first, end = _range(head, len(self.skeleton.keypoints))
        if role == "boxes":
            if array.ndim != dims or array.shape[1:] != (1, 4):
                raise CardError("%s: boxes: expected one of 4 numbers for a head, got %s; the card does not fit"
                                % (self.card.name, array.shape))
        elif array.ndim != dims or array.shape[1] != end - first:
            raise CardError("%s: %s: expected %d keypoints of %s in %d dimensions, got %s; the card does not fit"
                            % (self.card.name, role, end - first, self.skeleton.name, dims, array.shape))
        return np.asarray(array, np.float32)

    def _output(self, head: Head, role: str, outputs: "Outputs") -> "npt.NDArray[np.float32]":
        name = head.output(role).output
        if name not in outputs:
            raise CardError("%s: the card reads %s from output %r; the network has: %s"
                            % (self.card.name, role, name, ", ".join(outputs)))
        return outputs[name]


def _range(head: Head, points: int) -> Tuple[int, int]:
    return head.keypoints or (0, points)


def _mean(one: "Points", other: "Points") -> "Points":
    return np.asarray((one + other) / np.float32(2), np.float32)


def _parts(found: "Points", sides: Tuple[float, float]) -> "Points":
    return np.asarray(found / np.array([max(sides[0], 1), max(sides[1], 1), 1], np.float32), np.float32)


def _listed(numbers: List[int]) -> str:
    return "%d to %d (%d of them)" % (numbers[0], numbers[-1], len(numbers)) if numbers else "none"
