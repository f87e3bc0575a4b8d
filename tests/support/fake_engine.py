"""A fake network for tests of the path of a frame: hand-made maps of one stick figure."""
import json

import numpy as np

from wholebody.card import card_from_json
from wholebody.engines.engine import Engine, TensorInfo

STICK = {"name": "STICK", "keypoints": ["top", "middle", "bottom"], "paf": {"pairs": [[0, 1], [1, 2]]}}
STRIDE, CELLS = 8, (24, 32)  # of the fake's maps: an input of 256x192
POINTS = ((12.2, 5.1), (12.2, 10.1), (12.2, 15.1))  # x, y in cells; on a cell, two pixels tie and neither is a peak


def stick_card(**changes):
    outputs = {"heatmaps": {"output": "heatmaps"}, "pafs": {"output": "pafs"}}
    data = {"name": "stick", "skeleton": STICK, "input": {"name": "image", "height": 192, "multiple": 64},
            "heads": [{"kind": "paf", "stride": STRIDE, "outputs": outputs}]}
    return card_from_json(json.dumps(dict(data, **changes)))


class FakeStickEngine(Engine):
    """A fake network that sees one stick figure in whatever it is shown, and is strict about what it is fed."""

    def __init__(self, card, channels=(3, 4)):
        self.path, self.card = "fake.onnx", card
        self.inputs = (TensorInfo("image", ("N", 3, "H", "W"), "float32"),)
        self.outputs = (TensorInfo("heatmaps", ("N", channels[0], "h", "w"), "float32"),
                        TensorInfo("pafs", ("N", channels[1], "h", "w"), "float32"))
        self.closed = False

    def infer(self, feeds):
        assert list(feeds) == ["image"]
        blob = feeds["image"]
        assert (blob.dtype, blob.shape) == (np.float32, (1, 3, CELLS[0] * STRIDE, CELLS[1] * STRIDE))
        assert blob.flags.c_contiguous
        y, x = np.mgrid[:CELLS[0], :CELLS[1]]
        heat = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / 2.0) for px, py in POINTS]
        fields = np.zeros((4,) + CELLS)
        for limb in range(2):
            top, bottom = POINTS[limb][1], POINTS[limb + 1][1]
            fields[2 * limb + 1][(np.abs(x - 12) <= 1) & (y >= top - 1) & (y <= bottom + 1)] = 1
        return {"heatmaps": np.array(heat, np.float32)[None], "pafs": fields.astype(np.float32)[None]}

    def close(self):
        self.closed = True
