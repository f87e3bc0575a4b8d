"""Who is assembled and kept, on people drawn by hand, in both backends."""
import numpy as np
import pytest

from wholebody.runtime.paf.assembly import assemble
from wholebody.runtime.paf.faces import Box, overlap
from wholebody.runtime.paf.scoring import Connections
from wholebody.skeletons import get_skeleton, skeleton_from_dict

BODY_25, BODY_135 = get_skeleton("BODY_25"), get_skeleton("BODY_135")
# neck, shoulders, elbows, mid-hip: six keypoints and no foot
TORSO = {1: (40, 8, .9), 2: (30, 10, .9), 5: (50, 10, .9), 3: (24, 20, .9), 6: (56, 20, .9), 8: (40, 30, .9)}
LEG = {13: (10, 30, .8), 14: (10, 45, .8), 19: (18, 48, .8), 21: (5, 50, .8)}
SHOULDER = {1: (40, 8, .9), 2: (30, 10, .9)}
FIRST_FACE = 65


def moved(person, dx, dy, score=None):
    return {k: (x + dx, y + dy, score or s) for k, (x, y, s) in person.items()}


def chain(*keypoints):
    return skeleton_from_dict({"name": "CHAIN", "keypoints": list("abcdef")[:keypoints[0]],
                               "paf": {"pairs": [[i, i + 1] for i in range(keypoints[0] - 1)]}})


def connections(rows):
    """Rows (paf, limb, a, b), best first."""
    paf, limb, a, b = zip(*rows)
    return Connections(np.array(paf, np.float32), np.array(limb), np.array(a), np.array(b))


@pytest.mark.parametrize(("rows", "members"), [
    ([(.9, 0, 0, 0), (.8, 1, 0, 0), (.7, 2, 0, 0)], [[0, 0, 0, 0]]),
    ([(.9, 0, 0, 0), (.8, 2, 0, 0), (.7, 1, 0, 0)], [[0, 0, 0, 0]]),
    ([(.9, 2, 0, 0), (.8, 0, 0, 0), (.7, 1, 0, 0)], [[0, 0, 0, 0]]),
    ([(.9, 0, 0, 0), (.8, 1, 1, 0), (.7, 1, 0, 0)], [[0, 0, -1, -1], [-1, 1, 0, -1]]),
    ([(.9, 0, 0, 0), (.8, 0, 1, 0)], [[0, 0, -1, -1]]),
    ([(.9, 0, 0, 0), (.8, 0, 1, 1), (.7, 2, 0, 0), (.6, 1, 1, 0)], [[0, 0, -1, -1], [1, 1, 0, 0]]),
], ids=["grown", "merged", "merged into the one begun first", "not merged: both have b", "candidate taken",
        "merged persons leave no gap"])
def test_connections_grow_and_merge_people_who_share_no_keypoint(rows, members):
    peaks = [np.full((2, 3), 0.5, np.float32)] * 4
    people = assemble(connections(rows), peaks, chain(4).paf_pairs)
    assert people.members.tolist() == members
    assert people.counts.tolist() == [sum(m >= 0 for m in row) for row in members]


def test_a_connection_within_one_person_adds_its_score_only():
    peaks = [np.full((1, 3), 0.5, np.float32)] * 3
    people = assemble(connections([(.9, 0, 0, 0), (.8, 1, 0, 0), (.7, 2, 0, 0)]), peaks, [(0, 1), (1, 2), (0, 2)])
    np.testing.assert_allclose(people.scores, [3 * .5 + .9 + .8 + .7], rtol=1e-6)
    assert people.counts.tolist() == [3]


@pytest.mark.parametrize(("people", "options", "kept"), [
    ([TORSO], {}, [6]), ([TORSO, LEG], {}, [6]), ([LEG], {}, [4]), ([TORSO, LEG], {"maximize_positives": True}, [6, 4]),
    ([SHOULDER], {}, []), ([SHOULDER], {"maximize_positives": True}, [2]),
    ([TORSO], {"min_keypoints": 6}, [6]), ([TORSO], {"min_keypoints": 7}, []), ([TORSO], {"min_score": 1.7}, [6]),
    ([TORSO], {"min_score": 1.8}, []), ([], {}, []), ([moved(TORSO, 0, 0, .06)], {"min_score": .95}, []),
], ids=["torso", "a leg beside somebody is dropped", "a leg alone passes the second try", "maximized keeps the leg",
        "two keypoints", "two keypoints, maximized", "exactly enough keypoints", "one too few", "enough score",
        "too little score", "nobody", "the second try keeps the minimum score"])
def test_people_are_kept_by_openposes_rules(people, options, kept, decoder, draw, backend):
    poses = decoder(BODY_25, backend, **options)(*draw(BODY_25, people))
    assert sorted((poses.scores > 0).sum(axis=1).tolist()) == sorted(kept)


def test_the_foot_rule_needs_a_foot_part_not_a_number_of_keypoints(decoder, draw, backend):
    without = BODY_25._replace(parts=(("body", tuple(range(25))),))
    maps = draw(BODY_25, [TORSO, LEG])
    assert len(decoder(without, backend)(*maps)) == 2
    assert len(decoder(BODY_25, backend)(*maps)) == 1


