"""Boxes to crops, against a plain loop over pixels, and the way back."""
import math

import numpy as np
import pytest

from wholebody.card import InputSpec
from wholebody.errors import ShapeError
from wholebody.runtime.topdown.boxes import plan_crops
from wholebody.runtime.topdown.numpy_backend import NumpyBackend

RGB = InputSpec("image", color="rgb", scale=1 / 255, mean=(0.406, 0.457, 0.48), std=(1.0, 0.5, 2.0), size=(32, 24))
SPECS = [
    pytest.param(RGB, id="RGB planes"),
    pytest.param(RGB._replace(layout="NHWC", color="bgr"), id="BGR, channels last"),
    pytest.param(InputSpec("image", dtype="uint8", size=(32, 24)), id="bytes"),
    pytest.param(InputSpec("image", dtype="uint8", layout="NHWC", color="rgb", size=(32, 24)), id="bytes, last"),
]
BOXES = np.array([[10, 8, 40, 60], [-30, -20, 25, 30], [70, 50, 140, 130], [500, 500, 600, 700], [30, 20, 30, 20],
                  [20, 20, 21, 21], [-900, -900, 900, 900]], np.float32)
PICTURE = np.random.RandomState(0).randint(0, 256, (73, 91, 3)).astype(np.uint8)


def empty(spec, people):
    height, width = spec.size
    shape = (3, height, width) if spec.layout == "NCHW" else (height, width, 3)
    return np.full((people,) + shape, 77, spec.dtype)


def by_hand(picture, matrix, spec):
    """One pixel after the other, in float64."""
    height, width = spec.size
    out = np.zeros((height, width, 3))
    for y in range(height):
        for x in range(width):
            px, py = np.asarray(matrix, np.float64) @ [x, y, 1]
            left, top = math.floor(px), math.floor(py)
            for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
                if 0 <= row < picture.shape[0] and 0 <= column < picture.shape[1]:
                    out[y, x] += picture[row, column] * ((1 - abs(px - column)) * (1 - abs(py - row)))
    return out


@pytest.mark.parametrize("spec", SPECS)
def test_a_crop_is_what_a_plain_loop_over_pixels_gives(backend, spec):
    crops, out = plan_crops(BOXES, (24, 32)), empty(spec, len(BOXES))
    backend.crops(PICTURE, crops.matrices, spec, out)
    for matrix, one in zip(crops.matrices, out):
        levels = by_hand(PICTURE, matrix, spec)[..., ::1 if spec.color == "bgr" else -1]
        expected = levels if spec.dtype == "uint8" else (levels * spec.scale - spec.mean) / spec.std
        found = one if spec.layout == "NHWC" else one.transpose(1, 2, 0)
        grey = 1 if spec.dtype == "uint8" else spec.scale / min(spec.std)
        np.testing.assert_allclose(found, expected, atol=0.51 * grey)


@pytest.mark.parametrize("spec", SPECS)
def test_both_ways_crop_to_the_same_bytes(backend, spec):
    matrices = plan_crops(BOXES, (24, 32)).matrices
    turned = np.array([[[0.8, -0.6, 20], [0.6, 0.8, 3]], [[-2, 0.1, 90], [0.3, -2, 70]]], np.float32)
    for some in (matrices, turned, matrices[:0], matrices[[0]] * np.float32(1e9)):
        expected, found = empty(spec, len(some)), empty(spec, len(some))
        NumpyBackend().crops(PICTURE, some, spec, expected)
        backend.crops(PICTURE, some, spec, found)
        np.testing.assert_array_equal(found, expected)


def test_a_picture_may_be_a_view(backend):
    matrices = plan_crops(BOXES, (24, 32)).matrices
    for view in (PICTURE[:, ::-1], PICTURE[::-1], PICTURE[5:60, 7:80], PICTURE[..., ::-1]):
        found, expected = empty(RGB, len(BOXES)), empty(RGB, len(BOXES))
        backend.crops(view, matrices, RGB, found)
        backend.crops(np.ascontiguousarray(view), matrices, RGB, expected)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("udp", [False, True])
def test_a_crop_is_the_affine_of_three_points(udp):
    """Centre to centre, and half the width along the up direction to half the width: AlphaPose's and mmpose's way."""
    crops = plan_crops(BOXES[:3], (192, 256), 1.25, udp)
    for box, matrix in zip(BOXES, crops.matrices):
        w, h = box[2] - box[0], box[3] - box[1]
        w = 1.25 * max(w, h * 0.75)
        step = w / 191 if udp else w / 192
        centre = (box[:2] + box[2:]) / 2
        np.testing.assert_allclose(matrix @ [95.5 if udp else 96, 127.5 if udp else 128, 1], centre, atol=1e-4)
        np.testing.assert_allclose(matrix[0, 0], step, rtol=1e-6)
        np.testing.assert_allclose(matrix[1, 1], w * 4 / 3 / 255 if udp else step, rtol=1e-6)


def test_points_find_their_way_back_to_the_frame():
    crops = plan_crops(BOXES, (192, 256))
    cells = np.random.RandomState(1).uniform(0, 48, (len(BOXES), 17, 2)).astype(np.float32)
    ends = np.concatenate([cells * 4, np.ones((len(BOXES), 17, 1), np.float32)], axis=2)
    expected = np.einsum("nij,nkj->nki", crops.matrices, ends)
    np.testing.assert_allclose(crops.to_frame(cells, (48, 64)), expected, rtol=1e-4, atol=1e-3)


def test_boxes_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"expected shape \(N, 4\), got \(3,\)"):
        plan_crops(np.zeros(3, np.float32), (192, 256))
