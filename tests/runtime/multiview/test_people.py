"""Whole people from several cameras: who is who, how exactly, and with a camera that lies."""
import numpy as np
import pytest
from rigs import HEIGHT, SKELETON, WIDTH, crowd, moved, ring, seen_by

from wholebody.errors import CameraError
from wholebody.poses import Poses
from wholebody.runtime.multiview import Rig, TriangulationOptions, View

CASES = [(2, 1), (2, 2), (3, 1), (3, 4), (4, 1), (4, 6), (6, 3)]


def nearest(poses, figures):
    """Of each person found: which figure, and the mean distance of the points found, metres."""
    found = poses.scores > 0
    apart = np.linalg.norm(poses.keypoints[:, None] - figures[None], axis=3)
    mean = np.where(found[:, None], apart, 0).sum(axis=2) / np.maximum(found.sum(axis=1), 1)[:, None]
    return mean.argmin(axis=1), mean.min(axis=1)


@pytest.mark.parametrize("cameras, people", CASES)
def test_everybody_is_found_once_within_half_a_percent_of_the_distance(cameras, people):
    rig_cameras = ring(cameras, spread=2 * np.pi if cameras > 2 else np.pi)
    for seed in range(4):
        chance, figures = np.random.RandomState(seed), crowd(people, seed)
        poses = Rig(rig_cameras)([seen_by(camera, figures, chance) for camera in rig_cameras])
        who, off = nearest(poses, figures)
        assert sorted(who) == list(range(people))
        # Two cameras see depth worse than three.
        assert off.max() / 4.0 < 0.005, (seed, off)


@pytest.mark.parametrize("people", [1, 3])
def test_one_camera_that_was_knocked_against_does_no_harm(people):
    cameras = ring(4)
    wrong = [cameras[0], moved(cameras[1], (0.3, 0.2, 0.0))] + cameras[2:]
    for seed in range(4):
        chance, figures = np.random.RandomState(seed), crowd(people, seed)
        rig = Rig(wrong)
        poses = rig([seen_by(camera, figures, chance) for camera in cameras])
        who, off = nearest(poses, figures)
        assert sorted(who) == list(range(people))
        assert off.max() / 4.0 < 0.005, (seed, off)


def test_the_camera_that_lies_is_named():
    cameras = ring(4)
    rig = Rig([cameras[0], moved(cameras[1], (0.3, 0.2, 0.0))] + cameras[2:])
    figures = crowd(1, 0)
    rig([seen_by(camera, figures, np.random.RandomState(0)) for camera in cameras])
    assert any("camera cam1 disagreed" in line and "calibrate it again" in line for line in rig.report())


def test_a_camera_that_sees_nobody_is_done_without():
    cameras, figures, chance = ring(4), crowd(2, 5), np.random.RandomState(5)
    views = [seen_by(camera, figures, chance) for camera in cameras]
    views[3] = View(Poses.empty(SKELETON), WIDTH, HEIGHT)
    poses = Rig(cameras)(views)
    assert len(poses) == 2
    assert (poses.people_in_views[:, 3] == -1).all()
    views[3] = None
    np.testing.assert_array_equal(Rig(cameras)(views).keypoints, poses.keypoints)


def test_who_is_seen_where_is_told():
    cameras, figures, chance = ring(3), crowd(3, 2), np.random.RandomState(2)
    views = [seen_by(camera, figures, chance) for camera in cameras]
    poses = Rig(cameras)(views)
    who, _ = nearest(poses, figures)
    for person, members in zip(who, poses.people_in_views):
        for camera, view, member in zip(cameras, views, members):
            assert np.abs(view.poses.keypoints[member] - camera.see(figures[person])).max() < 8


def test_nobody_is_nobody():
    cameras = ring(3)
    assert len(Rig(cameras)([View(Poses.empty(SKELETON), WIDTH, HEIGHT)] * 3)) == 0


def test_points_near_the_border_and_of_low_score_are_not_believed():
    cameras, figures = ring(3, lens=np.zeros(5)), crowd(1, 0)
    views = [seen_by(camera, figures, np.random.RandomState(0)) for camera in cameras]
    for view in views:
        view.poses.scores[0, 3] = 0.3
        view.poses.keypoints[0, 4] = (5.0, 300.0)
    poses = Rig(cameras)(views)
    assert (poses.scores[0, [3, 4]] == 0).all()
    assert (poses.scores[0, [1, 2, 8]] > 0).all()


def test_smaller_frames_of_the_same_shape_are_the_same_world():
    cameras, figures = ring(3), crowd(1, 0)
    full = Rig(cameras)([seen_by(camera, figures, np.random.RandomState(0), noise=0) for camera in cameras])
    half = []
    for camera in cameras:
        view = seen_by(camera, figures, np.random.RandomState(0), noise=0)
        half.append(View(view.poses.with_keypoints((view.poses.keypoints + 0.5) / 2 - 0.5), WIDTH // 2, HEIGHT // 2))
    poses = Rig(cameras)(half)
    np.testing.assert_allclose(poses.keypoints, full.keypoints, atol=1e-3)


@pytest.mark.parametrize("make, said", [
    (lambda: Rig(ring(2)[:1]), "two or more cameras"),
    (lambda: Rig(ring(2))([None]), "expected what each of 2 cameras found, got 1"),
    (lambda: Rig(ring(2))([None, None]), "no camera has anything"),
    (lambda: Rig(ring(2))([View(Poses.empty(SKELETON), 640, 480)] * 2), "calibrated at 1280x720 .* 640x480"),
], ids=["one camera", "a view missing", "no view", "another shape"])
def test_what_cannot_be_is_one_line(make, said):
    with pytest.raises(CameraError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_least_views_are_asked_for():
    cameras, figures, chance = ring(4), crowd(1, 0), np.random.RandomState(0)
    views = [seen_by(camera, figures, chance) for camera in cameras[:2]] + [None, None]
    assert len(Rig(cameras)(views)) == 0
    assert len(Rig(cameras, TriangulationOptions(least_views=2))(views)) == 1
