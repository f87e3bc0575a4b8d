"""What is known of one network: how it is built, what it delivers, which card fits it, what its file's tensors say."""
import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from wholebody.export.networks.layers import official_name

CAFFE, LIGHTWEIGHT, TRT_POSE, OWN = "caffe", "lightweight", "trt_pose", "own"  # whose names the tensors carry
TOP_DOWN = "top-down"
LOOKS = "looks"            # one person's picture in, a row of numbers out
MAPS, SIMCC = "maps", "simcc"  # what a top-down network delivers
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """One network. `build()` gives it with weights of torch's own choice.

    A top-down network comes for many sets of keypoints, and some in several widths and sizes: `likely` says of a
    file's tensors whether they may be this network, `variant` reads the rest from the shapes.
    """

    name: str
    build: Callable[[], nn.Module]
    skeleton: str                          # "" where no known one has so many keypoints
    channels: tuple[tuple[str, int], ...]  # maps in the official output's order, which is that of our outputs
    preset: str                            # the card that fits it
    default_input: tuple[int, int]         # height, width
    family: str = CAFFE
    stride: int = 8                        # of its maps; 0 where it has none
    unused: tuple[str, ...] = ()           # patterns of tensors that official files hold and this network does not
    opset: int = 13                        # the least that has all of its operators
    one_size: bool = False                 # takes no input but default_input
    renamed: tuple[tuple[str, str], ...] = ()  # beginnings of names in other people's files, and what is meant
    renamed_preset: str = ""               # the card that fits those files
    likely: Callable[[Shapes], bool] | None = None
    variant: Callable[["Architecture", Shapes], "Architecture"] | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what `forward` returns, in its order."""
        return tuple(name for name, _ in self.channels)

    @property
    def official_channels(self) -> dict[str, tuple[int, int]]:
        """Where in the official network's one output (`net_output`) each of ours lies, half-open."""
        ranges, first = {}, 0
        for name, count in self.channels:
            ranges[name] = (first, first + count)
            first += count
        return ranges

    @property
    def keypoints(self) -> int:
        """Of a top-down network: how many it finds."""
        return self.channels[0][1]

    def official_name(self, tensor: str) -> str:
        """What official files call one of our tensors."""
        return official_name(tensor) if self.family == CAFFE else tensor

    def meant_name(self, tensor: str) -> str:
        """The official name of a tensor in a file, which may be another project's.

        >>> Architecture("", nn.Identity, "", (), "", (1, 1), renamed=(("backbone.", ""),)).meant_name("backbone.conv1")
        'conv1'
        """
        for theirs, ours in self.renamed:
            if tensor.startswith(theirs):
                return ours + tensor[len(theirs):]
        return tensor

    def of_shapes(self, shapes: Shapes) -> "Architecture":
        """The variant that these tensors, by official name, are of."""
        return self if self.variant is None else self.variant(self, shapes)


def with_build(architecture: Architecture, keypoints: int, build: Callable[[], nn.Module], skeleton: str,
               size: tuple[int, int] | None = None) -> Architecture:
    """A top-down network for other keypoints, or of another size."""
    return dataclasses.replace(
        architecture, build=build, skeleton=skeleton, default_input=size or architecture.default_input,
        channels=tuple((name, keypoints) for name, _ in architecture.channels))


def meta_network(architecture: Architecture) -> nn.Module:
    """The network without memory for its weights, in evaluation mode."""
    with torch.device("meta"):
        return architecture.build().eval()


@functools.lru_cache(maxsize=128)
def official_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Official name and shape of each tensor a checkpoint must hold, in the network's order."""
    return {architecture.official_name(key): tuple(tensor.shape)
            for key, tensor in meta_network(architecture).state_dict().items()
            if not key.endswith(".num_batches_tracked")}
