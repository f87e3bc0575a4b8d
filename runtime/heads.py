"""Network outputs to the maps that the card says they are, checked once for each shape."""
from typing import TYPE_CHECKING, Dict, NamedTuple, Set, Tuple

import numpy as np

from wholebody.card import Head, ModelCard
from wholebody.errors import CardError
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt


class PafMaps(NamedTuple):
    """What a PAF network says of one picture; views into the engine's outputs."""

    heatmaps: "npt.NDArray[np.float32]"  # (C, h, w)
    pafs: "npt.NDArray[np.float32]"      # (2L, h, w)


class PafHead:
    """Cuts one network's outputs into heat maps and part-affinity fields."""

    def __init__(self, card: ModelCard) -> None:
        if card.skeleton is None:
            raise CardError("%s: a paf head needs a skeleton in the card" % card.name)
        if not card.skeleton.paf_pairs:
            raise CardError("%s: a paf head needs a skeleton with `paf.pairs`; %s has no limbs"
                            % (card.name, card.skeleton.name))
        self.card = card
        self.skeleton: Skeleton = card.skeleton
        self.head: Head = card.head("paf")
        self._checked: Set[Tuple[Tuple[int, ...], Tuple[int, ...], int, int]] = set()

    def __call__(self, outputs: "Dict[str, npt.NDArray[np.float32]]", net_width: int, net_height: int,
                 index: int = 0) -> PafMaps:
        """Maps of one picture of the batch."""
        maps = PafMaps(self._take("heatmaps", outputs, index), self._take("pafs", outputs, index))
        key = (maps.heatmaps.shape, maps.pafs.shape, net_width, net_height)
        if key not in self._checked:
            self._check(maps, net_width, net_height)
            self._checked.add(key)
        return maps

    def _take(self, role: str, outputs: "Dict[str, npt.NDArray[np.float32]]",
              index: int) -> "npt.NDArray[np.float32]":
        ref = self.head.output(role)
        if ref.output not in outputs:
            raise CardError("%s: the card reads %s from output %r; the network has: %s"
                            % (self.card.name, role, ref.output, ", ".join(outputs)))
        array = outputs[ref.output]
        if array.ndim != 4:
            raise CardError("%s: output %r: expected 4 dimensions (%s), got shape %s"
                            % (self.card.name, ref.output, self.head.layout, array.shape))
        maps = channels_first(array[index], self.head.layout)
        return maps if ref.channels is None else maps[ref.channels[0]:ref.channels[1]]

    def _check(self, maps: PafMaps, net_width: int, net_height: int) -> None:
        points, limbs = len(self.skeleton.keypoints), self.skeleton.paf_channel_count
        sides = (net_height // self.head.stride, net_width // self.head.stride)
        expected = {"heatmaps": (self.skeleton.heatmap_channels, points), "pafs": (limbs, limbs)}
        for role, array in zip(("heatmaps", "pafs"), maps):
            if array.shape[0] not in expected[role] or array.shape[1:] != sides:
                raise CardError("%s: %s: expected (%d, %d, %d) for %s at stride %d and input %dx%d, got %s; "
                                "the card does not fit this network"
                                % ((self.card.name, role, expected[role][0]) + sides
                                   + (self.skeleton.name, self.head.stride, net_width, net_height, array.shape)))


def channels_first(array: "npt.NDArray[np.float32]", layout: str) -> "npt.NDArray[np.float32]":
    """One picture's tensor seen as (channels, height, width), whatever its layout; a view."""
    return array if layout == "NCHW" else array.transpose(2, 0, 1)
