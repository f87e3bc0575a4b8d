"""ResNet-18 without its classifier, tensors named as torchvision's."""
from torch import Tensor, nn

_LAYERS = ((64, 1), (128, 2), (256, 2), (512, 2))  # width, stride; two blocks each


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a way around them."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu(y + self.downsample(x))
        return out


class ResNet18(nn.Module):
    """Features (N, 512, H/32, W/32)."""

    channels = 512

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for n, (width, stride) in enumerate(_LAYERS, 1):
            self.add_module(f"layer{n}", nn.Sequential(BasicBlock(channels, width, stride),
                                                       BasicBlock(width, width, 1)))
            channels = width

    def forward(self, image: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        for n in range(1, len(_LAYERS) + 1):
            x = self.get_submodule(f"layer{n}")(x)
        features: Tensor = x
        return features
