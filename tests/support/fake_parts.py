"""Fakes for bodies with faces and hands: bodies that are given, and networks that see red and green dots."""
import json

import numpy as np

from wholebody.card import card_from_json
from wholebody.engines.engine import Engine, TensorInfo
from wholebody.poses import Poses
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.lane import Lane, Seen, Stage, StagedEstimator
from wholebody.skeletons import get_skeleton

SIDE = 64  # of the fake networks' input, pixels
FACE = {"name": "FACE", "keypoints": ["face_0", "face_1"], "parts": {"face": [0, 1]}}
HAND = {"name": "HAND", "keypoints": ["hand_root", "middle_1"], "parts": {"hand": [0, 1]}}
# A person of 100 pixels about (0, 0): nose, neck, eyes, ears, and both arms; the rest was not found.
PERSON = {"nose": (0, -30), "neck": (0, -10), "right_eye": (-6, -36), "left_eye": (6, -36), "right_ear": (-12, -33),
          "left_ear": (12, -33), "right_shoulder": (-20, -8), "left_shoulder": (20, -8), "right_elbow": (-35, 14),
          "left_elbow": (40, 10), "right_wrist": (-38, 40), "left_wrist": (66, 8)}


def bodies(places=((100, 80),), size=1.0, skeleton="COCO_18", without=(), scores=0.9):
    """People of PERSON's shape at these places."""
    chosen = get_skeleton(skeleton)
    keypoints = np.zeros((len(places), len(chosen.keypoints), 2), np.float32)
    found = np.zeros(keypoints.shape[:2], np.float32)
    for person, place in enumerate(places):
        for name, offset in PERSON.items():
            if name in chosen.keypoints and name not in without:
                keypoints[person, chosen.index_of(name)] = np.array(place) + size * np.array(offset)
                found[person, chosen.index_of(name)] = scores
    return Poses(keypoints, found, found.mean(axis=1), chosen)


def part_card(skeleton, score=True, crop=None, **head):
    outputs = {"keypoints": {"output": "points"}}
    if score:
        outputs["score"] = {"output": "sure"}
    return card_from_json(json.dumps({
        "name": "dots", "skeleton": skeleton, "input": {"name": "crop", "size": [SIDE, SIDE], "crop": crop},
        "heads": [dict({"kind": "regression", "format": "xyz-pixels", "outputs": outputs}, **head)]}))


class FakeDots(Engine):
    """A fake network whose two points are the middles of what is red and of what is green in its input.

    How sure it is grows with the area of what it sees; where it sees nothing it is not sure at all.
    """

    def __init__(self, skeleton, crop=None, limit=None, score=True):
        self.path, self.card, self.limit = "dots.onnx", part_card(skeleton, score, crop), limit
        self.inputs = (TensorInfo("crop", (1 if limit == 1 else "N", 3, SIDE, SIDE), "float32"),)
        self.outputs = (TensorInfo("points", ("N", 6), "float32"), TensorInfo("sure", ("N", 1), "float32"))
        self.closed, self.batches, self.seen = False, [], []

    @property
    def max_batch(self):
        return self.limit

    def infer(self, feeds):
        assert not self.closed
        assert list(feeds) == ["crop"]
        blob = feeds["crop"]
        assert (blob.dtype, blob.shape[1:]) == (np.float32, (3, SIDE, SIDE))
        assert blob.flags.c_contiguous
        assert 1 <= len(blob) <= (self.limit or 16)
        self.batches.append(len(blob))
        self.seen += list(blob.copy())
        points, sure = np.full((len(blob), 6), -5, np.float32), np.zeros((len(blob), 1), np.float32)
        for crop, place, area in zip(blob, points, sure):
            for k, (channel, other) in enumerate(((2, 1), (1, 2))):  # B G R
                weight = np.clip(crop[channel] - crop[other], 0, None)
                if weight.sum() > 100:
                    place[3 * k:3 * k + 2] = [(weight.sum(axis=axis) * np.arange(SIDE)).sum() / weight.sum()
                                              for axis in (0, 1)]
                    area += weight.sum() / (2 * 255 * SIDE * SIDE)
        return {"points": points, "sure": sure}

    def close(self):
        self.closed = True


def dot(image, place, channel):
    """A disc of colour `channel` of 5 pixels about a place."""
    y, x = np.mgrid[:image.shape[0], :image.shape[1]]
    inside = (x - place[0]) ** 2 + (y - place[1]) ** 2 <= 6.5
    image[inside] = 0
    image[inside, channel] = 255


class FakeBodies(StagedEstimator):
    """A fake estimator that finds in the frame of each index the bodies of that index."""

    def __init__(self, *frames):
        self.frames, self.skeleton, self.closed = frames, frames[0].skeleton, False
        self.stages = (Stage("bodies", self._find),)

    @property
    def max_batch(self):
        return None

    def new_lane(self):
        return FakeBodyLane()

    def _find(self, lane):
        lane.poses = [self.frames[frame.index % len(self.frames)] for frame in lane.frames]

    def close(self):
        super().close()
        self.closed = True


class FakeBodyLane(Lane):
    """A fake lane."""

    def seen(self, index, candidates=False):
        return Seen(Geometry(64, 48, 64, 48, 0, 0, (1.0, 1.0), (0.0, 0.0)))