def test_the_pose_score_is_the_sum_over_keypoints_and_limbs_of_the_set(decoder, draw, backend):
    heat, pafs = draw(BODY_25, [TORSO], strength=.5)
    poses = decoder(BODY_25, backend)(heat, pafs)
    limbs = sum(a in TORSO and b in TORSO for a, b in BODY_25.paf_pairs)
    np.testing.assert_allclose(poses.person_scores, [(6 * .9 + limbs * .5) / 51], rtol=1e-5)
    for k, (x, y, score) in TORSO.items():
        np.testing.assert_allclose(poses.keypoints[0, k], [x + .5, y + .5], rtol=1e-6)
        np.testing.assert_allclose(poses.scores[0, k], score, rtol=1e-6)


def test_number_people_max_keeps_the_best_in_their_order(decoder, draw, backend):
    size = (60, 240)
    small = {k: (40 + (x - 40) // 2, 8 + (y - 8) // 2, s) for k, (x, y, s) in TORSO.items()}
    people = [moved(TORSO, 0, 0, .5), moved(small, 80, 0, .9), moved(TORSO, 160, 0, .7)]
    maps = draw(BODY_25, people, size)
    everybody = decoder(BODY_25, backend)(*maps)
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in everybody.boxes_xyxy]
    best = np.argsort(-everybody.person_scores * np.sqrt(area), kind="stable")
    for number in (1, 2, 3, 9):
        poses = decoder(BODY_25, backend, number_people_max=number)(*maps)
        np.testing.assert_array_equal(poses.keypoints, everybody.keypoints[np.sort(best[:number])])


# BODY_135 joins its nose (0) to face point 30 (95), and face points 27 to 30 (92 to 95) and 33 (98) in a row.
BODY = {0: (100, 60, .9), 5: (110, 80, .9), 6: (90, 80, .9), 7: (114, 95, .9), 8: (86, 95, .9),
        92: (104, 62, .6), 93: (110, 62, .6), 94: (116, 62, .6), 95: (122, 62, .6)}
FACE = {93: (124, 90, .8), 94: (130, 90, .5), 95: (136, 90, .8), 98: (136, 97, .8)}


def decode_faces(decoder, backend, draw, people, **options):
    maps = draw(BODY_135, people, (160, 240))
    return decoder(BODY_135, backend, **options)(*maps)


def test_a_face_without_a_body_goes_to_the_face_it_overlaps(decoder, draw, host_backend):
    alone = decode_faces(decoder, host_backend, draw, [BODY])
    poses = decode_faces(decoder, host_backend, draw, [BODY, FACE])
    assert len(alone) == len(poses) == 1
    expected = dict(BODY)
    expected.update({k: FACE[k] for k in (93, 95, 98)})  # 94 is better on the body's own face
    assert sorted(np.nonzero(poses.scores[0])[0]) == sorted(expected)
    for k, (x, y, _) in expected.items():
        np.testing.assert_allclose(poses.keypoints[0, k], [x + .5, y + .5], rtol=1e-6)
    gain = (2 * (.8 - .6) + .8) / (135 + 152)
    np.testing.assert_allclose(poses.person_scores - alone.person_scores, [gain], rtol=1e-4)


def test_a_face_that_overlaps_nobody_vanishes(decoder, draw, host_backend):
    far = {k: (x - 122, y - 87, score) for k, (x, y, score) in FACE.items()}
    alone = decode_faces(decoder, host_backend, draw, [BODY])
    poses = decode_faces(decoder, host_backend, draw, [BODY, far])
    np.testing.assert_array_equal(poses.keypoints, alone.keypoints)
    np.testing.assert_array_equal(poses.person_scores, alone.person_scores)


def test_a_face_grows_with_the_size_of_its_coordinates(decoder, draw, host_backend):
    """OpenPose's slip: 45 pixels apart is an overlap here, and none near the origin."""
    for shift, taken in ((0, False), (100, True)):
        body = {k: (x + shift - 84, y, score) for k, (x, y, score) in BODY.items()}
        lonely = {k: (x + shift - 84 + 45, y, score) for k, (x, y, score) in FACE.items()}
        poses = decode_faces(decoder, host_backend, draw, [body, lonely])
        assert len(poses) == 1
        assert (poses.scores[0, 98] > 0) == taken


def test_a_face_alone_is_nobody(decoder, draw, host_backend):
    assert len(decode_faces(decoder, host_backend, draw, [FACE])) == 0
    assert len(decode_faces(decoder, host_backend, draw, [FACE], maximize_positives=True)) == 0


def test_a_hand_counts_as_one_keypoint(decoder, draw, host_backend):
    hand = {10: (40, 40, .9)}
    hand.update({45 + i: (50 + 8 * i, 40 + (i % 2), .9) for i in range(4)})
    assert len(decode_faces(decoder, host_backend, draw, [hand])) == 0
    assert len(decode_faces(decoder, host_backend, draw, [hand], min_keypoints=2)) == 1


@pytest.mark.parametrize(("a", "b", "expected"), [
    (Box(0, 0, 2, 2), Box(0, 0, 2, 2), 1), (Box(0, 0, 2, 2), Box(2, 0, 4, 2), 0),
    (Box(0, 0, 2, 2), Box(1, 1, 3, 3), 1 / 7),
    (Box(0, 0, 1, 1), Box(5, 5, 6, 6), 0),
], ids=["same", "touching", "a quarter each", "apart"])
def test_overlap_is_intersection_over_union(a, b, expected):
    assert overlap(a, b) == overlap(b, a) == expected
