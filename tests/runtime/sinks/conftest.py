"""Frames, people and details to write."""
import numpy as np
import pytest

from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks import Details
from wholebody.skeletons import get_skeleton


def people(skeleton="COCO_17", count=1, seed=0, ids=None):
    """Somebody with every keypoint, inside a picture of 64 x 48."""
    rng = np.random.RandomState(seed)
    points = len(get_skeleton(skeleton).keypoints)
    keypoints = (rng.rand(count, points, 2) * (63, 47)).astype(np.float32)
    scores = rng.uniform(0.5, 1, (count, points)).astype(np.float32)
    return Poses(keypoints, scores, scores.mean(axis=1), get_skeleton(skeleton), ids=ids)


def item(poses, name="000000001000", index=0, size=(48, 64), **details):
    """The arguments of Sink.write."""
    image = np.random.RandomState(index).randint(0, 255, size + (3,)).astype(np.uint8)
    details.setdefault("keypoints", poses.keypoints)
    details.setdefault("net_size", (64, 48))
    return Frame(image, index, 0.0, name), Result(index, 0.0, poses, {}), Details(**details)


@pytest.fixture(name="people")
def people_fixture():
    return people


@pytest.fixture(name="item")
def item_fixture():
    return item
