"""OpenPose's face and hand networks, against what OpenPose does written down for one crop at a time with OpenCV.

The networks are fakes whose maps depend on every pixel of their input; what comes before and after them is the real
thing: cards from the presets, crops, mirrored left hands, scales, the highest pixel of the enlarged map.
"""
import json
import pathlib

import numpy as np
import pytest
from fake_parts import FakeBodies
from part_references import by_hand, random_bodies

from wholebody.card import card_from_json
from wholebody.engines.engine import Engine, TensorInfo
from wholebody.poses import Poses
from wholebody.runtime.parts.crops import scales_of
from wholebody.runtime.parts.estimator import ComposedEstimator
from wholebody.runtime.parts.network import PartNetwork
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.skeletons import get_skeleton

PRESETS = pathlib.Path(__file__).resolve().parents[3] / "export" / "presets"
NET, CELLS = 368, 46


def maps_of(blob, channels):
    """(N, channels + 1, 46, 46): where the picture is bright in some mixture of colours, over cells about as large as
    a hand's joint, different for each channel and nowhere flat."""
    cv2 = pytest.importorskip("cv2", reason="compares with OpenCV")
    grey = np.arange(CELLS, dtype=np.float32)
    maps = np.zeros((len(blob), channels + 1, CELLS, CELLS), np.float32)
    for crop, out in zip(blob, maps):
        cells = crop.reshape(3, CELLS, 8, CELLS, 8).mean(axis=(2, 4))
        smooth = [cv2.GaussianBlur(cells[c], (0, 0), 2) for c in range(3)]
        for k in range(channels):
            mixed = smooth[k % 3] - 0.5 * smooth[(k + 1) % 3]
            out[k] = mixed + 0.01 * k / channels * (grey - 10)[None, :] / CELLS + 0.02 * (grey[:, None] * (k % 7)) / 320
    return maps + np.float32(0.6)


class FakeOpenPose(Engine):
    """A fake face or hand network of OpenPose, with the card that its preset has."""

    def __init__(self, preset, channels):
        data = json.loads((PRESETS / (preset + ".json")).read_text(encoding="utf-8"))
        data["input"]["name"] = "image"
        self.path, self.card, self.channels = preset + ".onnx", card_from_json(json.dumps(data)), channels
        self.inputs = (TensorInfo("image", ("N", 3, "H", "W"), "float32"),)
        self.outputs = (TensorInfo("heatmaps", ("N", channels + 1, "h", "w"), "float32"),)
        self.seen = 0

    def infer(self, feeds):
        blob = feeds["image"]
        assert blob.shape[1:] == (3, NET, NET)
        assert 1 <= len(blob) <= 16
        self.seen += len(blob)
        return {"heatmaps": maps_of(blob, self.channels)}

    def close(self):
        pass


def by_openpose(cv2, image, square, mirrored, channels):
    """(channels, 3): of one square (x, y, side)."""
    x, y, side = square
    k = side / NET
    matrix = np.array([[-k, 0, x + side], [0, k, y]] if mirrored else [[k, 0, x], [0, k, y]], np.float64)
    crop = cv2.warpAffine(image, matrix, (NET, NET), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    blob = np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32) / 256 - 0.5
    found = []
    for map_ in maps_of(blob, channels)[0, :channels]:
        full = cv2.resize(map_, (NET, NET), interpolation=cv2.INTER_CUBIC)
        row, column = np.unravel_index(full.argmax(), full.shape)
        found.append(list(matrix @ [column, row, 1]) + [full[row, column]])
    return np.array(found)


def hand_at_scales(cv2, image, square, mirrored, scales):
    best = None
    for scale in scales:
        side = square[2] if len(scales) == 1 else int(square[2] * scale + 0.5) // 2 * 2
        x, y = (square[i] + square[2] / 2 - side / 2 for i in (0, 1))
        found = by_openpose(cv2, image, (x, y, side), mirrored, 21)
        if best is None or found[:, 2].mean() > best[:, 2].mean():
            best = found
    return best


def picture(seed=0, size=(400, 500)):
    """Soft blobs of all colours."""
    cv2 = pytest.importorskip("cv2", reason="compares with OpenCV")
    noise = np.random.RandomState(seed).uniform(0, 255, (size[0] // 20, size[1] // 20, 3)).astype(np.float32)
    return np.clip(cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def people_in_a_picture(count):
    """Random people about a picture of 500 x 400, some partly outside it; of the first everything was found."""
    poses = random_bodies(count, "BODY_25", seed=5)
    poses.scores[:1] = 0.9
    return Poses(poses.keypoints * np.float32(0.3) + np.float32(40), poses.scores, poses.person_scores, poses.skeleton)


def composed(people, scales=(1.0,)):
    backend = choose_backend()
    return ComposedEstimator(FakeBodies(people), [
        PartNetwork("face", FakeOpenPose("openpose-face", 70), people.skeleton, backend),
        PartNetwork("hand", FakeOpenPose("openpose-hand", 21), people.skeleton, backend, scales)])


def check(found, expected, side):
    """Within a pixel of the network's input, but where two places of the map are equally high; the same scores."""
    pixel = side / NET
    np.testing.assert_allclose(found[:, 2], expected[:, 2], atol=2e-3)  # crops differ by a grey level here and there
    apart = np.abs(found[:, :2] - expected[:, :2]).max(axis=1) / pixel
    assert np.median(apart) <= 1.01
    assert (apart <= 4).mean() > 0.9


@pytest.mark.parametrize("count, scales", [(0, 1), (1, 1), (12, 1), (4, 6)],
                         ids=["nobody", "one", "many", "six scales of hands"])
def test_faces_and_hands_are_what_openpose_finds(count, scales):
    cv2 = pytest.importorskip("cv2", reason="compares with OpenCV")
    image, people, ratios = picture(), people_in_a_picture(count), scales_of(scales, 0.4)
    faces, hands = by_hand(people)
    with composed(people, ratios) as estimate:
        poses = estimate(image)
        assert [part.engine.seen for part in estimate.parts] == [len(faces), scales * len(hands)]
    points = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2)
    parts = {name: list(indices) for name, indices in poses.skeleton.parts}
    for person in range(count):
        for name, square, mirrored in (("face", faces.get(person), False),
                                       ("left_hand", hands.get(2 * person), True),
                                       ("right_hand", hands.get(2 * person + 1), False)):
            found = points[person, parts[name]]
            if square is None:
                assert not found.any()
            elif name == "face":
                check(found, by_openpose(cv2, image, square, mirrored, 70), square[2])
            else:
                check(found, hand_at_scales(cv2, image, square, mirrored, ratios), square[2])
    assert not count or (faces and hands)


def test_a_map_without_anything_gives_no_point():
    people = people_in_a_picture(12)
    with composed(people) as estimate:
        for part in estimate.parts:
            part.engine.infer = lambda feeds, n=part.engine.channels: {
                "heatmaps": np.full((len(feeds["image"]), n + 1, CELLS, CELLS), -0.1, np.float32)}
        poses = estimate(picture())
    assert not poses.scores[:, len(get_skeleton("BODY_25").keypoints):].any()
    assert not poses.keypoints[:, len(get_skeleton("BODY_25").keypoints):].any()
