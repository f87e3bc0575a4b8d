"""lightweight-OpenPose and trt_pose written down once more, as plain functions of named tensors."""
import torch
from torch.nn import functional


class Tensors:
    """Layers by the official name of their tensors."""

    def __init__(self, tensors):
        self.tensors = tensors

    def conv(self, x, name, stride=1, padding=0, dilation=1, groups=1):
        return functional.conv2d(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"), stride, padding,
                                 dilation, groups)

    def up(self, x, name):
        return functional.conv_transpose2d(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"], 2, 1)

    def norm(self, x, name):
        mean, var, weight, bias = (self.tensors[f"{name}.{part}"].reshape(1, -1, 1, 1)
                                   for part in ("running_mean", "running_var", "weight", "bias"))
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias


def run_lightweight(tensors, image, refinements):
    t, relu = Tensors(tensors), torch.relu
    x = relu(t.norm(t.conv(image, "model.0.0", 2, 1), "model.0.1"))
    for n in range(1, 12):
        channels, dilation = x.shape[1], 2 if n == 7 else 1
        x = t.conv(x, f"model.{n}.0", 2 if n in (2, 4) else 1, dilation, dilation, channels)
        x = relu(t.norm(x, f"model.{n}.1"))
        x = relu(t.norm(t.conv(x, f"model.{n}.3"), f"model.{n}.4"))
    aligned = side = relu(t.conv(x, "cpm.align.0"))
    for n in range(3):
        side = functional.elu(t.conv(side, f"cpm.trunk.{n}.0", 1, 1, 1, 128))
        side = functional.elu(t.conv(side, f"cpm.trunk.{n}.2"))
    features = x = relu(t.conv(aligned + side, "cpm.conv.0", padding=1))

    def heads(x, stage):
        return tuple(t.conv(relu(t.conv(x, f"{stage}.{what}.0.0")), f"{stage}.{what}.1.0")
                     for what in ("heatmaps", "pafs"))

    for n in range(3):
        x = relu(t.conv(x, f"initial_stage.trunk.{n}.0", padding=1))
    maps = heads(x, "initial_stage")
    for r in range(refinements):
        x = torch.cat((features, *maps), 1)
        for b in range(5):
            block = f"refinement_stages.{r}.trunk.{b}"
            start = y = relu(t.conv(x, f"{block}.initial.0"))
            for n, d in ((0, 1), (1, 2)):
                y = relu(t.norm(t.conv(y, f"{block}.trunk.{n}.0", 1, d, d), f"{block}.trunk.{n}.1"))
            x = start + y
        maps = heads(x, f"refinement_stages.{r}")
    return torch.cat(maps, 1)


def _resnet18(t, image):
    x = torch.relu(t.norm(t.conv(image, "0.resnet.conv1", 2, 3), "0.resnet.bn1"))
    x = functional.max_pool2d(x, 3, 2, 1)
    for layer in range(1, 5):
        for block in range(2):
            name, stride = f"0.resnet.layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = torch.relu(t.norm(t.conv(x, f"{name}.conv1", stride, 1), f"{name}.bn1"))
            y = t.norm(t.conv(y, f"{name}.conv2", 1, 1), f"{name}.bn2")
            if stride == 2:
                x = t.norm(t.conv(x, f"{name}.downsample.0", 2), f"{name}.downsample.1")
            x = torch.relu(x + y)
    return x


def _densenet121(t, image):
    root = "0.densenet.features"
    x = torch.relu(t.norm(t.conv(image, f"{root}.conv0", 2, 3), f"{root}.norm0"))
    x = functional.max_pool2d(x, 3, 2, 1)
    for n, count in enumerate((6, 12, 24, 16), 1):
        for i in range(1, count + 1):
            layer = f"{root}.denseblock{n}.denselayer{i}"
            y = t.conv(torch.relu(t.norm(x, f"{layer}.norm1")), f"{layer}.conv1")
            x = torch.cat((x, t.conv(torch.relu(t.norm(y, f"{layer}.norm2")), f"{layer}.conv2", padding=1)), 1)
        if n < 4:
            x = t.conv(torch.relu(t.norm(x, f"{root}.transition{n}.norm")), f"{root}.transition{n}.conv")
            x = functional.avg_pool2d(x, 2)
    return t.norm(x, f"{root}.norm5")


def run_trt_pose(tensors, image):
    t = Tensors(tensors)
    features = _densenet121(t, image) if "0.densenet.features.conv0.weight" in tensors else _resnet18(t, image)
    maps = []
    for what, gate in (("cmap", torch.sigmoid), ("paf", torch.tanh)):
        x = features
        for n in (0, 3, 6):
            x = torch.relu(t.norm(t.up(x, f"1.{what}_up.{n}"), f"1.{what}_up.{n + 1}"))
        maps.append(t.conv(x * gate(t.conv(x, f"1.{what}_att", padding=1)), f"1.{what}_conv"))
    return torch.cat(maps, 1)
