"""trt_pose: a ResNet or DenseNet, and a head that upsamples to a quarter and weighs its features by attention."""
from collections import OrderedDict

import torch
from torch import Tensor, nn

from wholebody.export.networks import densenet
from wholebody.export.networks.resnet import ResNet18

HEATMAPS, PAFS = 18, 42
_WIDTH = 256


def _upsample(channels: int) -> "nn.Sequential":
    layers: list[nn.Module] = []
    for n in range(3):
        layers += [nn.ConvTranspose2d(_WIDTH if n else channels, _WIDTH, 4, 2, 1), nn.BatchNorm2d(_WIDTH), nn.ReLU()]
    return nn.Sequential(*layers)


class AttentionHead(nn.Module):
    """Heat maps ("cmap") and PAFs, each from its own upsampled features times their attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cmap_up, self.paf_up = _upsample(channels), _upsample(channels)
        self.cmap_att, self.paf_att = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1), nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)
        self.cmap_conv, self.paf_conv = nn.Conv2d(_WIDTH, HEATMAPS, 1), nn.Conv2d(_WIDTH, PAFS, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Heat maps and PAFs (N, C, H/4, W/4) of features (N, channels, H/32, W/32)."""
        cmap, paf = self.cmap_up(features), self.paf_up(features)
        return (self.cmap_conv(cmap * torch.sigmoid(self.cmap_att(cmap))),
                self.paf_conv(paf * torch.tanh(self.paf_att(paf))))


def trt_pose_resnet18() -> "nn.Sequential":
    """resnet18_baseline_att: pictures (N, 3, H, W) to heat maps and PAFs (N, C, H/4, W/4)."""
    return nn.Sequential(nn.Sequential(OrderedDict(resnet=ResNet18())), AttentionHead(ResNet18.channels))


def trt_pose_densenet121() -> "nn.Sequential":
    """densenet121_baseline_att: pictures (N, 3, H, W) to heat maps and PAFs (N, C, H/4, W/4)."""
    backbone = nn.Sequential(OrderedDict(densenet=nn.Sequential(OrderedDict(features=densenet.densenet121()))))
    return nn.Sequential(backbone, AttentionHead(densenet.CHANNELS))
