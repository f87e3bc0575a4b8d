"""What a decoder accepts, refuses and survives."""
import logging

import numpy as np
import pytest

from wholebody.errors import ModelError, ShapeError, SkeletonError
from wholebody.runtime.native import library
from wholebody.runtime.paf import PafDecoder, PafOptions, native_backend
from wholebody.runtime.paf import decoder as decoder_module
from wholebody.skeletons import get_skeleton, skeleton_from_dict

COCO = get_skeleton("COCO_18")


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(("heat", "pafs", "message"), [
    (zeros(17, 4, 4), zeros(38, 4, 4),
     r"heatmaps of COCO_18: expected shape \(18, h, w\) or \(19, h, w\), got \(17, 4, 4\)"),
    (zeros(20, 4, 4), zeros(38, 4, 4), r"expected shape \(18, h, w\) or \(19, h, w\), got \(20, 4, 4\)"),
    (zeros(1, 19, 4, 4), zeros(38, 4, 4), r"expected shape .*, got \(1, 19, 4, 4\)"),
    (zeros(19, 4), zeros(38, 4, 4), r"expected shape .*, got \(19, 4\)"),
    (zeros(19, 4, 4), zeros(19, 4, 4), r"pafs of COCO_18: expected shape \(38, h, w\), got \(19, 4, 4\)"),
    (zeros(19, 4, 4), zeros(38, 4, 5), r"pafs of COCO_18: expected height and width .*\(4, 4\), got \(4, 5\)"),
    (zeros(19, 4, 4).astype(np.float64), zeros(38, 4, 4), r"heatmaps .* expected float32 \(or float16\), got float64"),
    (zeros(19, 4, 4), zeros(38, 4, 4).astype(np.uint8), r"pafs .* expected float32 \(or float16\), got uint8"),
    (None, zeros(38, 4, 4), r"heatmaps .* got \(\)"),
], ids=["too few channels", "too many", "batch", "flat", "paf channels", "other size", "float64", "uint8", "nothing"])
def test_wrong_maps_are_refused_with_what_was_expected_and_got(heat, pafs, message, backend):
    with pytest.raises(ShapeError, match=message):
        PafDecoder(COCO, backend=backend)(heat, pafs)


def test_a_background_channel_may_come_along_or_not_and_changes_nothing(backend, crowd):
    heat, pafs = crowd(COCO, 3, seed=1)
    decode = PafDecoder(COCO, backend=backend)
    poses = decode(heat, pafs)
    assert len(poses) > 0
    np.testing.assert_array_equal(decode(heat[:18], pafs).keypoints, poses.keypoints)
    with pytest.raises(ShapeError, match=r"expected shape \(25, h, w\), got \(26, h*"):
        PafDecoder(get_skeleton("BODY_25B"), backend=backend)(zeros(26, 4, 4), zeros(72, 4, 4))


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(np.float32).reshape(array.shape)
    view[:] = array
    return view


@pytest.mark.parametrize("view", [
    np.asfortranarray, lambda a: np.repeat(a, 2, axis=2)[:, :, ::2],
    lambda a: a[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    lambda a: np.ascontiguousarray(a.transpose(1, 2, 0)).transpose(2, 0, 1), unaligned, lambda a: a.astype(">f4"),
    lambda a: np.pad(a, 3, mode="constant")[3:-3, 3:-3, 3:-3],
], ids=["fortran", "every other", "negative", "channels last", "unaligned", "big endian", "cut out"])
def test_any_view_of_the_same_values_gives_the_same_poses(view, backend, crowd):
    heat, pafs = crowd(COCO, 4, seed=3)
    decode = PafDecoder(COCO, backend=backend)
    expected, poses = decode(heat, pafs), decode(view(heat), view(pafs))
    assert len(expected) > 0
    np.testing.assert_array_equal(poses.keypoints, expected.keypoints)
    np.testing.assert_array_equal(poses.person_scores, expected.person_scores)


def test_half_precision_is_converted(backend, crowd):
    heat, pafs = (maps.astype(np.float16) for maps in crowd(COCO, 3, seed=1))
    decode = PafDecoder(COCO, backend=backend)
    expected = decode(heat.astype(np.float32), pafs.astype(np.float32))
    np.testing.assert_array_equal(decode(heat, pafs).keypoints, expected.keypoints)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -3e38], ids=str)
def test_a_value_that_is_not_finite_or_enormous_counts_as_zero(value, backend, crowd):
    heat, pafs = crowd(COCO, 5, seed=9)
    holes = [np.random.default_rng(i).uniform(size=maps.shape) < .05 for i, maps in enumerate((heat, pafs))]
    zeroed, poisoned = ([np.where(hole, np.float32(fill), maps) for hole, maps in zip(holes, (heat, pafs))]
                        for fill in (0, value))
    decode = PafDecoder(COCO, backend=backend)
    np.testing.assert_array_equal(decode(*poisoned).keypoints, decode(*zeroed).keypoints)
    full = [np.full_like(maps, value) for maps in (heat, pafs)]
    assert len(decode(*full)) == 0


