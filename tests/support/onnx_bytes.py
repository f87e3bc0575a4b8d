"""Small ONNX files made by hand, for the device side, where the onnx package is not installed.

Field numbers are those of onnx.proto. IR 7, opset 13.
"""
import struct

from wholebody.protobuf import encode_bytes, encode_varint

FLOAT, INT64 = 1, 7


def number(field, value):
    """One varint field."""
    return encode_varint(field << 3) + encode_varint(int(value))


def text(field, value):
    return encode_bytes(field, value.encode())


def value_info(name, shape, dtype=FLOAT):
    """An input or output; a dimension is a size or the name of a dynamic one."""
    dims = b"".join(encode_bytes(1, number(1, d) if isinstance(d, int) else text(2, d)) for d in shape)
    return text(1, name) + encode_bytes(2, encode_bytes(1, number(1, dtype) + encode_bytes(2, dims)))


def weights(name, shape, values):
    """A float32 initializer."""
    return (b"".join(number(1, d) for d in shape) + number(2, FLOAT) + text(8, name)
            + encode_bytes(9, struct.pack("<%df" % len(values), *values)))


def ints(name, values):
    return text(1, name) + b"".join(number(8, v) for v in values) + number(20, 7)


def node(operator, inputs, outputs, *attributes):
    return (b"".join(text(1, i) for i in inputs) + b"".join(text(2, o) for o in outputs) + text(4, operator)
            + b"".join(encode_bytes(5, a) for a in attributes))


def model(nodes, initializers, inputs, outputs, metadata=(), types=None):
    """The whole file; inputs and outputs are (name, shape), float32 unless `types` says otherwise."""
    types = types or {}
    graph = (b"".join(encode_bytes(1, n) for n in nodes) + text(2, "g")
             + b"".join(encode_bytes(5, i) for i in initializers)
             + b"".join(encode_bytes(11, value_info(*i)) for i in inputs)
             + b"".join(encode_bytes(12, value_info(*o, dtype=types.get(o[0], FLOAT))) for o in outputs))
    entries = b"".join(encode_bytes(14, text(1, k) + text(2, v)) for k, v in metadata)
    return number(1, 7) + encode_bytes(8, text(1, "") + number(2, 13)) + encode_bytes(7, graph) + entries


def paf_net(heatmaps=19, pafs=38, stride=8, size=("H", "W"), metadata=()):
    """A network that averages each stride x stride block of the picture: map c = blue + c."""
    channels = heatmaps + pafs
    share = 1.0 / stride ** 2
    kernel = []
    for _ in range(channels):
        kernel += [share] * stride ** 2 + [0.0] * (2 * stride ** 2)
    bias = [float(c) for c in range(channels)]
    sides = [stride, stride]
    conv = node("Conv", ["image", "w", "b"], ["all"], ints("kernel_shape", sides), ints("strides", sides))
    split = node("Split", ["all", "parts"], ["heatmaps", "pafs"],
                 text(1, "axis") + number(3, 1) + number(20, 2))
    parts = number(1, 2) + number(2, INT64) + text(8, "parts") + encode_bytes(9, struct.pack("<2q", heatmaps, pafs))
    return model([conv, split], [weights("w", (channels, 3, stride, stride), kernel), weights("b", (channels,), bias),
                                 parts],
                 [("image", ("N", 3) + tuple(size))],
                 [("heatmaps", ("N", heatmaps, "h", "w")), ("pafs", ("N", pafs, "h", "w"))], metadata)


STICK_CARD = """{"name": "stick",
 "skeleton": {"name": "STICK", "keypoints": ["left_shoulder", "left_elbow", "left_wrist"],
              "paf": {"pairs": [[0, 1], [1, 2]]}},
 "input": {"name": "image", "scale": 0.00392156862745098, "height": 64, "multiple": 8},
 "heads": [{"kind": "paf", "stride": 8,
            "outputs": {"heatmaps": {"output": "heatmaps"}, "pafs": {"output": "pafs"}}}]}"""


def stick_net(metadata=()):
    """Finds blue, green and red dots that stand one below the other: heat maps are colours, fields point down."""
    kernel, blocks = [], 64
    for channel in range(7):
        for color in range(3):
            kernel += [1.0 / blocks if channel == color else 0.0] * blocks
    conv = node("Conv", ["image", "w", "b"], ["all"], ints("kernel_shape", [8, 8]), ints("strides", [8, 8]))
    split = node("Split", ["all", "parts"], ["heatmaps", "pafs"], text(1, "axis") + number(3, 1) + number(20, 2))
    parts = number(1, 2) + number(2, INT64) + text(8, "parts") + encode_bytes(9, struct.pack("<2q", 3, 4))
    bias = weights("b", (7,), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    return model([conv, split], [weights("w", (7, 3, 8, 8), kernel), bias, parts],
                 [("image", ("N", 3, "H", "W"))], [("heatmaps", ("N", 3, "h", "w")), ("pafs", ("N", 4, "h", "w"))],
                 metadata)


def wild_stick_net(metadata=(), gains=(100.0, 1.0, 0.01)):
    """stick_net behind a convolution that makes one colour huge and one tiny, which is undone after it."""
    diagonal = [gain if row == column else 0.0 for row, gain in enumerate(gains) for column in range(3)]
    kernel, blocks = [], 64
    for channel in range(7):
        for color in range(3):
            kernel += [1.0 / blocks / gains[color] if channel == color else 0.0] * blocks
    nodes = [node("Conv", ["image", "d"], ["wild"], ints("kernel_shape", [1, 1])),
             node("Conv", ["wild", "w", "b"], ["all"], ints("kernel_shape", [8, 8]), ints("strides", [8, 8])),
             node("Split", ["all", "parts"], ["heatmaps", "pafs"], text(1, "axis") + number(3, 1) + number(20, 2))]
    parts = number(1, 2) + number(2, INT64) + text(8, "parts") + encode_bytes(9, struct.pack("<2q", 3, 4))
    return model(nodes, [weights("d", (3, 3, 1, 1), diagonal), weights("w", (7, 3, 8, 8), kernel),
                         weights("b", (7,), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]), parts],
                 [("image", ("N", 3, "H", "W"))], [("heatmaps", ("N", 3, "h", "w")), ("pafs", ("N", 4, "h", "w"))],
                 metadata)


def integers(name, values):
    """An int64 initializer."""
    return (number(1, len(values)) + number(2, INT64) + text(8, name)
            + encode_bytes(9, struct.pack("<%dq" % len(values), *values)))


def zeros(name, shape):
    """A float32 initializer of nothing but zeros."""
    count = 1
    for dim in shape:
        count *= dim
    return weights(name, shape, [0.0] * count)


def word(name, value):
    """A text attribute."""
    return text(1, name) + encode_bytes(4, value.encode()) + number(20, 3)


def signed(name, value):
    """A number attribute, negative ones as protobuf writes them."""
    return text(1, name) + number(3, value % (1 << 64)) + number(20, 2)


def colour_net(size=(32, 16), limit="N", metadata=()):
    """The mean colour of a crop as its embedding (N, 3)."""
    return model([node("GlobalAveragePool", ["crop"], ["mean"]), node("Flatten", ["mean"], ["looks"])], [],
                 [("crop", (limit, 3) + tuple(size))], [("looks", (limit, 3))], metadata)
