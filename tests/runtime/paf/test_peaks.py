"""Keypoint candidates, on maps drawn pixel by pixel (stride 1 upsamples to the same)."""
import numpy as np
import pytest

from wholebody.runtime.paf.upsample import bicubic_taps, linear_taps, sample_field, upsample, upsample_field

WIDTH, HEIGHT = 40, 30


def candidates(decoder, skeleton_of, backend, pixels, size=(HEIGHT, WIDTH), **options):
    """Peaks of the first keypoint of a map with these {(x, y): value}."""
    skeleton = skeleton_of("STICK")
    heat = np.zeros((skeleton.heatmap_channels,) + size, np.float32)
    for (x, y), value in pixels.items():
        heat[0, y, x] = value
    return decoder(skeleton, backend, **options).candidates(heat)[0]


@pytest.mark.parametrize(("x", "y", "ring", "cuda"), [
    (20, 15, 1, 1), (2, 2, 1, 1), (1, 1, 1, 1), (38, 28, 1, 1), (1, 15, 1, 1), (20, 28, 1, 1),
    (1, 0, 1, 0), (0, 1, 1, 0), (38, 0, 1, 0), (39, 28, 1, 0), (0, 28, 1, 0), (1, 29, 1, 0),
    (0, 0, 0, 0), (39, 29, 0, 0), (20, 0, 0, 0), (0, 15, 0, 0), (39, 15, 0, 0), (20, 29, 0, 0),
])
def test_a_pixel_counts_where_the_border_rule_lets_it(x, y, ring, cuda, decoder, skeleton_of, backend):
    for border, expected in (("ring", ring), ("cuda", cuda)):
        assert len(candidates(decoder, skeleton_of, backend, {(x, y): .5}, border=border)) == expected


@pytest.mark.parametrize(("pixels", "ring", "cuda"), [
    ({(10, 10): .5, (11, 10): .5}, 0, 0), ({(1, 10): .5, (1, 11): .5}, 2, 0), ({(10, 1): .5, (11, 1): .5}, 2, 0),
    ({(1, 10): .5, (2, 10): .5}, 1, 0), ({(0, 1): .5, (1, 0): .5}, 2, 0), ({(10, 10): .5, (12, 10): .5}, 2, 2),
], ids=["inside", "left ring", "top ring", "ring and inside", "corner", "not neighbours"])
def test_ties_count_on_the_ring_only(pixels, ring, cuda, decoder, skeleton_of, backend):
    for border, expected in (("ring", ring), ("cuda", cuda)):
        assert len(candidates(decoder, skeleton_of, backend, pixels, border=border)) == expected


def test_a_peak_is_above_the_threshold_not_at_it(decoder, skeleton_of, backend):
    at = np.float32(0.3)
    pixels = {(10, 10): at, (20, 10): np.nextafter(at, np.float32(1))}
    found = candidates(decoder, skeleton_of, backend, pixels, nms_threshold=0.3)
    np.testing.assert_array_equal(found[:, 0], [20.5])


def test_only_the_first_127_peaks_in_scan_order_are_taken(decoder, skeleton_of, backend):
    pixels = {(x, y): .5 for x in range(3, 38, 2) for y in range(3, 28, 2)}
    assert len(pixels) > 200
    first = sorted(pixels, key=lambda xy: (xy[1], xy[0]))
    for options, count in (({}, 127), ({"max_peaks": 5}, 5), ({"max_peaks": 1000}, len(pixels))):
        found = candidates(decoder, skeleton_of, backend, pixels, **options)
        assert len(found) == count
        np.testing.assert_allclose(found[:5, 1], [y + .5 for _, y in first[:5]], atol=1.5)
        assert found[:5, 0].tolist() == sorted(found[:5, 0].tolist())


def test_a_peak_is_the_centroid_of_positive_values_plus_half_and_its_score_is_the_pixel(decoder, skeleton_of, backend):
    pixels = {(10, 10): .6, (12, 10): .2, (10, 13): .2, (9, 9): -.5, (14, 10): .04}  # the last is 4 pixels away
    found = candidates(decoder, skeleton_of, backend, pixels)
    np.testing.assert_allclose(found[0], [10 + .4 / 1 + .5, 10 + .6 / 1 + .5, .6], rtol=1e-6)


def test_the_centroid_stops_at_the_edge_of_the_map(decoder, skeleton_of, backend):
    found = candidates(decoder, skeleton_of, backend, {(1, 1): .6, (4, 0): .2})
    np.testing.assert_allclose(found[0], [(.6 + .8) / .8 + .5, .6 / .8 + .5, .6], rtol=1e-6)


