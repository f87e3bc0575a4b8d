"""Pairs of candidates over a field drawn by hand: one limb, a bottom right of its top."""
import numpy as np
import pytest

from wholebody.skeletons import skeleton_from_dict

LIMB = skeleton_from_dict({"name": "LIMB", "keypoints": ["start", "end"], "paf": {"pairs": [[0, 1]]}})
Y = 50


def decode(decoder, backend, start, end, field, size=(100, 150), **options):
    """Poses of one candidate a side and a field (2, h, w), drawn by `field(x array)` along the row."""
    heat, pafs = np.zeros((2,) + size, np.float32), np.zeros((2,) + size, np.float32)
    heat[0, start[1], start[0]] = heat[1, end[1], end[0]] = 1
    pafs[0, :, :] = field(np.arange(size[1]))
    return decoder(LIMB, backend, min_keypoints=2, **options)(heat, pafs)


def person_score(paf):
    return (2 + paf) / 3  # two keypoints of 1 over two keypoints and one limb


def ones(x):
    return np.ones(len(x))


def without(*pixels):
    return lambda x: 0.5 * ~np.isin(x, pixels)


# An end 80 pixels away takes 20 samples, at 10.5, 14.5, ... 86.5 of the row, each rounded up: pixels 11, 15, ... 87.
# 120 pixels take 24 samples, 5 apart.
@pytest.mark.parametrize(("end_x", "field", "score"), [
    (90, without(), 0.5), (90, without(91), 0.5), (90, without(13), 0.5), (90, without(15), None),
    (90, without(11), None), (90, without(87), None), (130, without(), 0.5), (130, without(16), 0.5),
    (130, without(16, 21), None), (90, lambda x: -ones(x), None), (90, lambda x: 0.05 * ones(x), None),
    (90, lambda x: 0.0501 * ones(x), 0.0501),
], ids=["all samples", "end point is not sampled", "between samples", "19 of 20 is not more than 0.95", "first", "last",
        "all 24", "23 of 24 is, and the mean is of those", "22 of 24 is not", "backwards", "at the threshold",
        "above the threshold"])
def test_a_pair_is_connected_by_enough_samples(end_x, field, score, decoder, backend):
    poses = decode(decoder, backend, (10, Y), (end_x, Y), field)
    assert len(poses) == (score is not None)
    if score is not None:
        np.testing.assert_allclose(poses.person_scores, person_score(score), rtol=1e-6)


# sqrt(300 * 300) / 150 is 2 pixels.
@pytest.mark.parametrize(("end", "connected"), [
    ((11, Y), True), ((11, Y + 1), True), ((12, Y), False), ((10, Y), False),
], ids=["one apart", "diagonal", "two apart", "coincident"])
def test_points_close_to_each_other_need_no_field(end, connected, decoder, backend):
    poses = decode(decoder, backend, (10, Y), end, lambda x: 0 * x, size=(300, 300))
    assert len(poses) == connected
    if connected:
        np.testing.assert_allclose(poses.person_scores, person_score(0.05 + 1e-6), rtol=1e-6)


def test_coincident_points_are_not_connected_by_any_field(decoder, backend):
    assert len(decode(decoder, backend, (10, Y), (10, Y), ones, size=(300, 300))) == 0


@pytest.mark.parametrize("channels", [[[0, 1]], [[1, 0]]], ids=["x first", "y first"])
def test_a_skeleton_says_which_channel_is_x(channels, decoder, backend):
    skeleton = skeleton_from_dict({"name": "LIMB", "keypoints": ["start", "end"],
                                   "paf": {"pairs": [[0, 1]], "channels": channels}})
    heat, pafs = np.zeros((2, 40, 60), np.float32), np.zeros((2, 40, 60), np.float32)
    heat[0, 20, 10] = heat[1, 20, 40] = 1
    pafs[0] = 1
    poses = decoder(skeleton, backend, min_keypoints=2)(heat, pafs)
    assert len(poses) == (channels == [[0, 1]])
