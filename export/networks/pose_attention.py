"""Pose-guided attention: what somebody looks like where their keypoints are. AlphaPose's paper describes it.

From the paper: a map of where to look is made of the pose network's heat maps, the features are weighted by it, what
they were is added, and a fully connected layer gives 128 numbers. Its released code and weights do not have it, so the
rest is chosen here: features are those of FastPose's ResNet-50 (2048 channels at a thirty-second); the map is a 1x1
convolution from all heat maps to as many, a ReLU, their mean, averaged down to the features' cells and made a softmax
over cells times their number, so that looking everywhere equally weights by 1.
"""
import torch
from torch import Tensor, nn

from wholebody.export.networks.alphapose import FastPose

EMBEDDING = 128
_FEATURES, _CELLS = 2048, 8  # channels of the last features, and cells of a map for one of theirs


class PoseAttention(nn.Module):
    """Features (N, C, h, w) and heat maps (N, K, 8h, 8w) to the features of what the pose covers."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(keypoints, keypoints, 1)

    def forward(self, features: Tensor, heatmaps: Tensor) -> Tensor:
        where = torch.relu(self.conv(heatmaps)).mean(dim=1, keepdim=True)
        where = nn.functional.avg_pool2d(where, _CELLS)
        cells = where.flatten(1)
        share = torch.softmax(cells, dim=1) * cells.shape[1]
        return features * share.reshape(where.shape) + features


class PoseGuidedLooks(nn.Module):
    """Pictures of people (N, 3, H, W) to what they look like (N, 128), guided by a FastPose inside."""

    def __init__(self, keypoints: int = 17) -> None:
        super().__init__()
        self.pose = FastPose(50, keypoints)
        self.attention = PoseAttention(keypoints)
        self.fc = nn.Linear(_FEATURES, EMBEDDING)

    def forward(self, picture: Tensor) -> tuple[Tensor]:
        """One row a person."""
        features = self.pose.preact(picture)
        seen = self.attention(features, self.pose.heads(features))
        return (self.fc(nn.functional.adaptive_avg_pool2d(seen, 1).flatten(1)),)
