"""The native backend and its NumPy twin give the same bytes."""
import threading

import numpy as np
import pytest

from wholebody.runtime.paf import PafDecoder, PafOptions

SKELETONS = ["BODY_25", "COCO_18", "MPI_15", "BODY_25B", "BODY_135", "TRT_POSE_18", "STICK"]
pytestmark = pytest.mark.usefixtures("native")


def assert_same(poses, expected):
    for field in ("keypoints", "scores", "person_scores", "boxes_xyxy"):
        np.testing.assert_array_equal(getattr(poses, field), getattr(expected, field), err_msg=field)


def both(skeleton, maps, stride=8, **options):
    options = PafOptions.for_skeleton(skeleton, **options)
    native, twin = (PafDecoder(skeleton, stride, name, options) for name in ("native", "numpy"))
    for got, expected in zip(native.candidates(maps[0]), twin.candidates(maps[0])):
        np.testing.assert_array_equal(got, expected)
    poses = native(*maps)
    assert_same(poses, twin(*maps))
    return poses


@pytest.mark.parametrize("border", ["ring", "cuda"])
@pytest.mark.parametrize("kernel", ["opencv", "catmull-rom"])
@pytest.mark.parametrize("name", SKELETONS)
def test_a_crowd_is_decoded_alike(name, kernel, border, skeleton_of, crowd):
    skeleton = skeleton_of(name)
    options = {"nms_threshold": 0.05} if name == "MPI_15" else {}  # its own 0.6 hides most of a crowd
    poses = both(skeleton, crowd(skeleton, 8, seed=31), kernel=kernel, border=border, **options)
    assert len(poses) > 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["BODY_25", "STICK"])
def test_other_crowds_are_decoded_alike(name, seed, skeleton_of, crowd):
    skeleton = skeleton_of(name)
    assert len(both(skeleton, crowd(skeleton, 3 * seed, seed=seed, cells=(20 + seed, 31 - seed)))) > 0 or seed == 0


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("name", ["BODY_25", "COCO_18", "BODY_135", "STICK"])
def test_noise_is_decoded_alike(name, scale, skeleton_of):
    skeleton, rng = skeleton_of(name), np.random.default_rng(5)
    maps = [rng.normal(0.2, scale, (count, 17, 13)).astype(np.float32)
            for count in (skeleton.heatmap_channels, skeleton.paf_channel_count)]
    both(skeleton, maps)


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5, 16])
def test_every_stride_is_decoded_alike(stride, mode, skeleton_of, crowd):
    skeleton = skeleton_of("COCO_18")
    both(skeleton, crowd(skeleton, 4, seed=2), stride=stride, mode=mode)


# With 3 peaks a keypoint a field is read where it lies, with 40 its cells are copied.
@pytest.mark.parametrize("max_peaks", [3, 40])
@pytest.mark.parametrize("stride", [1, 3, 4, 8])
@pytest.mark.parametrize("cells", [(17, 13), (9, 40), (1, 9), (9, 1), (2, 2), (3, 4)], ids=str)
def test_the_fast_mode_reads_to_the_edges_alike(cells, stride, max_peaks, skeleton_of):
    skeleton, rng = skeleton_of("STICK"), np.random.default_rng(stride)
    heat, pafs = (rng.normal(0.3, 0.5, (count,) + cells).astype(np.float32) for count in (6, 10))
    for view in ((heat, pafs), (heat[:, ::-1], pafs[:, ::-1]), (heat[:, :, ::-1], pafs[:, :, ::-1]),
                 (heat.astype(np.float16), pafs.astype(np.float16))):
        both(skeleton, view, stride=stride, mode="fast", max_peaks=max_peaks, min_score=-1.0, min_keypoints=1)


@pytest.mark.parametrize("max_peaks", [3, 40])
def test_the_fast_mode_takes_values_that_are_none_for_nothing_alike(max_peaks, skeleton_of, crowd):
    skeleton, rng = skeleton_of("BODY_25"), np.random.default_rng(6)
    for maps in crowd(skeleton, 6, seed=4), crowd(skeleton, 6, seed=5, cells=(13, 41)):
        for array in maps:
            strange = rng.uniform(size=array.shape) < 0.05
            array[strange] = rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e30, 1e9, 9.9e8, -9.9e8], strange.sum())
        with np.errstate(over="ignore"):
            halves = [array.astype(np.float16) for array in maps]
        for arrays in (maps, halves):
            both(skeleton, arrays, mode="fast", max_peaks=max_peaks)


