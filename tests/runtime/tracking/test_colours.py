"""Clothes as rows of numbers: alike for the same person, less for others, and harmless where nothing is seen."""
import numpy as np
from rigs import crowd, picture_of, ring

from wholebody.poses import Poses
from wholebody.runtime.tracking.colours import Colours
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("BODY_25")
SHIRTS = [(84, 160, 74), (180, 84, 150), (62, 62, 66), (236, 236, 232)]
TROUSERS = [(60, 100, 60), (200, 150, 210), (150, 150, 150), (30, 30, 120)]


def seen(camera, figure):
    points = camera.see(figure)[None].astype(np.float32)
    return Poses(points, np.full((1, 25), 0.8, np.float32), np.ones(1, np.float32), SKELETON)


def dressed(camera, figure, who):
    """A drawn figure with clothes painted over it."""
    import cv2
    picture, points = picture_of(camera, figure), camera.see(figure)
    at = {name: points[place] for place, name in enumerate(SKELETON.keypoints)}
    body = np.array([at["left_shoulder"], at["right_shoulder"], at["right_hip"], at["left_hip"]])
    cv2.fillPoly(picture, [np.rint(body).astype(np.int32)], SHIRTS[who])
    for side in ("left", "right"):
        for one, other in (("hip", "knee"), ("knee", "ankle")):
            ends = [tuple(int(round(v)) for v in at["%s_%s" % (side, part)]) for part in (one, other)]
            cv2.line(picture, ends[0], ends[1], TROUSERS[who], 14)
    return picture


def rows():
    """Of four people from three sides each: (4, 3, D)."""
    colours, found = Colours(SKELETON), []
    for who in range(4):
        figure = crowd(1, who)[0]
        figure = figure - figure[8]
        found.append([colours.describe(dressed(camera, figure, who), seen(camera, figure))[0]
                      for camera in ring(12, lens=np.zeros(5))[:3]])
    return np.array(found)


def test_people_look_more_like_themselves_from_another_side_than_like_others():
    found = rows()
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, atol=1e-5)
    own = [float(found[who, 0] @ found[who, 2]) for who in range(4)]
    others = [float(found[a, 0] @ found[b, 2]) for a in range(4) for b in range(4) if a != b]
    assert min(own) > max(others)


def people(count, place, score):
    return Poses(np.full((count, 25, 2), place, np.float32), np.full((count, 25), score, np.float32),
                 np.ones(count, np.float32), SKELETON)


def test_nothing_seen_is_a_row_of_zeros_and_points_outside_do_no_harm():
    colours, picture = Colours(SKELETON), np.full((60, 80, 3), 90, np.uint8)
    assert (colours.describe(picture, people(2, np.nan, 0)) == 0).all()
    assert np.isfinite(colours.describe(picture, people(1, 1e6, 1))).all()
    assert colours.describe(picture, people(0, 0, 0)).shape == (0, 96)


def test_a_skeleton_without_these_joints_looks_at_nothing():
    hand = get_skeleton("HAND_21")
    poses = Poses(np.zeros((1, 21, 2), np.float32), np.ones((1, 21), np.float32), np.ones(1, np.float32), hand)
    assert (Colours(hand).describe(np.zeros((9, 9, 3), np.uint8), poses) == 0).all()
