"""OpenPose of 2017 with its 7x7 stages: two branches for the body, one for face and hand."""
import torch
from torch import Tensor, nn

from wholebody.export.networks.layers import LINEAR, RELU, Row, chain
from wholebody.export.networks.vgg import body_front, part_front

_FEATURES = 128


def _first_rows(branch: str, out: int) -> tuple[Row, ...]:
    return (*(Row(f"conv5_{n}_CPM_{branch}", 128) for n in (1, 2, 3)),
            Row(f"conv5_4_CPM_{branch}", 512, 1), Row(f"conv5_5_CPM_{branch}", out, 1, LINEAR))


def _later_rows(suffix: str, out: int) -> tuple[Row, ...]:
    return (*(Row(f"Mconv{n}_{suffix}", 128, 7) for n in range(1, 6)),
            Row(f"Mconv6_{suffix}", 128, 1), Row(f"Mconv7_{suffix}", out, 1, LINEAR))


class TwoBranches(nn.Module):
    """COCO and MPI. Branch L1 gives PAFs, L2 heat maps; both read [PAFs, heat maps, features] of the stage before."""

    def __init__(self, pafs: int, heatmaps: int, stages: int) -> None:
        super().__init__()
        self.front = body_front(RELU)
        self.paf_stages, self.heatmap_stages = nn.ModuleList(), nn.ModuleList()
        for branch, out, into in (("L1", pafs, self.paf_stages), ("L2", heatmaps, self.heatmap_stages)):
            into.append(chain(_first_rows(branch, out), _FEATURES))
            for t in range(2, stages + 1):
                into.append(chain(_later_rows(f"stage{t}_{branch}", out), pafs + heatmaps + _FEATURES))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Heat maps and PAFs (N, C, H/8, W/8) of pictures (N, 3, H, W)."""
        features = self.front(image)
        known = features
        for paf_stage, heatmap_stage in zip(self.paf_stages, self.heatmap_stages):
            pafs, heatmaps = paf_stage(known), heatmap_stage(known)
            known = torch.cat((pafs, heatmaps, features), 1)
        return heatmaps, pafs


class OneBranch(nn.Module):
    """Face and hand: six stages of heat maps, the last channel is the background."""

    def __init__(self, heatmaps: int) -> None:
        super().__init__()
        self.front = part_front()
        self.stages = nn.ModuleList([chain((Row("conv6_1_CPM", 512, 1), Row("conv6_2_CPM", heatmaps, 1, LINEAR)),
                                           _FEATURES)])
        for t in range(2, 7):
            self.stages.append(chain(_later_rows(f"stage{t}", heatmaps), heatmaps + _FEATURES))

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Heat maps (N, C, H/8, W/8) of pictures (N, 3, H, W)."""
        features = self.front(image)
        known = features
        for stage in self.stages:
            heatmaps = stage(known)
            known = torch.cat((heatmaps, features), 1)
        return (heatmaps,)
