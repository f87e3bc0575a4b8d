"""HRNet (Sun et al. 2019): branches of halving resolution side by side, which exchange what they know."""
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wholebody.export.networks.bottleneck import Bottleneck
from wholebody.export.networks.resnet import BasicBlock

_MODULES = (1, 4, 3)  # of stages 2, 3 and 4, which have 2, 3 and 4 branches
BLOCKS = 4
STEM = 64
FIRST = 256           # channels that the first layer gives


def conv_norm(channels: int, width: int, kernel: int, stride: int = 1, relu: bool = True) -> "nn.Sequential":
    """A convolution that keeps the size at stride 1, normalised."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
                               nn.BatchNorm2d(width)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


class _Exchange(nn.Module):
    """One module: each branch through its blocks, then every output as the sum of all branches at its resolution."""

    def __init__(self, widths: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width, 1) for _ in range(BLOCKS))) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(self._path(widths, j, i) for j in range(len(widths))) for i in range(outputs))
        self.relu = nn.ReLU()

    @staticmethod
    def _path(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
        """How one branch reaches another's channels; going up, `forward` enlarges what this gives."""
        if source == target:
            return nn.Identity()
        if source > target:
            return conv_norm(widths[source], widths[target], 1, relu=False)
        steps = target - source
        return nn.Sequential(*(
            conv_norm(widths[source], widths[target] if last else widths[source], 3, 2, relu=not last)
            for last in (n == steps - 1 for n in range(steps))))

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        """As many maps as the module has outputs."""
        branches = [branch(x) for branch, x in zip(self.branches, inputs)]
        outputs = []
        for i, paths in enumerate(self.fuse_layers):
            assert isinstance(paths, nn.ModuleList)
            total: Tensor | None = None
            for j, (path, x) in enumerate(zip(paths, branches)):
                y = path(x)
                if j > i:
                    y = interpolate(y, scale_factor=float(2 ** (j - i)), mode="nearest")
                total = y if total is None else total + y
            outputs.append(self.relu(total))
        return outputs


class Branches(nn.Module):
    """Stages 2 to 4, for networks that begin and end in ways of their own."""

    def _add_stages(self, width: int, all_outputs: bool = False) -> None:
        """Gives the module its stages; the last gives its finest branch, or all four of them."""
        widths = branch_widths(width)
        for n, modules in enumerate(_MODULES, 2):
            self.add_module(f"stage{n}", nn.Sequential(*(
                _Exchange(widths[:n], 1 if n == len(widths) and m == modules - 1 and not all_outputs else n)
                for m in range(modules))))
            if n < len(widths):  # the next stage's new branch starts from the last one here
                kept = [nn.Identity() for _ in range(n)]
                self.add_module(f"transition{n}", nn.ModuleList(
                    (*kept, nn.Sequential(conv_norm(widths[n - 1], widths[n], 3, 2)))))

    def _through_stages(self, maps: list[Tensor]) -> list[Tensor]:
        """From the two branches of stage 2 to what stage 4 gives."""
        for n in range(2, len(_MODULES) + 2):
            maps = self.get_submodule(f"stage{n}")(maps)
            if n <= len(_MODULES):
                maps = [*maps, self.get_submodule(f"transition{n}.{n}")(maps[-1])]
        return maps


class HRNet(Branches):
    """Pictures (N, 3, H, W), sides multiples of 32, to heat maps (N, K, H/4, W/4)."""

    def __init__(self, width: int, keypoints: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.conv2 = nn.Conv2d(STEM, STEM, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(STEM)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(*(Bottleneck(FIRST if n else STEM, STEM) for n in range(BLOCKS)))
        self.transition1 = first_transition(width)
        self._add_stages(width)
        self.final_layer = nn.Conv2d(width, keypoints, 1)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Heat maps."""
        x = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(image))))))
        x = self.layer1(x)
        maps = self._through_stages([path(x) for path in self.transition1])
        return (self.final_layer(maps[0]),)


def branch_widths(width: int) -> tuple[int, ...]:
    """Channels of the four branches, from the finest on.

    >>> branch_widths(18)
    (18, 36, 72, 144)
    """
    return tuple(width * 2 ** n for n in range(len(_MODULES) + 1))


def first_transition(width: int) -> nn.ModuleList:
    """From the first layer to the two branches of stage 2."""
    fine, coarse = branch_widths(width)[:2]
    return nn.ModuleList((conv_norm(FIRST, fine, 3), nn.Sequential(conv_norm(FIRST, coarse, 3, 2))))