@pytest.mark.parametrize("options", [
    {"mode": "fast"}, {"mode": "fast", "nms_threshold": 0.0, "max_peaks": 40},
    {"maximize_positives": True}, {"number_people_max": 2}, {"max_peaks": 3}, {"max_peaks": 300}, {"paf_ratio": 0.0},
    {"paf_threshold": 0.0}, {"nms_threshold": 0.0}, {"min_keypoints": 1, "min_score": -1.0}, {"min_score": 5.0},
], ids=str)
def test_every_option_means_the_same(options, skeleton_of, crowd):
    skeleton = skeleton_of("BODY_135" if "number_people_max" in options else "BODY_25")
    both(skeleton, crowd(skeleton, 6, seed=11), **options)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_half_precision_maps_are_decoded_as_the_floats_they_stand_for(mode, skeleton_of, crowd):
    skeleton = skeleton_of("BODY_25")
    halves = [maps.astype(np.float16) for maps in crowd(skeleton, 6, seed=4)]
    halves[0][0, :3, 0] = np.nan, np.inf, 6e-8
    poses = both(skeleton, halves, mode=mode)
    assert len(poses) > 0
    assert_same(poses, both(skeleton, [maps.astype(np.float32) for maps in halves], mode=mode))


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_views_are_decoded_as_their_copies(mode, skeleton_of, crowd):
    skeleton = skeleton_of("COCO_18")
    maps = crowd(skeleton, 5, seed=12)
    for turn in (lambda m: m[:, ::-1], lambda m: m[:, ::-1, ::-1], lambda m: m[:, ::2, ::3],
                 lambda m: m[:, :, ::-1].transpose(0, 2, 1)):
        for dtype in (np.float32, np.float16):
            views = [turn(m.astype(dtype)) for m in maps]
            assert_same(both(skeleton, views, mode=mode), both(skeleton, [v.copy() for v in views], mode=mode))


@pytest.mark.parametrize("cells", [(2, 2), (1, 9), (9, 1), (3, 4), (1, 2)], ids=str)
@pytest.mark.parametrize("border", ["ring", "cuda"])
def test_the_smallest_maps_are_decoded_alike(cells, border, skeleton_of):
    skeleton, rng = skeleton_of("STICK"), np.random.default_rng(8)
    maps = [rng.uniform(0, 1, (count,) + cells).astype(np.float32) for count in (6, 10)]
    for stride in (1, 8):
        both(skeleton, maps, stride=stride, border=border)


def test_one_decoder_takes_maps_of_changing_size_and_crowd(skeleton_of, crowd):
    skeleton = skeleton_of("BODY_25")
    native, twin = (PafDecoder(skeleton, backend=name) for name in ("native", "numpy"))
    for people, cells in [(9, (30, 40)), (0, (30, 40)), (2, (40, 30)), (5, (12, 50)), (9, (30, 40))]:
        maps = crowd(skeleton, people, people, cells)
        assert_same(native(*maps), twin(*maps))


def test_threads_with_a_decoder_each_or_one_for_all_get_the_same(skeleton_of, crowd):
    skeleton = skeleton_of("COCO_18")
    scenes = [crowd(skeleton, 5, seed) for seed in range(4)]
    shared = PafDecoder(skeleton, backend="native")
    expected = [shared(*maps) for maps in scenes]
    failures = []

    def work(decode, index):
        try:
            for _ in range(50):
                assert_same(decode(*scenes[index]), expected[index])
        except AssertionError as error:
            failures.append(error)
    decoders = [PafDecoder(skeleton, backend="native"), PafDecoder(skeleton, backend="native"), shared, shared]
    threads = [threading.Thread(target=work, args=(decode, index)) for index, decode in enumerate(decoders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