def surfaces(shape, rng):
    """Maps (n, h, w) with maxima where a short cut could miss them or find too many."""
    height, width = shape
    y, x = np.mgrid[:height, :width]

    def blob(sigma):
        along, up = rng.uniform(-1, width), rng.uniform(-1, height)
        return rng.uniform(.1, 1) * np.exp(-((x - along) ** 2 + (y - up) ** 2) / (2 * sigma ** 2))
    blobs = np.max([blob(rng.uniform(.4, 2)) for _ in range(8)], axis=0)
    ridge = np.exp(-((x - width / 2) * .8 + (y - height / 2) * .6) ** 2) * (1 + .01 * np.sin(x * .6 - y * .8))
    outlier = blobs.copy()
    outlier[height // 2, width // 3] = 1e6
    on_cells = np.max([np.exp(-((x - rng.integers(2 * width) / 2) ** 2 + (y - rng.integers(2 * height) / 2) ** 2) / 1.5)
                       for _ in range(8)], axis=0)
    return np.array([blobs, blobs + rng.normal(0, .02, shape), rng.normal(0, .1, shape), np.minimum(blobs, .2),
                     np.round(blobs * 5) / 5, ridge, x * .01 + y * .02, outlier, rng.integers(-2, 3, shape) * .1,
                     (rng.random(shape) < .1) * rng.uniform(-1, 1, shape), on_cells * rng.uniform(.06, 1),
                     on_cells * rng.uniform(.045, .07), .05 + rng.normal(0, 1e-7, shape), ridge + x * 1e-7,
                     sum(blob(rng.uniform(.6, 1.2)) for _ in range(20)), on_cells * 1e-43], np.float32)


@pytest.mark.parametrize("options", [{}, {"kernel": "catmull-rom", "border": "cuda"}, {"nms_threshold": 0.},
                                     {"nms_threshold": .3, "max_peaks": 1000}],
                         ids=["usual", "as CUDA", "all above 0", "high threshold"])
@pytest.mark.parametrize("stride", [4, 8])
def test_peaks_of_any_surface_are_the_bytes_of_the_upsampled_map_s(stride, options, decoder, skeleton_of, native):
    skeleton, rng = skeleton_of("COCO_18"), np.random.default_rng(stride)
    for shape in ((17, 70), (1, 9), (6, 1), (2, 2)):
        heat = np.zeros((skeleton.heatmap_channels,) + shape, np.float32)
        drawn = surfaces(shape, rng)
        heat[:len(drawn)] = drawn
        found, expected = (decoder(skeleton, backend, stride=stride, **options).candidates(heat)
                           for backend in ("native", "numpy"))
        assert shape != (17, 70) or sum(map(len, expected)) > 50
        assert [peaks.tobytes() for peaks in found] == [peaks.tobytes() for peaks in expected]


@pytest.mark.long
@pytest.mark.parametrize("threshold", [0., .05, .3])
@pytest.mark.parametrize("kernel", ["opencv", "catmull-rom"])
@pytest.mark.parametrize("stride", [4, 8])
def test_so_are_those_of_many_surfaces(stride, kernel, threshold, decoder, skeleton_of, native):
    skeleton, rng = skeleton_of("COCO_18"), np.random.default_rng([stride, int(100 * threshold)])
    for _ in range(150):
        shape = tuple(rng.integers(3, (25, 72)))
        heat = np.zeros((skeleton.heatmap_channels,) + shape, np.float32)
        drawn = surfaces(shape, rng)
        heat[:len(drawn)] = drawn * rng.choice([.1, 1, 1, 1000])
        found, expected = (decoder(skeleton, backend, stride=stride, kernel=kernel, nms_threshold=threshold,
                                   max_peaks=4000).candidates(heat) for backend in ("native", "numpy"))
        assert [peaks.tobytes() for peaks in found] == [peaks.tobytes() for peaks in expected]


@pytest.mark.parametrize("kernel", ["opencv", "catmull-rom", "linear"])
@pytest.mark.parametrize("stride", [1, 2, 3, 8])
def test_sampling_some_pixels_gives_the_bits_of_upsampling_all(stride, kernel):
    channel = np.random.default_rng(4).normal(size=(5, 7)).astype(np.float32)
    taps = linear_taps(stride) if kernel == "linear" else bicubic_taps(stride, kernel)
    full = upsample_field(channel, taps)
    ys, xs = np.mgrid[:5 * stride, :7 * stride]
    np.testing.assert_array_equal(sample_field(channel, taps, xs, ys), full)
    np.testing.assert_allclose(taps.weights.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("kernel", ["CUBIC", "LINEAR"])
def test_upsampling_agrees_with_opencv(kernel):
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    channel = np.random.default_rng(4).normal(size=(9, 12)).astype(np.float32)
    expected = cv2.resize(channel, (96, 72), interpolation=getattr(cv2, "INTER_" + kernel))
    taps = linear_taps(8) if kernel == "LINEAR" else bicubic_taps(8, "opencv")
    np.testing.assert_allclose(upsample(channel, taps), expected, atol=2e-6)
