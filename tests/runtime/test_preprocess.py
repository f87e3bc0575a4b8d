"""Frame to network input."""
import numpy as np
import pytest

from wholebody.card import InputSpec
from wholebody.errors import ShapeError
from wholebody.runtime.geometry import Resolution
from wholebody.runtime.preprocess import Preprocessor, warn_of_rounding
from wholebody.runtime.warp import scale_from_origin

RANDOM = np.random.RandomState(0)


def picture(width, height):
    return RANDOM.randint(0, 256, size=(height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("color", ["bgr", "rgb"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_pixel_is_scaled_shifted_and_put_in_its_channel(color, layout):
    spec = InputSpec("image", layout=layout, color=color, scale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6),
                     height=16, multiple=8)
    image = picture(24, 16)
    blob, _ = Preprocessor(spec)(image)
    ordered = image[:, :, ::-1] if color == "rgb" else image
    expected = (ordered / 255.0 - [0.1, 0.2, 0.3]) / [0.4, 0.5, 0.6]
    got = blob[0].transpose(1, 2, 0) if layout == "NCHW" else blob[0]
    assert blob.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("color", ["bgr", "rgb"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_network_that_scales_gets_pixels_as_they_are(color, layout):
    spec = InputSpec("image", layout=layout, color=color, size=(16, 32), dtype="uint8", pad_value=(1.0, 128.0, 255.0))
    image = picture(24, 16)
    blob, _ = Preprocessor(spec)(image)
    expected = np.zeros((16, 32, 3), np.uint8) + np.uint8([1, 128, 255])
    expected[:, :24] = image
    assert blob.dtype == np.uint8
    got = blob[0].transpose(1, 2, 0) if layout == "NCHW" else blob[0]
    np.testing.assert_array_equal(got, expected[:, :, ::-1] if color == "rgb" else expected)


@pytest.mark.parametrize("padding, inside", [("right-bottom", np.s_[:16, :16]), ("centre", np.s_[:16, 4:20])])
def test_the_rest_is_filled_with_the_pad_pixel_normalised(padding, inside):
    spec = InputSpec("image", scale=1 / 256, mean=(0.5, 0.5, 0.5), size=(16, 24), padding=padding,
                     pad_value=(128.0, 0.0, 64.0))
    blob, _ = Preprocessor(spec)(picture(32, 32))
    outside = np.ones((16, 24), bool)
    outside[inside] = False
    for channel, value in enumerate((0.0, -0.5, -0.25)):
        np.testing.assert_allclose(blob[0, channel][outside], value)


def test_padding_stays_when_pictures_change_and_the_buffer_is_reused():
    preprocess = Preprocessor(InputSpec("image", height=32, multiple=8), Resolution(64, 32))
    first, _ = preprocess(picture(64, 32))
    second, geometry = preprocess(picture(32, 32))
    assert second is first
    assert geometry.resized_width == 32
    assert (second[0, :, :, 32:] == 0).all(), "nothing of the wider picture is left"


def test_a_resolution_that_is_no_multiple_is_rounded_and_that_is_said(caplog):
    spec, resolution = InputSpec("image", multiple=16), Resolution(650, 360)
    blob, _ = Preprocessor(spec, resolution)(picture(64, 32))
    assert blob.shape == (1, 3, 368, 656)
    warn_of_rounding(spec, resolution)
    assert "--net-resolution 650x360: this network's sides are multiples of 16" in caplog.text


def test_the_picture_is_resized_into_memory_of_its_own_that_is_kept():
    preprocess = Preprocessor(InputSpec("image", height=16, multiple=8))
    first = picture(48, 32)
    before = first.copy()
    blob = preprocess(first)[0].copy()
    preprocess(picture(48, 32))
    np.testing.assert_array_equal(first, before)
    np.testing.assert_array_equal(preprocess(first)[0], blob)


@pytest.mark.parametrize("image, message", [
    (np.zeros((4, 4), np.uint8), "got uint8 (4, 4)"), (np.zeros((4, 4, 4), np.uint8), "got uint8 (4, 4, 4)"),
    (np.zeros((4, 4, 3), np.float32), "got float32 (4, 4, 3)"), (None, "got None"), ([[1]], "got list")],
    ids=["grey", "alpha", "float", "None", "list"])
def test_what_is_no_bgr_picture_is_refused(image, message):
    with pytest.raises(ShapeError) as caught:
        Preprocessor(InputSpec("image"))(image)
    assert "expected uint8 (H, W, 3) BGR" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (5000, 3)], ids=["1x1", "1x500", "5000x3"])
@pytest.mark.parametrize("resize", ["fit", "openpose", "stretch"])
def test_pictures_of_any_shape_pass(resize, size):
    blob, geometry = Preprocessor(InputSpec("image", height=64, multiple=16, resize=resize))(picture(*size))
    assert blob.shape == (1, 3, geometry.net_height, geometry.net_width)
    assert np.isfinite(blob).all()


def test_a_view_that_is_not_contiguous_gives_the_same_as_its_copy():
    image = picture(48, 32)[:, ::-1]
    spec = InputSpec("image", height=16, multiple=8)
    np.testing.assert_array_equal(Preprocessor(spec)(image)[0], Preprocessor(spec)(np.ascontiguousarray(image))[0])


@pytest.mark.parametrize("factor", [0.25, 0.6, 1.7, 3.0])
def test_the_warp_of_openpose_leaves_a_ramp_a_ramp(factor):
    ramp = np.repeat(np.arange(0, 100, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    width = int(99 * factor) + 1
    warped = scale_from_origin(ramp, factor, (width, int(39 * factor) + 1))
    inner = slice(int(2 * factor) + 1, width - int(2 * factor) - 2)
    expected = np.arange(width) / factor
    assert np.abs(warped[5, inner, 0] - expected[inner]).max() <= 0.51


def test_the_warp_of_openpose_is_black_outside():
    white = np.full((4, 4, 3), 255, np.uint8)
    warped = scale_from_origin(white, 1.0, (8, 6))
    assert (warped[:4, :4] == 255).all()
    assert (warped[4:] == 0).all()
    assert (warped[:, 4:] == 0).all()
