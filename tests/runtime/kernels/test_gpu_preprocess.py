"""The preprocessing kernel equals its NumPy twin bit for bit, and the CPU path to one grey level."""
import numpy as np
import pycuda_double
import pytest
from fake_gpu import FakeGpu

from wholebody.card import InputSpec
from wholebody.engines.device import Buffer
from wholebody.errors import ShapeError
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.geometry import Resolution
from wholebody.runtime.heads import channels_first
from wholebody.runtime.kernels.compiling import load_kernels
from wholebody.runtime.kernels.preprocess import Source, channel_values, crop_entries, preprocess_launch
from wholebody.runtime.kernels.preprocessor import GpuPreprocessor
from wholebody.runtime.kernels.taps import crop, picture_taps, resample
from wholebody.runtime.preprocess import Preprocessor

LEVEL = 1  # the largest difference from the CPU path, in grey levels of 255
SPEC = InputSpec("image", scale=1 / 256, mean=(0.5, 0.4, 0.3), std=(1.0, 0.9, 0.8), pad_value=(10.0, 128.0, 255.0))


@pytest.fixture
def device(gpu):
    opened = CudaDevice()
    with opened.active():
        yield opened
    opened.close()


def picture(width, height, seed=0):
    """Smooth and noisy parts, and edges."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[:height, :width]
    image = np.stack([127 + 120 * np.sin(x / 7 + c) * np.cos(y / 5) for c in range(3)], axis=2)
    image[:, width // 2:] = rng.randint(0, 256, image[:, width // 2:].shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def on_gpu(device, spec, images, resolution=Resolution(), dtype=None, pixel_format="bgr", size=None):
    """The input as the kernel makes it, and the geometry."""
    preprocess = GpuPreprocessor(device, spec, resolution, len(images), dtype)
    width, height = size or (images[0].shape[1], images[0].shape[0])
    geometry = preprocess.prepare(width, height, pixel_format)
    stream, out = device.new_stream(), device.alloc(preprocess.nbytes)
    result = device.host_array(preprocess.shape, dtype or spec.dtype)
    preprocess.enqueue(images, out, stream)
    device.download(result, out, stream)
    device.synchronize(stream)
    preprocess.close()
    preprocess.close()
    device.free(out)
    return result.copy(), geometry


def twin(spec, image, geometry, dtype):
    """The same by NumPy."""
    rows, columns = picture_taps(image.shape[1], image.shape[0], geometry, spec.resize)
    resized = resample(image, rows, columns)
    gain, bias, padding, channel = channel_values(spec, dtype)
    sides = (geometry.net_height, geometry.net_width)
    out = np.empty((3,) + sides if spec.layout == "NCHW" else sides + (3,), np.float32)
    planes = channels_first(out, spec.layout)
    inside = np.s_[geometry.top:geometry.top + geometry.resized_height,
                   geometry.left:geometry.left + geometry.resized_width]
    for c in range(3):
        planes[channel[c]] = padding[c]
        planes[channel[c]][inside] = resized[:, :, c] * np.float32(gain[c]) + np.float32(bias[c])
    return out.astype(dtype)


CASES = {
    "shrinks": ((150, 84), (64, 48)), "by two": ((128, 96), (64, 48)), "by three": ((96, 72), (32, 24)),
    "grows": ((40, 24), (96, 64)), "one way each": ((20, 100), (48, 48)), "same": ((64, 48), (64, 48)),
    "one pixel": ((1, 1), (32, 32)), "a line": ((200, 1), (48, 16)), "a column": ((3, 90), (32, 64)),
}


@pytest.mark.parametrize("resize", ["fit", "stretch", "openpose"])
@pytest.mark.parametrize("case", sorted(CASES))
def test_a_picture_is_resized_padded_and_normalised_as_on_the_cpu(case, resize, device):
    (width, height), (net_width, net_height) = CASES[case]
    spec = SPEC._replace(resize=resize, size=(net_height, net_width), padding="centre")
    image = picture(width, height)
    got, geometry = on_gpu(device, spec, [image])
    np.testing.assert_array_equal(got[0], twin(spec, image, geometry, "float32"))
    expected, same = Preprocessor(spec)(image)
    assert geometry == same
    level = np.abs(got - expected).max(axis=(0, 2, 3)) / [np.float32(spec.scale / std) for std in spec.std]
    assert level.max() <= (1e-3 if resize == "openpose" else LEVEL + 1e-3)


@pytest.mark.parametrize("size", [(1920, 1080), (640, 480), (321, 243)], ids=str)
def test_real_sizes_differ_from_opencv_in_few_pixels_and_by_one_level(size):
    spec = InputSpec("image", multiple=16, dtype="uint8")
    image = picture(*size)
    expected, geometry = Preprocessor(spec, Resolution(656, 368))(image)
    rows, columns = picture_taps(size[0], size[1], geometry, "fit")
    resized = resample(image, rows, columns).transpose(2, 0, 1)
    known = expected[0, :, geometry.top:geometry.top + geometry.resized_height,
                     geometry.left:geometry.left + geometry.resized_width]
    difference = np.abs(resized.astype(int) - known)
    assert difference.max() <= LEVEL
    assert (difference > 0).mean() < 0.15, "cv2 rounds its own way"


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("color", ["bgr", "rgb"])
def test_every_type_layout_and_order_of_colours(color, layout, dtype, device):
    scaling = {"scale": 1.0, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)} if dtype == "uint8" else {}
    spec = SPEC._replace(color=color, layout=layout, size=(24, 40), dtype="uint8" if dtype == "uint8" else "float32",
                         **scaling)
    image = picture(33, 30)
    got, geometry = on_gpu(device, spec, [image], dtype=dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got[0], twin(spec, image, geometry, dtype))


def test_halves_are_rounded_as_numpy_does(device):
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    for scale, mean in ((1 / 255, 0.45), (1e-7, 0.0), (3e-5, -1e-5), (700.0, 3.0), (-1e-3, 0.0), (1.0, 2000.5)):
        spec = InputSpec("image", scale=scale, mean=(mean,) * 3, size=(16, 16))
        got, _ = on_gpu(device, spec, [image], dtype="float16")
        exact, _ = on_gpu(device, spec, [image])
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(got.view(np.uint16), exact.astype(np.float16).view(np.uint16))


def test_a_batch_goes_in_one_launch_and_the_second_allocates_nothing(device, gpu):
    spec = SPEC._replace(size=(24, 40))
    images = [picture(33, 30, seed) for seed in range(5)]
    preprocess = GpuPreprocessor(device, spec, batch=5)
    preprocess.prepare(33, 30)
    stream, out = device.new_stream(), device.alloc(preprocess.nbytes)
    result = device.host_array(preprocess.shape, "float32")
    before = gpu.launches, gpu.allocations
    for turn in (images, images[::-1]):
        preprocess.prepare(33, 30)
        preprocess.enqueue(turn, out, stream)
        device.download(result, out, stream)
        device.synchronize(stream)
        for got, image in zip(result, turn):
            np.testing.assert_array_equal(got, on_cpu(spec, image))
    assert (gpu.launches - before[0], gpu.allocations) == (2, before[1])
    preprocess.close()
    device.free(out)


def on_cpu(spec, image):
    geometry = Preprocessor(spec).geometry(image)
    return twin(spec, image, geometry, "float32")


def test_memory_that_the_gpu_shares_is_not_copied(monkeypatch, gpu):
    gpu = pycuda_double.install(monkeypatch, FakeGpu(integrated=True))
    device, spec, image = CudaDevice(), SPEC._replace(size=(24, 40)), picture(33, 30)
    with device.active():
        preprocess = GpuPreprocessor(device, spec)
        preprocess.prepare(33, 30)
        stream, out = device.new_stream(), device.alloc(preprocess.nbytes)
        result, uploads = device.host_array(preprocess.shape, "float32"), gpu.uploads
        preprocess.enqueue([image], out, stream)
        device.download(result, out, stream)
        device.synchronize(stream)
        assert gpu.uploads == uploads
        np.testing.assert_array_equal(result[0], on_cpu(spec, image))
        preprocess.close()
        device.free(out)
    device.close()


@pytest.mark.parametrize("pixel_format", ["bgrx", "nv12"])
def test_what_cameras_deliver_gives_what_its_bgr_gives(pixel_format, device):
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    spec, rng = SPEC._replace(size=(24, 40)), np.random.RandomState(2)
    if pixel_format == "bgrx":
        image = rng.randint(0, 256, (30, 36, 4)).astype(np.uint8)
        bgr = image[:, :, :3]
    else:
        image = rng.randint(0, 256, (45, 36)).astype(np.uint8)
        bgr = cv2.cvtColor(image, cv2.COLOR_YUV2BGR_NV12)
    got, geometry = on_gpu(device, spec, [image], pixel_format=pixel_format, size=(36, 30))
    np.testing.assert_array_equal(got[0], twin(spec, np.ascontiguousarray(bgr), geometry, "float32"))


MATRICES = [[[1, 0, 0], [0, 1, 0]], [[1.5, 0.3, -4], [-0.2, 1.1, 6]], [[0.2, 0, 10.25], [0, 0.2, 5.75]],
            [[-1, 0, 30], [0, 1, 0]], [[50, 0, -900], [0, 50, -700]], [[1, 0, 1e9], [0, 1, -1e9]]]


def test_crops_of_one_picture_go_in_one_launch_and_equal_their_twin(device):
    image, size = picture(37, 29), (24, 20)
    stream, module = device.new_stream(), load_kernels(device)
    source, out = device.alloc(image.nbytes), device.alloc(len(MATRICES) * 3 * 24 * 20 * 4)
    entries = crop_entries(Source(source.address, 37, 29, 37 * 3), np.array(MATRICES, np.float32), size)
    host = np.frombuffer(entries, np.uint8)
    table = device.alloc(host.nbytes)
    device.upload(source, image, stream)
    device.upload(table, host, stream)
    spec = SPEC._replace(color="rgb")
    device.launch(module, preprocess_launch(table.address, len(MATRICES), out.address, size, "float32", spec), stream)
    result = device.host_array((len(MATRICES), 3, 20, 24), "float32")
    device.download(result, out, stream)
    device.synchronize(stream)
    gain, bias, _, channel = channel_values(spec, "float32")
    for got, matrix in zip(result, MATRICES):
        cropped = crop(image, np.array(matrix, np.float32), size)
        for c in range(3):
            np.testing.assert_array_equal(got[channel[c]], cropped[:, :, c] * np.float32(gain[c]) + np.float32(bias[c]))
    for buffer in (source, out, table):
        device.free(buffer)


def test_a_crop_that_is_the_picture_is_the_picture_and_beside_it_is_black():
    image = picture(12, 10)
    np.testing.assert_array_equal(crop(image, np.float32([[1, 0, 0], [0, 1, 0]]), (12, 10)), image)
    beside = crop(image, np.float32([[1, 0, -5], [0, 1, 0]]), (12, 10))
    assert (beside[:, :5] == 0).all()
    np.testing.assert_array_equal(beside[:, 5:], image[:, :7])


@pytest.mark.parametrize("matrix", [[[1, 0], [0, 1]], [[np.nan, 0, 0], [0, 1, 0]]], ids=["shape", "nan"])
def test_a_crop_needs_a_finite_matrix(matrix):
    with pytest.raises(ShapeError, match="expected finite"):
        crop_entries(Source(0, 4, 4, 12), np.array([matrix]), (4, 4))


@pytest.mark.parametrize("wrong, message", [
    ({"images": 2}, "expected 1 pictures"), ({"shape": (30, 34, 3)}, r"expected 1 pictures \(30, 33, 3\)"),
    ({"bytes": 100}, "expected an input of 11520 bytes, got 100")], ids=["number", "size", "room"])
def test_what_does_not_fit_is_refused(wrong, message, device):
    preprocess = GpuPreprocessor(device, SPEC._replace(size=(24, 40)))
    preprocess.prepare(33, 30)
    images = [np.zeros(wrong.get("shape", (30, 33, 3)), np.uint8)] * wrong.get("images", 1)
    with pytest.raises(ShapeError, match=message):
        preprocess.enqueue(images, Buffer(256, wrong.get("bytes", 11520)), 0)
    with pytest.raises(ShapeError, match="NV12: expected even sides, got 33x30"):
        preprocess.prepare(33, 30, "nv12")
    preprocess.close()
