"""Checkpoints in the official layouts, with random weights from a seed."""
import struct

import numpy as np
import torch
from layer_tables import read_table, table_shapes

from wholebody.export.networks.architecture import official_shapes
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.protobuf import encode_bytes, encode_varint


def random_tensors(shapes, seed=7):
    """Weights that keep a signal's size through many layers, slopes about 0.25, batch-norms about the identity.

    Bottlenecks add little to what goes around them, and offsets of deformable convolutions are less than a pixel: else
    deep networks multiply every rounding.
    """
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in shapes.items():
        noise = rng.standard_normal(shape, np.float32)
        if len(shape) > 1:
            gain = 0.02 if "offset" in name else 2
            tensors[name] = noise * np.float32(np.sqrt(gain / np.prod(shape[1:])))
        elif name.endswith((".bias", ".running_mean")):
            tensors[name] = noise * np.float32(0.1)
        else:
            little = name.endswith(("bn3.weight", "pointwise_conv.bn.weight"))
            about = 0.25 if "prelu" in name else 0.2 if little else 1.0
            tensors[name] = np.float32(about) * (1 + np.float32(0.2) * noise.clip(-3, 3))
    return tensors


def official_tensors(name, seed=7, variant=None):
    """Everything an official file of one architecture holds, by official name.

    Of a top-down network for other keypoints and widths, `variant` has the shapes that say so.
    """
    if ARCHITECTURES[name].family == "caffe":
        return random_tensors(table_shapes(read_table(name)), seed)
    if variant:
        return random_tensors(official_shapes(ARCHITECTURES[name].of_shapes(variant)), seed)
    shapes = dict(official_shapes(ARCHITECTURES[name]))
    classifier = {"trt-pose-resnet18": ("0.resnet.fc", 512), "trt-pose-densenet121": ("0.densenet.classifier", 1024)}
    if name in classifier:
        layer, channels = classifier[name]
        shapes.update({f"{layer}.weight": (1000, channels), f"{layer}.bias": (1000,)})
    return random_tensors(shapes, seed)


def rtm_shapes(name, keypoints, size):
    """Shapes in a file of RTMPose or RTMW that tell its keypoints and the size of its input."""
    final = "head.final_layer.conv.weight" if name.startswith("rtmw") else "head.final_layer.weight"
    hidden = 128 if name.startswith("rtmw") else 256
    return {final: (keypoints, 768, 7, 7), "head.cls_x.weight": (2 * size[1], 256),
            "head.cls_y.weight": (2 * size[0], 256), "head.mlp.1.weight": (hidden, size[0] * size[1] // 1024)}


def as_torch(tensors):
    """torch tensors on the same memory, with the counters that batch-norms carry."""
    state = {name: torch.from_numpy(array) for name, array in tensors.items()}
    state.update({name.replace("running_var", "num_batches_tracked"): torch.tensor(3)
                  for name in tensors if name.endswith("running_var")})
    return state


def write_official(folder, name, tensors):
    """The file the authors of an architecture give, as they give it."""
    family = ARCHITECTURES[name].family
    if family == "caffe":
        path = folder / "pose_iter_1.caffemodel"
        write_caffemodel(path, tensors)
        return path
    path = folder / ("checkpoint_iter_370000.pth" if family == "lightweight" else "epoch_249.pth")
    state = as_torch(tensors)
    if name.startswith("rtm"):
        torch.save({"meta": {"mmpose_version": "1.0.0"}, "state_dict": state}, path)
        return path
    torch.save({"state_dict": state, "optimizer": {"state": {}}, "iter": 370000} if family == "lightweight" else state,
               path)
    return path


def layers_of(tensors):
    """Caffe's layers: name -> blobs."""
    layers = {}
    for name, array in tensors.items():
        layers.setdefault(name.rsplit(".", 1)[0], []).append(array)
    return layers


def write_caffemodel(path, tensors, **how):
    """A NetParameter with a data layer, which has no blobs, in front; written layer by layer."""
    with open(path, "wb") as file:
        file.write(encode_bytes(1, b"a net"))
        file.write(layer_bytes("image", [], "Input", **how))
        for name, blobs in layers_of(tensors).items():
            file.write(layer_bytes(name, blobs, "PReLU" if "prelu" in name else "Convolution", **how))


def layer_bytes(name, blobs, kind="Convolution", form="layer", **how):
    """One LayerParameter, or V1LayerParameter (form="layers"), as a field of the net."""
    encoded = [blob_bytes(blob, **how) for blob in blobs]
    if form == "layer":
        head = encode_bytes(1, name.encode()) + encode_bytes(2, kind.encode()) + encode_bytes(3, b"in")
        return encode_bytes(100, head + b"".join(encode_bytes(7, blob) for blob in encoded))
    head = encode_bytes(2, b"in") + encode_bytes(4, name.encode()) + encode_varint(5 << 3) + encode_varint(4)
    return encode_bytes(2, head + b"".join(encode_bytes(6, blob) for blob in encoded))


def blob_bytes(array, dims="shape", data="packed"):
    """One BlobProto.

    dims: shape, unpacked, legacy. data: packed, unpacked, double, both (zeros as floats, the values as doubles).
    """
    shape = array.shape
    if dims == "legacy":
        shape = (1,) * (4 - len(shape)) + shape
        encoded = b"".join(encode_varint(n << 3) + encode_varint(dim) for n, dim in enumerate(shape, 1))
    elif dims == "unpacked":
        encoded = encode_bytes(7, b"".join(encode_varint(1 << 3) + encode_varint(dim) for dim in shape))
    else:
        encoded = encode_bytes(7, encode_bytes(1, b"".join(encode_varint(dim) for dim in shape)))
    if data == "unpacked":
        tag = encode_varint(5 << 3 | 5)
        return encoded + b"".join(tag + struct.pack("<f", value) for value in array.ravel())
    if data == "packed":
        return encoded + encode_bytes(5, array.astype("<f4").tobytes())
    wrong = encode_bytes(5, bytes(array.size * 4)) if data == "both" else b""
    return encoded + wrong + encode_bytes(8, array.astype("<f8").tobytes())


def write_keras(path, tensors, whole_model=False):
    """The well-known port's model.h5: HWIO kernels, stage 1 under other names, layers without weights among them."""
    import h5py
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        root.create_group("lambda_1").attrs["weight_names"] = []
        for layer, (kernel, bias) in layers_of(tensors).items():
            name = layer
            if layer.startswith("conv5_"):
                _, k, _, branch = layer.split("_")
                name = f"Mconv{k}_stage1_{branch}"
            group = root.create_group(name).create_group(name)
            group["kernel:0"], group["bias:0"] = kernel.transpose(2, 3, 1, 0), bias
        if whole_model:
            file.create_group("optimizer_weights").create_group("SGD")["kernel:0"] = np.zeros(3, np.float32)
