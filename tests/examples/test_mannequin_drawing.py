"""Drawings: figures are where their keypoints are, and left looks different from right."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="drawing needs OpenCV: pip install opencv-python-headless")

from mannequins import figure
from mannequins.drawing import draw_scene
from mannequins.scene import Scene, random_scene

SEED = 4


@pytest.fixture(scope="module")
def crowd() -> Scene:
    return random_scene(8, 656, 368, SEED)


def colours_at(picture: np.ndarray, scene: Scene, keypoint: int) -> np.ndarray:
    """BGR at one keypoint of everybody who shows it."""
    x, y = np.floor(scene.keypoints[scene.visible[:, keypoint], keypoint]).astype(int).T
    return picture[y, x].astype(int)


def test_a_drawing_is_a_bgr_picture_of_the_size_of_its_scene(crowd: Scene) -> None:
    picture = draw_scene(crowd, SEED)
    assert picture.shape == (368, 656, 3)
    assert picture.dtype == np.uint8


def test_the_same_seed_draws_the_same_picture(crowd: Scene) -> None:
    assert np.array_equal(draw_scene(crowd, SEED), draw_scene(crowd, SEED))


def test_keypoints_lie_on_the_drawn_figures(crowd: Scene) -> None:
    empty = Scene(*(array[:0] for array in crowd[:-1]), crowd.size)
    background, drawn = draw_scene(empty, SEED).astype(int), draw_scene(crowd, SEED).astype(int)
    x, y = np.floor(crowd.keypoints[crowd.visible]).astype(int).T
    assert (np.abs(background - drawn).sum(axis=2)[y, x] > 40).mean() > 0.97


@pytest.mark.parametrize(("right", "left"), [
    (figure.RKNEE, figure.LKNEE), (figure.RELBOW, figure.LELBOW), (figure.RSHOULDER, figure.LSHOULDER),
    (figure.RANKLE, figure.LANKLE),
], ids=["knees", "elbows", "shoulders", "ankles"])
def test_right_joints_are_red_and_left_ones_blue(crowd: Scene, right: int, left: int) -> None:
    picture = draw_scene(crowd, SEED)
    blue, _, red = np.median(colours_at(picture, crowd, right), axis=0)
    assert red > blue + 40
    blue, _, red = np.median(colours_at(picture, crowd, left), axis=0)
    assert blue > red + 40


def test_a_scene_without_people_is_only_a_background() -> None:
    picture = draw_scene(random_scene(0, 320, 240, 0), 0)
    assert picture.shape == (240, 320, 3)