@pytest.mark.parametrize("size", [(0, 0), (0, 7), (7, 0), (1, 1)], ids=str)
def test_maps_of_less_than_two_cells_hold_nobody(size, backend):
    decode = PafDecoder(COCO, backend=backend)
    heat, pafs = np.ones((19,) + size, np.float32), np.ones((38,) + size, np.float32)
    assert len(decode(heat, pafs)) == 0
    assert [found.shape for found in decode.candidates(heat)] == [(0, 3)] * 18


def test_the_same_maps_give_the_same_bytes_and_are_not_changed(backend, crowd):
    heat, pafs = crowd(COCO, 6, seed=5)
    before = heat.tobytes(), pafs.tobytes()
    decode = PafDecoder(COCO, backend=backend)
    first, second = decode(heat, pafs), decode(heat, pafs)
    for field in ("keypoints", "scores", "person_scores", "boxes_xyxy"):
        assert getattr(first, field).tobytes() == getattr(second, field).tobytes()
        assert not np.shares_memory(getattr(first, field), getattr(second, field))
    assert (heat.tobytes(), pafs.tobytes()) == before


def test_a_skeleton_without_pairs_is_refused():
    with pytest.raises(SkeletonError, match="COCO_17 has no PAF pairs"):
        PafDecoder(get_skeleton("COCO_17"), backend="numpy")


@pytest.mark.parametrize(("arguments", "message"), [
    ({"backend": "fortran"}, "unknown PAF backend 'fortran'; known: native, numpy, cuda, auto"),
    ({"stride": 0}, "stride: expected .*, got 0"), ({"stride": 2.5}, "stride: expected .*, got 2.5"),
], ids=["backend", "stride 0", "stride 2.5"])
def test_a_decoder_is_not_made_from_nonsense(arguments, message):
    with pytest.raises(ValueError, match=message):
        PafDecoder(COCO, **arguments)


@pytest.mark.parametrize("options", [
    {"kernel": "lanczos"}, {"border": "none"}, {"max_peaks": 0}, {"number_people_max": 0}, {"min_keypoints": 0},
    {"nms_threshold": -1.0}, {"paf_threshold": -0.1}, {"paf_ratio": 1.0}, {"min_score": float("nan")}, {"colour": 1},
], ids=str)
def test_options_that_make_no_sense_are_refused_by_name(options):
    with pytest.raises(ValueError, match=list(options)[0]):
        PafOptions.for_skeleton(COCO, **options)


@pytest.mark.parametrize(("name", "overrides", "expected"), [
    ("COCO_18", {}, (0.05, 0.05, 0.95, 3, 0.4)), ("MPI_15", {}, (0.6, 0.01, 0.95, 3, 0.4)),
    ("COCO_18", {"maximize_positives": True}, (0.02, 0.01, 0.75, 2, 0.05)),
    ("MPI_15", {"maximize_positives": True}, (0.6, 0.01, 0.75, 2, 0.05)),
    ("MPI_15", {"nms_threshold": 0.3}, (0.3, 0.01, 0.95, 3, 0.4)),
    ("COCO_18", {"maximize_positives": True, "min_score": 0.2}, (0.02, 0.01, 0.75, 2, 0.2)),
], ids=["default", "the set's own", "maximized", "the set's own, maximized", "overridden", "maximized, overridden"])
def test_thresholds_come_from_openpose_the_skeleton_and_the_caller(name, overrides, expected):
    assert PafOptions.for_skeleton(get_skeleton(name), **overrides)[:5] == expected


def test_a_misspelt_threshold_of_a_users_skeleton_is_refused():
    skeleton = skeleton_from_dict({"name": "MINE", "keypoints": ["a", "b"],
                                   "paf": {"pairs": [[0, 1]], "decoding": {"nms": 0.1}}})
    with pytest.raises(SkeletonError, match="MINE: unknown thresholds in paf.decoding: nms"):
        PafDecoder(skeleton, backend="numpy")


def test_a_closed_native_decoder_says_so(native):
    with PafDecoder(COCO, backend="native") as decode:
        decode(zeros(19, 4, 4), zeros(38, 4, 4))
    decode.close()
    with pytest.raises(ModelError, match="closed"):
        decode(zeros(19, 4, 4), zeros(38, 4, 4))


def test_maps_too_large_for_the_native_decoder_are_refused(native):
    size = (1 << 13, 1 << 13)
    heat = np.lib.stride_tricks.as_strided(zeros(1), (19,) + size, (0, 0, 0))
    pafs = np.lib.stride_tricks.as_strided(zeros(1), (38,) + size, (0, 0, 0))
    with pytest.raises(ShapeError, match="too large"):
        PafDecoder(COCO, backend="native")(heat, pafs)


def test_without_the_library_auto_takes_numpy_and_says_once_how_to_build_it(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(native_backend, "load_library", lambda: library.load_library(tmp_path))
    monkeypatch.setattr(decoder_module, "_told", [])
    with caplog.at_level(logging.INFO):
        decoders = [PafDecoder(COCO), PafDecoder(COCO)]
    assert len(decoders[0](zeros(19, 4, 4), zeros(38, 4, 4))) == 0
    assert len(caplog.records) == 1
    assert "python -m wholebody.runtime.native" in caplog.text
    with pytest.raises(ModelError, match="not built: no _wholebody.abi3.so or _wholebody.so in"):
        PafDecoder(COCO, backend="native")
