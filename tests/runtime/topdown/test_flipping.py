"""What a network says of a mirrored person, turned back, is what it says of the person."""
import json

import numpy as np
import pytest

from wholebody.card import card_from_json
from wholebody.runtime.topdown.flipping import Flip
from wholebody.runtime.topdown.heads import PointHeads
from wholebody.skeletons import get_skeleton

WIDTH, HEIGHT = 12, 16  # cells


def heads_of(backend, head, skeleton="COCO_17"):
    data = {"name": "pose", "skeleton": skeleton, "heads": head,
            "input": {"name": "crops", "size": [4 * HEIGHT, 4 * WIDTH], "box_padding": 1.25}}
    return PointHeads(card_from_json(json.dumps(data)), backend)


def maps_of(name, people=2, seed=0):
    points = len(get_skeleton(name).keypoints)
    return np.random.RandomState(seed).rand(people, points, HEIGHT, WIDTH).astype(np.float32)


def mirrored(maps, name, shifted):
    """What a network without any mistake says of the mirrored person, cell by cell; UDP needs no shift."""
    skeleton, out = get_skeleton(name), np.zeros_like(maps)
    partner = {a: b for pair in skeleton.flip_pairs for a, b in (pair, pair[::-1])}
    for k in range(maps.shape[1]):
        for x in range(WIDTH):
            source = WIDTH - 1 - x + (1 if shifted else 0)
            if source < WIDTH:
                out[:, partner.get(k, k), :, x] = maps[:, k, :, source]
    return out


@pytest.mark.parametrize("fmt, shifted", [("quarter", True), ("udp", False), (None, True)])
def test_peaks_of_both_pictures_agree(backend, fmt, shifted):
    head = {"kind": "heatmap", "format": fmt, "stride": 4, "outputs": {"heatmaps": {"output": "maps"}}}
    heads, maps = heads_of(backend, [head]), maps_of("COCO_17")
    maps[..., 0] = 0  # the column that the shift loses
    found = heads({"maps": maps}, 2, {"maps": mirrored(maps, "COCO_17", shifted)})
    expected = heads({"maps": maps}, 2)
    near = np.abs(expected[..., :2]).max(axis=2) < 10  # noise refined by UDP may be anywhere
    np.testing.assert_allclose(found[near], expected[near], atol=1e-3)


def test_a_combined_network_turns_each_head_for_itself(backend):
    outputs = [{"heatmaps": {"output": "maps", "channels": part}} for part in ([0, 26], [26, 136])]
    heads = heads_of(backend, [
        {"kind": "heatmap", "keypoints": [0, 26], "format": "quarter", "stride": 4, "outputs": outputs[0]},
        {"kind": "integral", "keypoints": [26, 136], "stride": 4, "outputs": outputs[1]}], "HALPE_136")
    maps = maps_of("HALPE_136")
    maps[:, :26, :, 0] = 0
    maps[:, 26:, :, 0] = maps[:, 26:, :, 1]  # the shift repeats a column
    plain = heads({"maps": maps}, 2)
    both = heads({"maps": maps}, 2, {"maps": mirrored(maps, "HALPE_136", True)})
    np.testing.assert_allclose(both[:, :26], plain[:, :26], atol=1e-6)
    alone = backend.integrals(maps[:, 26:])
    np.testing.assert_allclose(plain[:, 26:], alone / np.float32([WIDTH, HEIGHT, 1]), atol=1e-6)
    np.testing.assert_allclose(both[:, 26:, 2], plain[:, 26:, 2], atol=0.01)
    np.testing.assert_allclose(both[:, 26:, :2], plain[:, 26:, :2], atol=0.05)


def test_simcc_bins_are_mirrored_along_x_alone(backend):
    head = {"kind": "simcc", "split": 2.0, "outputs": {"simcc_x": {"output": "x"}, "simcc_y": {"output": "y"}}}
    heads, random = heads_of(backend, [head]), np.random.RandomState(3)
    x, y = (random.rand(2, 17, bins).astype(np.float32) for bins in (96, 128))
    order = list(Flip.of(get_skeleton("COCO_17"), 0, 17).order)
    expected = heads({"x": x, "y": y}, 2)
    np.testing.assert_allclose(heads({"x": x, "y": y}, 2, {"x": x[:, order, ::-1], "y": y[:, order]}), expected)
    np.testing.assert_allclose(expected[..., 0], x.argmax(axis=2) / 96.0, rtol=1e-6)


def test_counterparts_outside_the_range_stay():
    assert Flip.of(get_skeleton("COCO_17"), 0, 17).order[:5] == (0, 2, 1, 4, 3)
    assert Flip.of(get_skeleton("COCO_17"), 2, 5).order == (0, 2, 1)
