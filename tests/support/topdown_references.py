"""The top-down networks written down once more, as plain functions of named tensors."""
import torch
from torch.nn import functional
from torch_references import Tensors

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def run_topdown(name, tensors, image):
    """Outputs of one network by its name, as its authors' code gives them."""
    t = Tensors(tensors)
    kind, _, rest = name.partition("-")
    if kind == "hrnet":
        return (_hrnet(t, image),)
    if kind in ("rtmpose", "rtmw"):
        return _rtm(t, image, kind == "rtmw")
    x = _resnet(t, image, int(next(word for word in rest.split("-") if word.isdigit())))
    if kind == "simplepose":
        for n in (0, 3, 6):
            x = functional.conv_transpose2d(x, tensors[f"deconv_layers.{n}.weight"], None, 2, 1)
            x = torch.relu(t.norm(x, f"deconv_layers.{n + 1}"))
        return (t.conv(x, "final_layer"),)
    if "duc" in name:
        for duc, convolutions in (("duc1", 4), ("duc2", 2), ("duc3", 1)):
            x = functional.pixel_shuffle(x, 2)
            for n in range(convolutions):
                x = torch.relu(t.norm(t.conv(x, f"{duc}.{3 * n + 1}", padding=1), f"{duc}.{3 * n + 2}"))
        return (t.conv(x, "conv_out", padding=1),)
    x = functional.pixel_shuffle(x, 2)
    for duc in ("duc1", "duc2"):
        x = functional.pixel_shuffle(torch.relu(t.norm(t.conv(x, f"{duc}.conv", padding=1), f"{duc}.bn")), 2)
    return (t.conv(x, "conv_out", padding=1),)


