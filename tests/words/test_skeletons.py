"""Keypoint sets: what they hold, how they convert, and what a user's own file may not say."""
import json

import pytest

from wholebody.errors import SkeletonError
from wholebody.skeletons import get_skeleton, load_skeleton, skeleton_from_dict, skeleton_names, skeleton_to_dict

COUNTS = {  # keypoints, limbs, background channel
    "COCO_17": (17, 0, False), "COCO_18": (18, 19, True), "MPI_15": (15, 14, True), "MPII_16": (16, 0, False),
    "BODY_25": (25, 26, True), "BODY_25B": (25, 36, False), "BODY_135": (135, 152, False),
    "TRT_POSE_18": (18, 21, False), "POSETRACK_17": (17, 0, False), "HAND_21": (21, 0, False),
    "FACE_68": (68, 0, False), "FACE_70": (70, 0, False), "WHOLEBODY_133": (133, 0, False),
    "HALPE_26": (26, 0, False), "HALPE_68": (68, 0, False), "HALPE_136": (136, 0, False),
}
NETWORK_CHANNELS = {"BODY_25": 78, "COCO_18": 57, "MPI_15": 44, "BODY_25B": 97, "BODY_135": 439}
CONVERSIONS = [  # source of each keypoint of the target; () is none, two are averaged
    ("BODY_25", "COCO_17", [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]),
    ("COCO_18", "COCO_17", [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]),
    ("BODY_25B", "COCO_17", list(range(17))),
    ("BODY_135", "COCO_17", list(range(17))),
    ("COCO_17", "COCO_18", [0, (5, 6), 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]),
    ("BODY_25", "HALPE_26", [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11, (), 1, 8, 19, 22, 20, 23, 21,
                             24]),
    ("HALPE_136", "HALPE_68", [*range(26), *range(94, 136)]),
    ("MPI_15", "MPII_16", [10, 9, 8, 11, 12, 13, (), (), 1, 0, 4, 3, 2, 5, 6, 7]),
]


def as_tuples(sources):
    return tuple(source if isinstance(source, tuple) else (source,) for source in sources)


def test_every_set_of_the_design_is_there():
    assert skeleton_names() == sorted(COUNTS)


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_a_set_has_its_keypoints_limbs_and_background(name):
    skeleton = get_skeleton(name)
    assert (len(skeleton.keypoints), len(skeleton.paf_pairs), skeleton.has_background) == COUNTS[name]


@pytest.mark.parametrize("name", sorted(NETWORK_CHANNELS))
def test_heat_maps_and_fields_make_the_channels_of_the_network(name):
    skeleton = get_skeleton(name)
    assert skeleton.heatmap_channels + skeleton.paf_channel_count == NETWORK_CHANNELS[name]


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_parts_cover_each_keypoint_once(name):
    skeleton = get_skeleton(name)
    assert sorted(i for _, indices in skeleton.parts for i in indices) == list(range(len(skeleton.keypoints)))


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_flip_pairs_swap_left_and_right_and_each_point_once(name):
    skeleton = get_skeleton(name)
    flat = [i for pair in skeleton.flip_pairs for i in pair]
    assert len(set(flat)) == len(flat)
    for a, b in skeleton.flip_pairs:
        first, second = skeleton.keypoints[a], skeleton.keypoints[b]
        if "left" in first or "right" in first:
            assert first.replace("left", "*").replace("right", "*") == second.replace("left", "*").replace("right", "*")


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_a_set_survives_the_way_through_json(name):
    skeleton = get_skeleton(name)
    assert skeleton_from_dict(json.loads(json.dumps(skeleton_to_dict(skeleton)))) == skeleton


@pytest.mark.parametrize("paf", [{"background": True}, {"decoding": {"min_score": 0.1}}, {"pairs": [[0, 1]]}],
                         ids=["a background", "thresholds", "pairs"])
def test_what_a_users_set_says_of_its_maps_survives_the_way_through_json(paf):
    skeleton = skeleton_from_dict({"name": "X", "keypoints": ["a", "b"], "paf": paf})
    assert skeleton_from_dict(json.loads(json.dumps(skeleton_to_dict(skeleton)))) == skeleton


def test_pair_order_is_not_channel_order():
    body = get_skeleton("BODY_25")
    assert body.paf_pairs[1] == (1, 2)
    assert body.paf_channels[1] == (14, 15)
    assert get_skeleton("TRT_POSE_18").paf_channels[0] == (1, 0), "trt_pose stores y before x"


@pytest.mark.parametrize("source, target, expected", CONVERSIONS, ids=["%s to %s" % c[:2] for c in CONVERSIONS])
def test_sets_convert_by_name(source, target, expected):
    assert get_skeleton(source).sources_of(get_skeleton(target)) == as_tuples(expected)


def test_the_wrist_of_the_body_is_the_root_of_the_hand():
    sources = get_skeleton("BODY_135").sources_of(get_skeleton("WHOLEBODY_133"))
    assert sources[91] == (get_skeleton("BODY_135").index_of("left_wrist"),)
    assert all(sources), "BODY_135 has every point of WHOLEBODY_133"


