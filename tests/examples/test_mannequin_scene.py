"""Scenes: the same seed gives the same people, and what is called visible can be seen."""

import hashlib

import numpy as np
import pytest
from mannequins import figure
from mannequins.scene import Scene, random_scene

SIZE = (656, 368)


def make(people: int, seed: int) -> Scene:
    return random_scene(people, SIZE[0], SIZE[1], seed)


def test_the_same_seed_gives_the_same_bytes() -> None:
    digest = hashlib.sha256()
    for people, seed in ((1, 0), (5, 1), (20, 2)):
        scene = make(people, seed)
        for array in scene[:-1]:
            digest.update(array.tobytes())
    assert digest.hexdigest()[:16] == "01f3bc937867a6e3"


def test_another_seed_gives_other_people() -> None:
    assert not np.array_equal(make(3, 0).keypoints, make(3, 1).keypoints)


@pytest.mark.parametrize("people", [0, 1, 5, 20])
def test_a_scene_holds_as_many_people_as_asked(people: int) -> None:
    scene = make(people, 7)
    assert scene.keypoints.shape == (people, 25, 2)
    assert scene.keypoints.dtype == np.float32
    assert scene.visible.shape == (people, 25)
    assert scene.visible.dtype == bool
    assert scene.heights.shape == (people,)
    assert scene.depths.shape == (people, 25)
    assert scene.size == SIZE


def test_the_neck_is_the_mean_of_the_shoulders_and_the_mid_hip_of_the_hips() -> None:
    points = make(20, 3).keypoints
    for middle, right, left in ((figure.NECK, figure.RSHOULDER, figure.LSHOULDER),
                                (figure.MIDHIP, figure.RHIP, figure.LHIP)):
        np.testing.assert_allclose(points[:, middle], (points[:, right] + points[:, left]) / 2, atol=0.02)


def test_a_visible_keypoint_lies_inside_the_picture() -> None:
    for seed in range(10):
        scene = make(10, seed)
        points = scene.keypoints[scene.visible]
        assert (points >= 0).all()
        assert (points <= SIZE).all()


def test_most_keypoints_are_visible_even_in_a_crowd() -> None:
    assert np.mean([make(20, seed).visible.mean() for seed in range(5)]) > 0.8


def test_a_figure_covers_the_one_behind_it_but_not_the_other_way_round() -> None:
    scenes = [make(20, seed) for seed in range(5)]
    behind = np.concatenate([scene.visible[:5] for scene in scenes])
    nobody_in_front = np.concatenate([scene.visible[-1:] for scene in scenes])
    torso = [figure.NECK, figure.RSHOULDER, figure.LSHOULDER, figure.MIDHIP]
    assert behind[:, torso].mean() < nobody_in_front[:, torso].mean()


def test_what_can_be_seen_can_be_told_and_a_little_more() -> None:
    scene = make(20, 5)
    assert (scene.told | ~scene.visible).all()
    assert 0 < (scene.told & ~scene.visible).mean() < 0.1


def test_people_come_in_many_sizes() -> None:
    heights = np.concatenate([make(5, seed).heights for seed in range(20)])
    assert heights.min() < 160
    assert heights.max() > 250


def test_limbs_are_as_long_as_the_figure_allows() -> None:
    scene = make(20, 11)
    points = np.dstack([scene.keypoints, scene.depths])
    for a, b, length in ((figure.RSHOULDER, figure.RELBOW, figure.UPPER_ARM),
                         (figure.LHIP, figure.LKNEE, figure.THIGH)):
        measured = np.linalg.norm(points[:, a] - points[:, b], axis=1) / scene.heights
        np.testing.assert_allclose(measured, length, atol=1e-3)
