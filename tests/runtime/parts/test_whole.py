"""Bodies, faces and hands in one set of points."""
import numpy as np
import pytest

from wholebody.poses import Poses
from wholebody.runtime.parts.whole import WHOLE_BODIES, Whole, whole_skeleton
from wholebody.skeletons import get_skeleton

FACE_68, FACE_70, HAND = (get_skeleton(name) for name in ("FACE_68", "FACE_70", "HAND_21"))


def numbered(skeleton, people=2):
    """Keypoint k of person n is at (k, n)."""
    points = len(skeleton.keypoints)
    keypoints = np.zeros((people, points, 2), np.float32)
    keypoints[..., 0], keypoints[..., 1] = np.arange(points), np.arange(people)[:, None]
    return Poses(keypoints, np.full((people, points), 0.5, np.float32), np.ones(people, np.float32), skeleton)


def found(skeleton, slots, people=2):
    """Keypoint k of slot s of person n is at (1000 * (s + 1) + k, n) with score 0.7."""
    points = np.full((people, slots, len(skeleton.keypoints), 3), 0.7, np.float32)
    points[..., 0] = 1000 * (1 + np.arange(slots))[:, None] + np.arange(len(skeleton.keypoints))
    points[..., 1] = np.arange(people)[:, None, None]
    return points


@pytest.mark.parametrize("target, face, left, right, feet", [
    ("WHOLEBODY_133", 23, 91, 112, {"left_big_toe": 17, "right_heel": 22}),
    ("HALPE_136", 26, 94, 115, {"left_big_toe": 20, "right_heel": 25}),
])
@pytest.mark.parametrize("faces", [FACE_68, FACE_70], ids=["68", "70"])
def test_every_part_lies_where_the_set_has_it(target, face, left, right, feet, faces):
    body = numbered(get_skeleton("BODY_25"))
    whole = Whole(body.skeleton, [("face", faces), ("hand", HAND)], target)(body, [found(faces, 1), found(HAND, 2)])
    assert whole.skeleton == get_skeleton(target)
    assert whole.keypoints[1, 0].tolist() == [0, 1]  # the nose
    assert whole.keypoints[1, face:face + 68, 0].tolist() == [1000 + k for k in range(68)]
    assert whole.keypoints[1, left:left + 21, 0].tolist() == [1000 + k for k in range(21)]
    assert whole.keypoints[1, right:right + 21, 0].tolist() == [2000 + k for k in range(21)]
    assert (whole.scores[:, face:face + 68] == np.float32(0.7)).all()
    for name, index in feet.items():
        assert whole.keypoints[0, index, 0] == body.skeleton.index_of(name)


def test_a_hand_that_was_not_found_has_no_point_not_even_the_body_s_wrist():
    body = numbered(get_skeleton("COCO_17"))
    hands = found(HAND, 2)
    hands[0, 1] = 0
    whole = Whole(body.skeleton, [("hand", HAND)], "WHOLEBODY_133")(body, [hands])
    assert (whole.scores[0, 112:] == 0).all()
    assert (whole.scores[1, 112:] > 0).all()
    assert (whole.scores[:, 23:91] == 0).all()  # nobody looked for faces
    assert whole.keypoints[0, 10].tolist() == [10, 0]  # the wrist itself stays the body's


def test_nobody_is_nobody():
    body = numbered(get_skeleton("COCO_18"), people=0)
    whole = Whole(body.skeleton, [("face", FACE_70), ("hand", HAND)])(body, [found(FACE_70, 1, 0), found(HAND, 2, 0)])
    assert whole.scores.shape == (0, 18 + 70 + 42)


def test_the_set_of_all_networks_has_every_point_once_and_parts_limbs_and_pairs_of_all():
    skeleton = whole_skeleton(get_skeleton("BODY_25"), [("face", FACE_70), ("hand", HAND)])
    assert skeleton.name == "BODY_25+FACE_70+HAND_21"
    assert {name: (indices[0], len(indices)) for name, indices in skeleton.parts} == {
        "body": (0, 19), "foot": (19, 6), "face": (25, 70), "left_hand": (95, 21), "right_hand": (116, 21)}
    assert skeleton.has_background  # the body's own: what its network says
    assert (96, 117) in skeleton.flip_pairs
    assert (95, 96) in skeleton.limbs
    assert (116, 117) in skeleton.limbs
    assert skeleton.oks_sigmas is None
    coco = whole_skeleton(get_skeleton("COCO_17"), [("face", FACE_68)])
    assert coco.oks_sigmas[17:] == FACE_68.oks_sigmas


def test_points_that_the_body_has_already_are_the_part_s():
    """BODY_135 has hands of 20 points and no roots."""
    body = numbered(get_skeleton("BODY_135"))
    whole = Whole(body.skeleton, [("hand", HAND)])
    assert len(whole.skeleton.keypoints) == 137
    poses = whole(body, [found(HAND, 2)])
    assert poses.keypoints[0, 25, 0] == 1001  # left thumb
    assert poses.keypoints[0, 0, 0] == 0


@pytest.mark.parametrize("target", WHOLE_BODIES)
def test_all_sets_offered_have_faces_and_both_hands(target):
    assert [len(get_skeleton(target).part(part)) for part in ("face", "left_hand", "right_hand")] == [68, 21, 21]
