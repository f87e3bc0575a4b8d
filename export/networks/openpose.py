"""OpenPose since BODY_25: stages of dense blocks, first for the PAFs, then for the heat maps."""
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wholebody.export.networks.dense import DenseStage, dense_stage
from wholebody.export.networks.vgg import FRONTS


class Table(NamedTuple):
    """A whole network."""

    front: str
    paf_stages: tuple[DenseStage, ...]
    heatmap_stages: tuple[DenseStage, ...]


BODY_25 = Table("prelu", (
    DenseStage("stage0_L2", 5, 96, 256, 52),
    DenseStage("stage1_L2", 5, 128, 512, 52),
    DenseStage("stage2_L2", 5, 128, 512, 52),
    DenseStage("stage3_L2", 5, 128, 512, 52)), (
    DenseStage("stage0_L1", 5, 96, 256, 26),
    DenseStage("stage1_L1", 5, 128, 512, 26)))
BODY_25B_OPTION_1 = Table("super", (
    DenseStage("stage0_L2", 9, 256, 512, 72),), (
    DenseStage("stage0_L1", 9, 192, 512, 25),))
BODY_25B_OPTION_2 = Table("prelu", (
    DenseStage("stage0_L2", 5, 64, 256, 72),
    DenseStage("stage1_L2", 5, 128, 256, 72),
    DenseStage("stage2_L2", 5, 128, 512, 72),
    DenseStage("stage3_L2", 5, 128, 512, 72),
    DenseStage("stage4_L2", 5, 128, 512, 72)), (
    DenseStage("stage0_L1", 5, 128, 512, 25),))
BODY_135 = Table("prelu", (
    DenseStage("stage0_L2", 8, 128, 256, 304),
    DenseStage("stage1_L2", 8, 128, 512, 304),
    DenseStage("stage2_L2", 8, 128, 512, 304),
    DenseStage("stage3_L2", 8, 256, 512, 304)), (
    DenseStage("stage0_L1", 5, 256, 512, 135),))


class OpenPose(nn.Module):
    """Each PAF stage reads the features and the PAFs before; each heat-map stage also the heat maps before."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        build_front, features = FRONTS[table.front]
        self.front = build_front()
        self.paf_stages, self.heatmap_stages = nn.ModuleDict(), nn.ModuleDict()
        channels = features
        for stage in table.paf_stages:
            self.paf_stages[stage.name] = dense_stage(stage, channels)
            channels = features + stage.out
        pafs = channels
        for stage in table.heatmap_stages:
            self.heatmap_stages[stage.name] = dense_stage(stage, channels)
            channels = pafs + stage.out

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Heat maps and PAFs (N, C, H/8, W/8) of pictures (N, 3, H, W)."""
        features = self.front(image)
        known = features
        for stage in self.paf_stages.values():
            pafs = stage(known)
            known = torch.cat((features, pafs), 1)
        for stage in self.heatmap_stages.values():
            heatmaps = stage(known)
            known = torch.cat((features, heatmaps, pafs), 1)
        return heatmaps, pafs
