"""The coordinates of --keypoint-scale, as OpenPose defines them."""
import numpy as np
import pytest

from wholebody.card import InputSpec
from wholebody.runtime.geometry import plan
from wholebody.runtime.keypoint_scale import SCALES, scale_keypoints

WIDTH, HEIGHT = 1281, 721
POINTS = np.array([[[0, 0], [640, 360], [1280, 720]]], np.float32)
EXPECTED = {  # of a 1281x721 picture; net is filled in from the geometry
    "input": [[0, 0], [640, 360], [1280, 720]],
    "output": [[0, 0], [640, 360], [1280, 720]],
    "unit": [[0, 0], [0.5, 0.5], [1, 1]],
    "centred": [[-1, -1], [0, 0], [1, 1]],
}


def geometry(**spec):
    return plan(InputSpec("image", height=368, multiple=16, **spec), WIDTH, HEIGHT)


@pytest.mark.parametrize("scale", sorted(EXPECTED))
def test_the_corners_and_the_middle_of_a_picture(scale):
    scaled = scale_keypoints(POINTS, scale, WIDTH, HEIGHT, geometry())
    np.testing.assert_allclose(scaled[0], EXPECTED[scale], atol=1e-6)


@pytest.mark.parametrize("resize, padding", [("openpose", "right-bottom"), ("stretch", "right-bottom"),
                                             ("fit", "right-bottom"), ("fit", "centre")])
def test_net_is_where_the_point_lies_in_the_networks_input(resize, padding):
    where = geometry(resize=resize, padding=padding)
    scaled = scale_keypoints(POINTS, "net", WIDTH, HEIGHT, where)
    expected = POINTS / np.array(where.scale) + [where.left, where.top]
    np.testing.assert_allclose(scaled, expected, rtol=1e-5)
    assert scaled[..., 0].max() <= where.net_width + 1
    assert scaled[..., 1].max() <= where.net_height + 1


@pytest.mark.parametrize("scale", SCALES)
def test_nobody_stays_nobody_and_the_type_stays(scale):
    scaled = scale_keypoints(np.zeros((0, 18, 2), np.float32), scale, WIDTH, HEIGHT, geometry())
    assert (scaled.shape, scaled.dtype) == ((0, 18, 2), np.float32)


@pytest.mark.parametrize("scale", SCALES)
def test_a_picture_of_one_pixel_gives_finite_numbers(scale):
    where = plan(InputSpec("image", resize="openpose"), 1, 1)
    assert np.isfinite(scale_keypoints(np.zeros((1, 1, 2), np.float32), scale, 1, 1, where)).all()


def test_an_unknown_scale_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown keypoint scale 'pixel'; known: input, net, output, unit, centred"):
        scale_keypoints(POINTS, "pixel", WIDTH, HEIGHT, geometry())