def _resnet(t, image, depth, root="preact"):
    x = torch.relu(t.norm(t.conv(image, f"{root}.conv1", 2, 3), f"{root}.bn1"))
    x = functional.max_pool2d(x, 3, 2, 1)
    for layer, count in enumerate(BLOCKS[depth], 1):
        for block in range(count):
            x = _bottleneck(t, x, f"{root}.layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1)
    return x


def _bottleneck(t, x, name, stride):
    y = torch.relu(t.norm(t.conv(x, f"{name}.conv1"), f"{name}.bn1"))
    if f"{name}.conv2_offset.weight" in t.tensors:
        y = deform_conv(y, t.conv(y, f"{name}.conv2_offset", stride, 1), t.tensors[f"{name}.conv2.weight"], stride)
    elif f"{name}.conv2.1.weight" in t.tensors:
        y = t.conv(functional.pixel_unshuffle(y, 2), f"{name}.conv2.1", 1, 1)
    else:
        y = t.conv(y, f"{name}.conv2", stride, 1)
    y = t.norm(t.conv(torch.relu(t.norm(y, f"{name}.bn2")), f"{name}.conv3"), f"{name}.bn3")
    if f"{name}.se.fc.0.weight" in t.tensors:
        w = functional.adaptive_avg_pool2d(y, 1).flatten(1)
        for n, activate in ((0, torch.relu), (2, torch.sigmoid)):
            layer = f"{name}.se.fc.{n}"
            w = activate(functional.linear(w, t.tensors[f"{layer}.weight"], t.tensors[f"{layer}.bias"]))
        y = y * w[:, :, None, None]
    if f"{name}.downsample.0.weight" in t.tensors:
        x = t.norm(t.conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
    return torch.relu(x + y)


def deform_conv(x, offset, weight, stride):
    """Tap by tap and corner by corner; what lies outside is zero."""
    (n, channels, height, width), (rows, columns) = x.shape, offset.shape[2:]
    out = x.new_zeros((n, weight.shape[0], rows, columns))
    for tap in range(9):
        y = torch.arange(rows).reshape(1, -1, 1) * stride + tap // 3 - 1 + offset[:, 2 * tap]
        z = torch.arange(columns).reshape(1, 1, -1) * stride + tap % 3 - 1 + offset[:, 2 * tap + 1]
        sampled = x.new_zeros((n, channels, rows, columns))
        for row, down in ((y.floor(), 1 - (y - y.floor())), (y.floor() + 1, y - y.floor())):
            for column, right in ((z.floor(), 1 - (z - z.floor())), (z.floor() + 1, z - z.floor())):
                inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                place = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long().flatten(1)
                corner = torch.gather(x.flatten(2), 2, place[:, None].expand(-1, channels, -1))
                sampled += corner.reshape(sampled.shape) * (down * right * inside)[:, None]
        out += torch.einsum("nchw,oc->nohw", sampled, weight[:, :, tap // 3, tap % 3])
    return out


def _hrnet(t, image):
    def conv_norm(x, name, stride=1, padding=0):
        return t.norm(t.conv(x, f"{name}.0", stride, padding), f"{name}.1")

    x = image
    for n in (1, 2):
        x = torch.relu(t.norm(t.conv(x, f"conv{n}", 2, 1), f"bn{n}"))
    for n in range(4):
        x = _bottleneck(t, x, f"layer1.{n}", 1)
    maps = [torch.relu(conv_norm(x, "transition1.0", 1, 1)), torch.relu(conv_norm(x, "transition1.1.0", 2, 1))]
    for stage, modules in ((2, 1), (3, 4), (4, 3)):
        if stage > 2:
            maps.append(torch.relu(conv_norm(maps[-1], f"transition{stage - 1}.{stage - 1}.0", 2, 1)))
        for m in range(modules):
            maps = _exchange(t, maps, f"stage{stage}.{m}", conv_norm)
    return t.conv(maps[0], "final_layer")


def _exchange(t, maps, name, conv_norm):
    for b, x in enumerate(maps):
        for n in range(4):
            block = f"{name}.branches.{b}.{n}"
            y = torch.relu(t.norm(t.conv(x, f"{block}.conv1", 1, 1), f"{block}.bn1"))
            x = torch.relu(x + t.norm(t.conv(y, f"{block}.conv2", 1, 1), f"{block}.bn2"))
        maps[b] = x
    fused = []
    for i in range(len(maps)):
        if not any(key.startswith(f"{name}.fuse_layers.{i}.") for key in t.tensors):
            break
        total = 0
        for j, x in enumerate(maps):
            path = f"{name}.fuse_layers.{i}.{j}"
            if j > i:
                x = conv_norm(x, path).repeat_interleave(2 ** (j - i), 2).repeat_interleave(2 ** (j - i), 3)
            for k in range(i - j):
                x = conv_norm(x, f"{path}.{k}", 2, 1)
                x = torch.relu(x) if k < i - j - 1 else x
            total = total + x
        fused.append(torch.relu(total))
    return fused


def _module(t, x, name, stride=1, activate=functional.silu):
    weight = t.tensors[f"{name}.conv.weight"]
    x = t.conv(x, f"{name}.conv", stride, weight.shape[-1] // 2, 1, x.shape[1] // weight.shape[1])
    return activate(t.norm(x, f"{name}.bn"))


def _csp(t, x, name, identity):
    main, short = _module(t, x, f"{name}.main_conv"), _module(t, x, f"{name}.short_conv")
    blocks = {key.split(f"{name}.blocks.")[1].split(".")[0] for key in t.tensors if key.startswith(f"{name}.blocks.")}
    for n in range(len(blocks)):
        block = f"{name}.blocks.{n}"
        y = _module(t, _module(t, main, f"{block}.conv1"), f"{block}.conv2.depthwise_conv")
        y = _module(t, y, f"{block}.conv2.pointwise_conv")
        main = main + y if identity else y
    x = torch.cat((main, short), 1)
    if f"{name}.attention.fc.weight" in t.tensors:
        w = t.conv(functional.adaptive_avg_pool2d(x, 1), f"{name}.attention.fc")
        x = x * ((w + 3) / 6).clamp(0, 1)
    return _module(t, x, f"{name}.final_conv")


def _cspnext(t, image):
    x = image
    for n in range(3):
        x = _module(t, x, f"backbone.stem.{n}", 2 if n == 0 else 1)
    features = []
    for stage in range(1, 5):
        name = f"backbone.stage{stage}"
        x = _module(t, x, f"{name}.0", 2)
        if stage == 4:
            x = _module(t, x, f"{name}.1.conv1")
            pooled = [functional.max_pool2d(x, side, 1, side // 2) for side in (5, 9, 13)]
            x = _module(t, torch.cat((x, *pooled), 1), f"{name}.1.conv2")
        x = _csp(t, x, f"{name}.{2 if stage == 4 else 1}", stage < 4)
        features.append(x)
    return features[1:]


def _pyramid(t, eighth, sixteenth, last):
    def up(x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    high = _module(t, last, "neck.reduce_layers.0")
    middle = _csp(t, torch.cat((up(high), sixteenth), 1), "neck.top_down_blocks.0", False)
    low = _module(t, middle, "neck.reduce_layers.1")
    eighth = _csp(t, torch.cat((up(low), eighth), 1), "neck.top_down_blocks.1", False)
    middle = _csp(t, torch.cat((_module(t, eighth, "neck.downsamples.0", 2), low), 1), "neck.bottom_up_blocks.0", False)
    last = _csp(t, torch.cat((_module(t, middle, "neck.downsamples.1", 2), high), 1), "neck.bottom_up_blocks.1", False)
    return middle, last


def _scale_norm(x, g):
    return x / (x.square().sum(-1, keepdim=True) / x.shape[-1]).sqrt().clamp(min=1e-5) * g


def _tokens(t, x, name):
    return _scale_norm(x.flatten(2), t.tensors[f"{name}.0.g"]) @ t.tensors[f"{name}.1.weight"].T


def _rtm(t, image, pyramid):
    features = _cspnext(t, image)
    if pyramid:
        middle, last = _pyramid(t, *features)
        finer = _module(t, functional.pixel_shuffle(last, 2), "head.conv_dec", 1, torch.relu)
        finer = _module(t, torch.cat((finer, middle), 1), "head.final_layer2", 1, torch.relu)
        coarse = _module(t, last, "head.final_layer", 1, torch.relu)
        tokens = torch.cat((_tokens(t, coarse, "head.mlp"), _tokens(t, finer, "head.mlp2")), 2)
    else:
        tokens = _tokens(t, t.conv(features[-1], "head.final_layer", 1, 3), "head.mlp")
    w = {key[len("head.gau."):]: value for key, value in t.tensors.items() if key.startswith("head.gau.")}
    size = w["gamma"].shape[1]
    uv = functional.silu(_scale_norm(tokens, w["ln.g"]) @ w["uv.weight"].T)
    gate, value, base = uv[..., :512], uv[..., 512:1024], uv[..., 1024:]
    q, k = base * w["gamma"][0] + w["beta"][0], base * w["gamma"][1] + w["beta"][1]
    kernel = torch.relu(torch.einsum("nqs,nks->nqk", q, k) / size ** 0.5) ** 2
    tokens = tokens * w["res_scale.scale"] + (gate * torch.einsum("nqk,nke->nqe", kernel, value)) @ w["o.weight"].T
    return tokens @ t.tensors["head.cls_x.weight"].T, tokens @ t.tensors["head.cls_y.weight"].T
