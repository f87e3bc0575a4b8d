"""Maps to decode: crowds at random, and people drawn by hand where each sample can be counted."""
import json

import numpy as np
import pytest

from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.native.library import HOW_TO_BUILD, find_library
from wholebody.runtime.paf import PafDecoder, PafOptions
from wholebody.skeletons import get_skeleton

STICK = {
    "name": "STICK", "keypoints": ["top", "middle", "bottom", "left_toe", "right_toe"],
    "parts": {"body": [0, 1, 2], "foot": [3, 4]},
    "paf": {"pairs": [[1, 0], [1, 2], [2, 3], [2, 4], [3, 4]], "background": True,
            "channels": [[3, 2], [0, 1], [9, 8], [4, 5], [6, 7]], "decoding": {"paf_threshold": 0.02}},
}


def need(backend):
    if backend == "native" and find_library() is None:
        pytest.skip("the native library is not built; " + HOW_TO_BUILD)


@pytest.fixture(params=["numpy", "native", "cuda"])
def backend(request):
    need(request.param)
    if request.param == "cuda":
        request.getfixturevalue("gpu")
    return request.param


@pytest.fixture(params=["numpy", "native"])
def host_backend(request):
    """For what the CPU does in any case, or what takes the fake GPU too long."""
    need(request.param)
    return request.param


@pytest.fixture
def device(gpu):
    opened = CudaDevice()
    yield opened
    opened.close()  # the fake GPU says what was not given back


@pytest.fixture
def both(device):
    """Poses and peaks of the GPU after they were compared with the CPU's."""
    def compare(skeleton, maps, stride=8, **options):
        options = PafOptions.for_skeleton(skeleton, **options)
        expected = PafDecoder(skeleton, stride, "auto", options)
        with PafDecoder(skeleton, stride, "cuda", options, device) as decode:
            for got, known in zip(decode.candidates(maps[0]), expected.candidates(maps[0])):
                np.testing.assert_array_equal(got, known)
            poses = decode(*maps)
        people = expected(*maps)
        for field in ("keypoints", "scores", "person_scores", "boxes_xyxy"):
            np.testing.assert_array_equal(getattr(poses, field), getattr(people, field), err_msg=field)
        return poses
    return compare


@pytest.fixture
def native():
    need("native")


@pytest.fixture(scope="session")
def skeleton_of(tmp_path_factory):
    """A set by name; STICK is a user's own JSON file."""
    path = tmp_path_factory.mktemp("skeletons") / "stick.json"
    path.write_text(json.dumps(STICK))
    return lambda name: get_skeleton(str(path) if name == "STICK" else name)


@pytest.fixture(scope="session")
def crowd():
    return _crowd


@pytest.fixture(scope="session")
def draw():
    return _draw


@pytest.fixture(scope="session")
def decoder():
    """A decoder at stride 1 by default, where maps are taken as they are."""
    def make(skeleton, backend, stride=1, **options):
        return PafDecoder(skeleton, stride, backend, PafOptions.for_skeleton(skeleton, **options))
    return make


def _crowd(skeleton, people, seed, cells=(30, 40)):
    """Noisy maps of people who all look like one random figure, with limbs and points missing."""
    rng, (height, width) = np.random.default_rng(seed), cells
    count = len(skeleton.keypoints)
    figure = np.random.default_rng(count).uniform(-.5, .5, (count, 2))
    heat = rng.normal(0, .01, (skeleton.heatmap_channels, height, width))
    pafs = rng.normal(0, .02, (skeleton.paf_channel_count, height, width))
    Y, X = np.mgrid[:height, :width]
    for _ in range(people):
        size = rng.uniform(.3, .9) * height
        points = figure * size + rng.normal(0, .3, (count, 2)) + rng.uniform(0, 1, 2) * (width, height)
        present = rng.uniform(size=count) > .1
        for k in np.nonzero(present)[0]:
            bump = rng.uniform(.2, 1) * np.exp(-((X - points[k, 0]) ** 2 + (Y - points[k, 1]) ** 2) / 1.5)
            np.maximum(heat[k], bump, out=heat[k])
        for (a, b), channels in zip(skeleton.paf_pairs, skeleton.paf_channels):
            if present[a] and present[b] and rng.uniform() > .08:
                _line(pafs, channels, points[a], points[b], .9, X, Y)
    return heat.astype(np.float32), pafs.astype(np.float32)


def _line(pafs, channels, start, end, strength, X, Y, half_width=1.0):
    along = np.subtract(end, start).astype(float)
    length = np.hypot(*along)
    if length < 1e-3:
        return
    along = along / length
    dx, dy = X - start[0], Y - start[1]
    reach = dx * along[0] + dy * along[1]
    on = (np.abs(dx * along[1] - dy * along[0]) <= half_width) & (reach >= -half_width) & (reach <= length + half_width)
    for channel, part in zip(channels, along):
        pafs[channel][on] = strength * part


def _draw(skeleton, people, size=(60, 80), strength=1.0):
    """Maps of people given as {keypoint: (x, y, score)}: one pixel a keypoint, a line five wide a limb."""
    heat = np.zeros((skeleton.heatmap_channels,) + size, np.float32)
    pafs = np.zeros((skeleton.paf_channel_count,) + size, np.float32)
    Y, X = np.mgrid[:size[0], :size[1]]
    for person in people:
        for k, (x, y, score) in person.items():
            heat[k, y, x] = score
        for (a, b), channels in zip(skeleton.paf_pairs, skeleton.paf_channels):
            if a in person and b in person:
                _line(pafs, channels, person[a][:2], person[b][:2], strength, X, Y, half_width=2.5)
    return heat, pafs
