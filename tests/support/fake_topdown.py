"""Fake networks for tests of top-down pipelines: a detector and a pose network that know the answer."""
import json
import time

import numpy as np

from wholebody.card import card_from_json
from wholebody.engines.engine import Engine, TensorInfo

NET = (64, 64)            # of the detector, width and height
POSE_NET = (48, 64)       # of the pose network
CELLS = (12, 16)          # of its maps
SKELETON = {"name": "TWO", "keypoints": ["left_end", "right_end"], "flip_pairs": [[0, 1]]}
PEAKS = ((3, 5), (8, 11))  # x, y in cells, of every person
BRIGHT = 200              # a frame whose first pixel is brighter has people


def pose_card(**changes):
    head = {"kind": "heatmap", "stride": 4, "format": "quarter", "outputs": {"heatmaps": {"output": "maps"}}}
    data = {"name": "pose", "skeleton": SKELETON, "heads": [head],
            "input": {"name": "crops", "size": [POSE_NET[1], POSE_NET[0]], "box_padding": 1.25, "resize": "stretch"}}
    return card_from_json(json.dumps(dict(data, **changes)))


def detector_card():
    return card_from_json(json.dumps({
        "name": "boxes", "input": {"name": "picture", "size": [NET[1], NET[0]], "resize": "stretch"},
        "heads": [{"kind": "boxes", "format": "yolox", "outputs": {"boxes": {"output": "rows"}}}]}))


class FakeDetector(Engine):
    """A fake YOLOX that finds the boxes of `people` (in its pixels) in a bright frame and nobody in a dark one."""

    def __init__(self, people, delay=0.0, limit=None):
        self.path, self.card, self.people, self.delay = "detector.onnx", detector_card(), people, delay
        self.inputs = (TensorInfo("picture", (limit or "N", 3, NET[1], NET[0]), "float32"),)
        self.outputs = (TensorInfo("rows", ("N", 84, 6), "float32"),)
        self.closed, self.runs = False, 0

    def infer(self, feeds):
        assert not self.closed
        blob = feeds["picture"]
        assert blob.shape[1:] == (3, NET[1], NET[0])
        self.runs += 1
        if self.delay:
            time.sleep(self.delay)
        rows = np.zeros((len(blob), 84, 6), np.float32)
        for picture, some in zip(blob, rows):
            for i, (x0, y0, x1, y1) in enumerate(self.people if picture[0, 0, 0] >= BRIGHT else ()):
                cell = np.array([i % 8, i // 8])  # of the first level, of 8 pixels
                centre, side = np.array([x0 + x1, y0 + y1]) / 2, np.array([x1 - x0, y1 - y0])
                some[i] = np.concatenate([centre / 8 - cell, np.log(side / 8), [0.9 - 0.01 * i, 1]])
        return {"rows": rows}

    def close(self):
        self.closed = True


class FakePose(Engine):
    """A fake network that sees its two points in every crop; how bright the crop is says how sure it is."""

    def __init__(self, card=None, delay=0.0, limit=None):
        self.path, self.card, self.delay = "pose.onnx", card or pose_card(), delay
        self.inputs = (TensorInfo("crops", ("N", 3, POSE_NET[1], POSE_NET[0]), "float32"),)
        self.outputs = (TensorInfo("maps", ("N", 2, CELLS[1], CELLS[0]), "float32"),)
        self.closed, self.batches, self.limit = False, [], limit

    @property
    def max_batch(self):
        return self.limit

    def infer(self, feeds):
        assert not self.closed
        blob = feeds["crops"]
        assert blob.dtype == np.float32
        assert blob.flags.c_contiguous
        assert blob.shape[1:] == (3, POSE_NET[1], POSE_NET[0])
        assert 1 <= len(blob) <= (self.limit or 16)
        self.batches.append(len(blob))
        if self.delay:
            time.sleep(self.delay)
        maps = np.zeros((len(blob), 2, CELLS[1], CELLS[0]), np.float32)
        for k, (x, y) in enumerate(PEAKS):
            maps[:, k, y, x] = 0.5 + blob.mean(axis=(1, 2, 3)) / 1000
        return {"maps": maps}

    def close(self):
        self.closed = True
