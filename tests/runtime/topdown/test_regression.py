"""Networks that say coordinates themselves, and the highest pixel of enlarged maps as a head."""
import json

import numpy as np
import pytest

from wholebody.card import card_from_json
from wholebody.errors import CardError
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.heads import PointHeads

SKELETON = {"name": "THREE", "keypoints": ["a", "left_b", "right_b"], "flip_pairs": [[1, 2]]}
SIZE = (40, 80)  # width, height


def heads(score=True, **head):
    outputs = {"keypoints": {"output": "points"}}
    if score:
        outputs["score"] = {"output": "sure"}
    card = {"name": "three", "skeleton": SKELETON, "input": {"name": "crop", "size": SIZE[::-1]},
            "heads": [dict({"kind": "regression", "format": "xyz-pixels", "outputs": outputs}, **head)]}
    return PointHeads(card_from_json(json.dumps(card)), choose_backend())


POINTS = np.array([[10, 20], [30, 40], [20, 60]], np.float32)  # pixels of the input


def outputs(values, people=2, sure=0.75):
    return {"points": np.tile(np.asarray(values, np.float32).reshape(1, -1), (people, 1)),
            "sure": np.full((people, 1), sure, np.float32)}


def test_pixels_and_parts_of_the_input_mean_the_same():
    pixels = heads()(outputs(np.concatenate([POINTS, [[7], [8], [9]]], axis=1)), 2)
    unit = heads(format="xy-unit")(outputs(POINTS / SIZE), 2)
    np.testing.assert_allclose(pixels, unit, rtol=1e-6)
    np.testing.assert_allclose(pixels[1, :, :2] * SIZE, POINTS, rtol=1e-6)
    assert (pixels[..., 2] == 0.75).all()


def test_a_network_that_tells_no_score_is_known():
    assert (heads(score=False)({"points": np.zeros((1, 9), np.float32)}, 1)[..., 2] == 1).all()
    assert heads().tells_scores
    assert not heads(score=False).tells_scores


def test_the_mirrored_answer_is_turned_back():
    """A pixel x of the mirrored input is pixel width - 1 - x of the input."""
    mirrored = POINTS[[0, 2, 1]].copy()
    mirrored[:, 0] = SIZE[0] - 1 - mirrored[:, 0]
    find, zeros = heads(), np.zeros((3, 1))
    both = [np.concatenate([points, zeros], axis=1) for points in (POINTS, mirrored)]
    found = find(outputs(both[0]), 2, outputs(both[1], sure=0.25))
    np.testing.assert_allclose(found[0, :, :2] * SIZE, POINTS, rtol=1e-5)
    assert (found[..., 2] == 0.5).all()


def test_numbers_of_another_count_are_refused():
    with pytest.raises(CardError, match=r"expected 3 of THREE, 3 numbers each, got \(2, 6\); the card does not fit"):
        heads()(outputs(POINTS), 2)


def test_an_enlarged_map_is_looked_at_in_pixels_of_the_input():
    maps = np.zeros((1, 3, 10, 5), np.float32)
    for k, (x, y) in enumerate(((1, 2), (3, 4), (4, 9))):
        maps[0, k, y, x] = 0.5
    find = heads(kind="heatmap", format="bicubic", stride=8, outputs={"heatmaps": {"output": "maps"}})
    found = find({"maps": maps}, 1)
    # A cell's highest pixels are the four about its middle; the first of them is at 3 of 8.
    np.testing.assert_allclose(found[0, :2, :2] * SIZE, [[8 + 3, 16 + 3], [24 + 3, 32 + 3]], rtol=1e-6)
    assert (found[0, :, 2] > 0.4).all()
