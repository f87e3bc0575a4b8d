"""The warp of OpenPose's network input, against its definition written out pixel by pixel."""
import numpy as np
import pytest

from wholebody.card import InputSpec
from wholebody.runtime.geometry import openpose_scale
from wholebody.runtime.preprocess import Preprocessor
from wholebody.runtime.warp import scale_from_origin


def cubic(distance):
    """OpenCV's cubic kernel, a = -0.75."""
    a, x = -0.75, abs(distance)
    if x <= 1:
        return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1
    return a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a if x < 2 else 0.0


def linear(distance):
    return max(0.0, 1 - abs(distance))


def by_definition(image, factor, width, height):
    """Output pixel p is the sum over the picture's pixels i of kernel(p / factor - i) * i; outside is black."""
    kernel = cubic if factor > 1 else linear
    across = np.array([[kernel(x / factor - i) for i in range(image.shape[1])] for x in range(width)])
    down = np.array([[kernel(y / factor - i) for i in range(image.shape[0])] for y in range(height)])
    return np.clip(np.rint(np.einsum("yi,xj,ijc->yxc", down, across, image.astype(float))), 0, 255)


def picture(width, height):
    return np.random.RandomState(width).randint(0, 256, size=(height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("factor", [0.2, 0.55, 0.999, 1.0, 1.3, 2.0, 4.7])
def test_every_pixel_is_what_the_definition_says(factor):
    image = picture(9, 7)
    width, height = int(9 * factor) + 6, int(7 * factor) + 6
    warped = scale_from_origin(image, factor, (width, height))
    assert (warped.shape, warped.dtype) == ((height, width, 3), np.uint8)
    assert np.abs(warped - by_definition(image, factor, width, height)).max() <= 1


@pytest.mark.parametrize("size", [(20, 15), (40, 30), (30, 41), (100, 37), (33, 64)], ids=lambda s: "%dx%d" % s)
def test_the_network_input_is_the_warp_to_its_last_column(size):
    """Also where the kernel reaches past the picture's edge and mixes it with the black outside."""
    image = picture(*size)
    blob, geometry = Preprocessor(InputSpec("image", height=32, multiple=16, resize="openpose"))(image)
    net = (geometry.net_width, geometry.net_height)
    expected = by_definition(image, openpose_scale(size, net), *net)
    assert np.abs(blob[0].transpose(1, 2, 0) - expected).max() <= 1


def test_the_picture_itself_is_not_touched():
    image = picture(9, 7)
    before = image.copy()
    scale_from_origin(image, 1.7, (15, 12))
    np.testing.assert_array_equal(image, before)
