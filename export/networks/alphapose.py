"""AlphaPose's networks: a ResNet, and heads that bring its features up to a quarter of the picture."""
from torch import Tensor, nn

from wholebody.export.networks.bottleneck import PLAIN, ResNet

_DECONV_WIDTH = 256


class _Duc(nn.Module):
    """Dense upsampling: a convolution to four times the channels, which PixelShuffle lays out as pixels."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.pixel_shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pixel_shuffle(self.relu(self.bn(self.conv(x))))
        return out


class FastPose(nn.Module):
    """Pictures (N, 3, H, W) to maps (N, K, H/4, W/4): a PixelShuffle and two DUCs. "suffle1" is the authors' name."""

    def __init__(self, depth: int, keypoints: int, width: int = 128, kind: str = PLAIN) -> None:
        super().__init__()
        self.preact = ResNet(depth, squeeze=True, kind=kind)
        self.suffle1 = nn.PixelShuffle(2)
        self.duc1 = _Duc(512, 1024)
        self.duc2 = _Duc(256, width * 4)
        self.conv_out = nn.Conv2d(width, keypoints, 3, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Heat maps, or logits of what is integrated."""
        return (self.heads(self.preact(image)),)

    def heads(self, features: Tensor) -> Tensor:
        """The same from the features of the ResNet."""
        maps: Tensor = self.conv_out(self.duc2(self.duc1(self.suffle1(features))))
        return maps


def _long_duc(widths: tuple[int, ...]) -> "nn.Sequential":
    layers: list[nn.Module] = [nn.PixelShuffle(2)]
    for channels, width in zip(widths, widths[1:]):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers)


class FastPoseDuc(nn.Module):
    """Pictures (N, 3, H, W) to maps (N, K, H/4, W/4) through three longer DUCs."""

    def __init__(self, depth: int, keypoints: int, kind: str = PLAIN) -> None:
        super().__init__()
        self.preact = ResNet(depth, squeeze=True, kind=kind)
        self.duc1 = _long_duc((512, 512, 512, 512, 1024))
        self.duc2 = _long_duc((256, 256, 512))
        self.duc3 = _long_duc((128, 256))
        self.conv_out = nn.Conv2d(256, keypoints, 3, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Heat maps."""
        return (self.conv_out(self.duc3(self.duc2(self.duc1(self.preact(image))))),)


class SimplePose(nn.Module):
    """Pictures (N, 3, H, W) to heat maps (N, K, H/4, W/4): a ResNet and three transposed convolutions."""

    def __init__(self, depth: int, keypoints: int) -> None:
        super().__init__()
        self.preact = ResNet(depth)
        layers: list[nn.Module] = []
        for channels in (ResNet.channels, _DECONV_WIDTH, _DECONV_WIDTH):
            layers += [nn.ConvTranspose2d(channels, _DECONV_WIDTH, 4, 2, 1, bias=False),
                       nn.BatchNorm2d(_DECONV_WIDTH), nn.ReLU()]
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = nn.Conv2d(_DECONV_WIDTH, keypoints, 1)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Heat maps."""
        return (self.final_layer(self.deconv_layers(self.preact(image))),)