def test_a_keypoint_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(SkeletonError, match="COCO_17 has no keypoint 'neck'; it has: nose, left_eye"):
        get_skeleton("COCO_17").index_of("neck")


def test_an_unknown_set_is_answered_with_the_known_ones():
    with pytest.raises(SkeletonError, match="unknown skeleton 'BODY_26'; known: BODY_135, BODY_25"):
        get_skeleton("BODY_26")


def test_a_users_own_file_needs_a_name_and_keypoints_only(tmp_path):
    path = tmp_path / "truck.json"
    path.write_text('{"name": "TRUCK", "keypoints": ["a", "b", "c"], "paf": {"pairs": [[0, 1], [1, 2]]}}')
    truck = get_skeleton(str(path))
    assert truck.paf_channels == ((0, 1), (2, 3))
    assert truck.part("body") == (0, 1, 2)
    assert truck.limbs == truck.paf_pairs
    assert len(set(truck.colors_rgb)) == 3


BAD = [
    ("a list", [], "expected a JSON object, got list"),
    ("no name", {"keypoints": ["a"]}, "expected a text `name`"),
    ("no keypoints", {"name": "X"}, "expected `keypoints`"),
    ("empty keypoints", {"name": "X", "keypoints": []}, "expected `keypoints`"),
    ("a keypoint twice", {"name": "X", "keypoints": ["a", "a"]}, "has a name twice"),
    ("unknown field", {"name": "X", "keypoints": ["a"], "limbs": []}, "unknown fields: limbs"),
    ("unknown part", {"name": "X", "keypoints": ["a"], "parts": {"tail": [0]}}, "unknown part 'tail'"),
    ("part out of range", {"name": "X", "keypoints": ["a"], "parts": {"body": [1]}}, "indices below 1"),
    ("pair out of range", {"name": "X", "keypoints": ["a", "b"], "paf": {"pairs": [[0, 2]]}}, "`paf.pairs`"),
    ("pair of one point", {"name": "X", "keypoints": ["a", "b"], "paf": {"pairs": [[1, 1]]}}, "`paf.pairs`"),
    ("pair of booleans", {"name": "X", "keypoints": ["a", "b"], "paf": {"pairs": [[False, True]]}}, "`paf.pairs`"),
    ("channel twice", {"name": "X", "keypoints": ["a", "b", "c"],
                       "paf": {"pairs": [[0, 1], [1, 2]], "channels": [[0, 1], [1, 2]]}}, "of the 4 channels once"),
    ("too few sigmas", {"name": "X", "keypoints": ["a", "b"], "oks_sigmas": [0.1]}, "`oks_sigmas` is a list of 2"),
    ("a colour too bright", {"name": "X", "keypoints": ["a"], "draw": {"colors_rgb": [[0, 0, 256]]}}, "colors_rgb"),
    ("a background that is no yes or no", {"name": "X", "keypoints": ["a"], "paf": {"background": "no"}},
     "`paf.background` is true or false"),
    ("a threshold of text", {"name": "X", "keypoints": ["a"], "paf": {"decoding": {"min_score": "low"}}},
     "`paf.decoding` is an object of numbers"),
    ("a misspelt field of paf", {"name": "X", "keypoints": ["a"], "paf": {"pars": []}}, "unknown fields: paf.pars"),
    ("a misspelt field of draw", {"name": "X", "keypoints": ["a"], "draw": {"lims": []}}, "unknown fields: draw.lims"),
    ("a point that flips to two", {"name": "X", "keypoints": ["a", "b", "c"], "flip_pairs": [[0, 1], [1, 2]]},
     "`flip_pairs` uses a keypoint twice"),
    ("a point in two parts", {"name": "X", "keypoints": ["a"], "parts": {"body": [0], "foot": [0]}},
     "`parts` uses a keypoint twice"),
    ("a point without a name", {"name": "X", "keypoints": ["a", ""]}, "expected `keypoints`"),
    ("a sigma of infinity", {"name": "X", "keypoints": ["a"], "oks_sigmas": [float("inf")]}, "`oks_sigmas` is a list"),
    ("a sigma no float can hold", {"name": "X", "keypoints": ["a"], "oks_sigmas": [10 ** 400]},
     "`oks_sigmas` is a list"),
    ("draw is a list", {"name": "X", "keypoints": ["a"], "draw": []}, "are objects"),
]


@pytest.mark.parametrize("data, message", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_malformed_set_is_refused_in_one_line_that_names_the_file(tmp_path, data, message):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(data))
    with pytest.raises(SkeletonError) as caught:
        load_skeleton(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_json_or_not_there_is_refused(tmp_path):
    for nonsense in (b"{", b"[" * 100000, b"\xff\xfe", b""):
        (tmp_path / "broken.json").write_bytes(nonsense)
        with pytest.raises(SkeletonError, match="broken.json is not valid JSON") as caught:
            load_skeleton(tmp_path / "broken.json")
        assert "\n" not in str(caught.value)
    with pytest.raises(SkeletonError, match="cannot read skeleton"):
        load_skeleton(tmp_path / "missing.json")
