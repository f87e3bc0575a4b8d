"""Maps of parts within boxes that the network itself gives: peaks become points of the crop and of the frame."""
import json

import numpy as np
import pytest

from wholebody.card import card_from_json, card_to_json
from wholebody.engines.engine import Engine, TensorInfo
from wholebody.errors import CardError
from wholebody.runtime.detection.given import WholeFrame
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.estimator import TopDownEstimator, TopDownOptions
from wholebody.runtime.topdown.heads import PointHeads

WIDTH, HEIGHT, CELLS = 48, 64, 8
SKELETON = {"name": "FIVE", "keypoints": ["middle", "left_a", "left_b", "right_a", "right_b"],
            "flip_pairs": [[1, 3], [2, 4]]}
BOXES = [[8, 16, 24, 32], [20.5, 40, 52.5, 44]]    # x0, y0, x1, y1 of left and right hand; the second leaves the crop
MIDDLE, PEAKS = (7, 9), ((3, 5), (6, 0), (0, 7), (5, 2))
EXPECTED = [(28, 36), (14.5, 26.5), (20.5, 16.5), (22, 43.25), (42, 40.75)]  # pixels of the crop, by hand


def part(first, end, row):
    return {"kind": "heatmap", "keypoints": [first, end], "format": "quarter",
            "outputs": {"heatmaps": {"output": "hands", "channels": [first - 1, end - 1]},
                        "boxes": {"output": "boxes", "channels": [row, row + 1]}}}


def card(size=(HEIGHT, WIDTH), fmt="quarter"):
    body = {"kind": "heatmap", "keypoints": [0, 1], "stride": 4, "format": fmt,
            "outputs": {"heatmaps": {"output": "maps"}}}
    return card_from_json(json.dumps({
        "name": "zooming", "skeleton": SKELETON, "heads": [body, part(1, 3, 0), part(3, 5, 1)],
        "input": {"name": "crops", "size": size and list(size), "box_padding": 1.25}}))


