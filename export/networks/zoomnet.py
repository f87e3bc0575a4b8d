"""ZoomNet (Jin et al. 2020): body, face and hands by one network, which zooms in where its own maps say they are.

Neither code nor weights were published. The paper says: an input of 288x384; FeatureNet, two convolutions that halve
and a bottleneck, gives F1 (half) and F2 (a quarter); BodyNet, HRNet-W32 on F2, gives 38 maps: 23 points of body and
feet, four corners and the centre of three boxes; a box is the closest to its corners; RoIAlign cuts 64x64 cells out of
F1 and 32x32 out of F2; FaceHead and HandHead, HRNetV2p-W18, give maps of 64x64. Where it is silent this was chosen:

- F1 has 64 channels (the first convolution's), F2 256 (the bottleneck's), as HRNet's own stem has.
- BodyNet is HRNet from its first layer of four bottlenecks on: the whole then costs nearest to the paper's 27.36 G.
- A map's peak is its highest cell, by the highest of columns and rows, so that no index is beyond what FP16 holds.
- A box is the one nearest to its five peaks in the sense of least squares, at least 8 pixels wide and high.
  It is looked at 1.25 times as large, as people's boxes are, so that points at its border have room.
- RoIAlign takes 2 x 2 samples a cell and half-pixel coordinates. Boxes need not be square.
- In the heads the two crops are HRNet's first two branches, which have just these sizes; all four branches, enlarged
  to 64x64 and joined as in HRNetV2, give the maps.
- One HandHead sees both hands as they are: features of a mirrored picture are not the mirrored features.
"""
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wholebody.export.networks.bottleneck import Bottleneck
from wholebody.export.networks.hrnet import BLOCKS, FIRST, STEM, Branches, branch_widths, conv_norm, first_transition
from wholebody.export.networks.roi_align import RoIAlign

BODY, FACE, HAND = 23, 68, 21  # keypoints
PARTS = 3                      # boxes: face, left hand, right hand
_PEAKS = 5                     # of a box: corners top left, top right, bottom right, bottom left, and its centre
_BODY_WIDTH, _PART_WIDTH = 32, 18
_FINE, _COARSE = 64, 32        # cells of the crops out of F1 and F2
_LEAST = 8.0                   # input pixels that a box is wide and high
_PADDING = 1.25
# Least squares: a side lies at the mean of its two corners, moved by a fifth of how far all corners' centre is off.
_NEAR, _FAR, _CENTRE = 0.45, -0.05, 0.2


class FeatureNet(nn.Module):
    """Pictures (N, 3, H, W) to F1 (N, 64, H/2, W/2) and F2 (N, 256, H/4, W/4)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = conv_norm(3, STEM, 3, 2)
        self.conv2 = conv_norm(STEM, STEM, 3, 2)
        self.bottleneck = Bottleneck(STEM, STEM)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """F1 and F2."""
        fine = self.conv1(image)
        return fine, self.bottleneck(self.conv2(fine))


class BodyNet(Branches):
    """F2 to maps of body, feet and boxes (N, 38, H/4, W/4): HRNet without its first two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(*(Bottleneck(FIRST, STEM) for _ in range(BLOCKS)))
        self.transition1 = first_transition(_BODY_WIDTH)
        self._add_stages(_BODY_WIDTH)
        self.final_layer = nn.Conv2d(_BODY_WIDTH, BODY + PARTS * _PEAKS, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Heat maps."""
        x = self.layer1(features)
        maps: Tensor = self.final_layer(self._through_stages([path(x) for path in self.transition1])[0])
        return maps


class PartHead(Branches):
    """What a part looks like in F1 (M, 64, 64, 64) and in F2 (M, 256, 32, 32) to its maps (M, K, 64, 64)."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        widths = branch_widths(_PART_WIDTH)
        self.transition1 = nn.ModuleList((conv_norm(STEM, widths[0], 3), conv_norm(FIRST, widths[1], 3)))
        self._add_stages(_PART_WIDTH, all_outputs=True)
        self.join = conv_norm(sum(widths), sum(widths), 1)
        self.final_layer = nn.Conv2d(sum(widths), keypoints, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Heat maps."""
        branches = self._through_stages([self.transition1[0](fine), self.transition1[1](coarse)])
        same = [branches[0], *(interpolate(x, scale_factor=float(2 ** n), mode="bilinear", align_corners=False)
                               for n, x in enumerate(branches[1:], 1))]
        maps: Tensor = self.final_layer(self.join(torch.cat(same, 1)))
        return maps


class ZoomNet(nn.Module):
    """Pictures (N, 3, H, W), sides multiples of 32, to maps of body and feet, of the parts, and the parts' boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.feature_net = FeatureNet()
        self.body_net = BodyNet()
        self.fine, self.coarse = RoIAlign(_FINE, 2), RoIAlign(_COARSE, 4)
        self.face_head = PartHead(FACE)
        self.hand_head = PartHead(HAND)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps (N, 23, H/4, W/4), of the face (N, 68, 64, 64), of left and right hand (N, 42, 64, 64); boxes (N, 3, 4).

        Boxes are x0, y0, x1, y1 in pixels of the input, whose first pixel's centre is 0.5; a part's maps cover its box.
        """
        fine, coarse = self.feature_net(image)
        maps = self.body_net(coarse)
        boxes = boxes_of(maps[:, BODY:])
        face, hands = boxes[:, :1], boxes[:, 1:]
        face_maps = self.face_head(self.fine(fine, face), self.coarse(coarse, face))
        hand_maps = self.hand_head(self.fine(fine, hands), self.coarse(coarse, hands))
        return maps[:, :BODY], face_maps, hand_maps.reshape(-1, 2 * HAND, _FINE, _FINE), boxes


def boxes_of(maps: Tensor) -> Tensor:
    """Maps of corners and centres (N, 15, H/4, W/4) to boxes (N, 3, 4), as they are looked at."""
    x = _highest(maps.amax(2)).reshape(-1, PARTS, _PEAKS)
    y = _highest(maps.amax(3)).reshape(-1, PARTS, _PEAKS)
    left, right = _two_sides(x[:, :, 0] + x[:, :, 3], x[:, :, 1] + x[:, :, 2], x[:, :, 4])
    top, bottom = _two_sides(y[:, :, 0] + y[:, :, 1], y[:, :, 2] + y[:, :, 3], y[:, :, 4])
    return torch.stack((left, top, right, bottom), 2)


def _highest(values: Tensor) -> Tensor:
    """Of each row of values the place of the highest, in pixels of the input."""
    return 4 * values.argmax(2).to(values.dtype) + 0.5


def _two_sides(first: Tensor, last: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """A box along one axis, from the sums of both of its corners on either side and from its centre."""
    one = _NEAR * first + _FAR * last + _CENTRE * centre
    other = _NEAR * last + _FAR * first + _CENTRE * centre
    middle = (one + other) / 2
    reach = ((other - one).abs() / 2).clamp(min=_LEAST / 2) * _PADDING
    return middle - reach, middle + reach