def outputs(people=1):
    """What a network that knows the answer gives."""
    maps = np.zeros((people, 1, HEIGHT // 4, WIDTH // 4), np.float32)
    maps[:, 0, MIDDLE[1], MIDDLE[0]] = 0.9
    hands = np.zeros((people, 4, CELLS, CELLS), np.float32)
    for k, (x, y) in enumerate(PEAKS):
        hands[:, k, y, x] = 0.5 + 0.1 * k
    return {"maps": maps, "hands": hands, "boxes": np.tile(np.float32(BOXES), (people, 1, 1))}


def mirrored_outputs(people=1):
    """And what it gives for the mirrored picture: the left hand's answer is the right hand's, seen in a mirror."""
    plain = outputs(people)
    maps = np.zeros_like(plain["maps"])
    maps[..., 1:] = plain["maps"][..., :0:-1]  # heat maps of stride 4 are a column off, which turning back mends
    boxes = plain["boxes"][:, ::-1].copy()
    boxes[..., [0, 2]] = WIDTH - boxes[..., [2, 0]]
    return {"maps": maps, "hands": plain["hands"][:, [2, 3, 0, 1], :, ::-1].copy(), "boxes": boxes}


def in_pixels(points):
    return points[..., :2] * np.float32([WIDTH, HEIGHT])


class FakeZoom(Engine):
    """A fake network that gives the same answer for everybody."""

    def __init__(self):
        self.path, self.card = "zoom.onnx", card()
        self.inputs = (TensorInfo("crops", ("N", 3, HEIGHT, WIDTH), "float32"),)
        self.outputs = tuple(TensorInfo(name, ("N",) + array.shape[1:], "float32")
                             for name, array in sorted(outputs().items()))

    def infer(self, feeds):
        assert feeds["crops"].shape[1:] == (3, HEIGHT, WIDTH)
        return outputs(len(feeds["crops"]))

    def close(self):
        """Nothing is held."""


def test_peaks_in_boxes_are_points_of_the_crop(backend):
    found = PointHeads(card(), backend)(outputs(3), 3)
    np.testing.assert_allclose(in_pixels(found), [EXPECTED] * 3, atol=1e-4)
    np.testing.assert_allclose(found[..., 2], [[0.9, 0.5, 0.6, 0.7, 0.8]] * 3, atol=1e-6)


def test_a_mirrored_person_has_boxes_elsewhere_and_the_same_points(backend):
    found = PointHeads(card(), backend)(outputs(2), 2, mirrored_outputs(2))
    np.testing.assert_allclose(in_pixels(found), [EXPECTED] * 2, atol=1e-4)
    np.testing.assert_allclose(found[..., 2], [[0.9, 0.5, 0.6, 0.7, 0.8]] * 2, atol=1e-6)


def test_points_and_scores_of_both_pictures_are_averaged_and_one_alone_is_kept(backend):
    flipped = mirrored_outputs()
    flipped["boxes"][:, 1, [1, 3]] += 2      # the left hand a little lower
    flipped["hands"][:, 3] /= 2              # its second point half as sure
    flipped["hands"][:, 1] = 0               # the right hand's second point is not found
    found = PointHeads(card(), backend)(outputs(), 1, flipped)
    expected = np.array(EXPECTED) + [(0, 0), (0, 1), (0, 1), (0, 0), (0, 0)]
    np.testing.assert_allclose(in_pixels(found)[0], expected, atol=1e-4)
    np.testing.assert_allclose(found[0, :, 2], [0.9, 0.5, 0.45, 0.7, 0.8], atol=1e-6)


def test_with_udp_parts_are_counted_in_steps_between_pixels(backend):
    found = PointHeads(card(fmt="udp"), backend)(outputs(), 1, mirrored_outputs())
    steps = found[0, 1:, :2] * np.float32([WIDTH - 1, HEIGHT - 1])
    np.testing.assert_allclose(steps, EXPECTED[1:], atol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=["not a number", "infinite"])
def test_a_box_that_is_not_finite_has_no_points(backend, bad):
    given = outputs()
    given["boxes"][0, 0, 2] = bad
    found = PointHeads(card(), backend)(given, 1)
    assert not found[0, 1:3].any()
    np.testing.assert_allclose(in_pixels(found)[0, 3:], EXPECTED[3:], atol=1e-4)


def test_the_estimator_gives_them_in_pixels_of_the_frame():
    frame = np.zeros((128, 96, 3), np.uint8)
    options = TopDownOptions(whole_frame=True)
    with TopDownEstimator(FakeZoom(), WholeFrame(), choose_backend("numpy"), options) as estimate:
        poses = estimate(frame)
    scale = 1.25 * 2  # the frame is twice the input, and the crop 1.25 times the frame, about its centre
    expected = (np.array(EXPECTED) - [WIDTH / 2, HEIGHT / 2]) * scale + [48, 64]
    np.testing.assert_allclose(poses.keypoints[0], expected, atol=1e-3)
    assert poses.skeleton.name == "FIVE"


WRONG = [
    ("boxes of five numbers", "boxes", (1, 2, 5), r"zooming: boxes: expected one of 4 numbers .* got \(1, 1, 5\)"),
    ("too few boxes", "boxes", (1, 1, 4), r"zooming: boxes: expected one of 4 numbers for a head, got \(1, 0, 4\)"),
    ("too few maps", "hands", (1, 3, 8, 8), r"zooming: heatmaps: expected 2 keypoints of FIVE in 4 dimensions"),
]


@pytest.mark.parametrize("name, shape, says", [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_outputs_that_do_not_fit_are_named(backend, name, shape, says):
    with pytest.raises(CardError, match=says):
        PointHeads(card(), backend)(dict(outputs(), **{name: np.zeros(shape, np.float32)}), 1)


def test_without_a_fixed_input_nobody_knows_where_a_box_lies(backend):
    with pytest.raises(CardError, match="maps within boxes need a fixed input: export it with --size WxH"):
        PointHeads(card(size=None), backend)(outputs(), 1)


def test_the_card_keeps_which_heads_have_boxes():
    again = card_from_json(card_to_json(card()))
    assert again == card()
    assert [head.in_boxes for head in again.heads] == [False, True, True]
    with pytest.raises(CardError, match="`bicubic` is of maps of the whole picture, these cover `boxes`"):
        card_from_json(card_to_json(card()).replace('"quarter"', '"bicubic"').replace('"stride": 0', '"stride": 4'))
    with pytest.raises(CardError, match="a integral head has outputs heatmaps; got boxes, heatmaps"):
        card_from_json(card_to_json(card()).replace('"heatmap"', '"integral"').replace('"quarter"', "null"))
