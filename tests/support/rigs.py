"""Cameras around drawn people, with everything known: where they stand, what each sees, what it sees wrongly."""
from typing import List

import numpy as np
from mannequins.drawing import Doll, _doll  # the same hand that draws the scenes
from mannequins.figure import random_figure

from wholebody.poses import Poses
from wholebody.runtime.multiview import Camera, View
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("BODY_25")
WIDTH, HEIGHT, FOCAL = 1280, 720, 900.0
LENS = np.array([-0.2, 0.05, 0.001, -0.001, 0.0])
TALL = 1.7


def look_at(eye, at=(0.0, 0.0, 0.0)):
    """[R | t] of a camera; y points down, as in pictures."""
    forward = np.asarray(at, float) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(forward, right), forward])
    return np.concatenate([turn, -turn @ np.asarray(eye, float)[:, None]], axis=1)


def ring(count, distance=4.0, size=(WIDTH, HEIGHT), lens=LENS, spread=2 * np.pi) -> List[Camera]:
    """Cameras on a circle, at one height, looking at its middle."""
    focal = FOCAL * size[0] / WIDTH
    intrinsics = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    angles = [spread * number / count for number in range(count)]
    return [Camera("cam%d" % number, intrinsics,
                   look_at(distance * np.array([np.sin(angle), -0.35, np.cos(angle)])), lens, size)
            for number, angle in enumerate(angles)]


def crowd(count, seed) -> np.ndarray:
    """Figures (count, 25, 3) in metres, on a floor, an arm's length or more apart."""
    chance = np.random.RandomState(seed)
    places: List[np.ndarray] = []
    while len(places) < count:
        place = chance.uniform(-1.5, 1.5, 2)
        if all(np.hypot(*(place - other)) > 0.6 for other in places):
            places.append(place)
    # Drawings have z towards the viewer, cameras away from them.
    return np.array([TALL * random_figure(chance) * (1, 1, -1) + (x, 0.0, z) for x, z in places])


def seen_by(camera, figures, chance, noise=1.0, score=0.8) -> View:
    """What a camera makes of them: in an order of its own, with so many pixels of noise."""
    order = chance.permutation(len(figures))
    pixels = np.stack([camera.see(figure) for figure in figures[order]])
    pixels = pixels + chance.normal(0, noise, pixels.shape)
    poses = Poses(pixels.astype(np.float32), np.full((len(figures), 25), score, np.float32),
                  np.ones(len(figures), np.float32), SKELETON)
    return View(poses, camera.size[0], camera.size[1])


def moved(camera, by) -> Camera:
    """As if somebody had knocked against it after it was calibrated."""
    return camera._replace(extrinsics=camera.extrinsics + np.concatenate([np.zeros((3, 3)), np.array([by]).T], axis=1))


def picture_of(camera, figure, background=(208, 214, 220)) -> np.ndarray:
    """A figure drawn as the camera would see it."""
    import cv2
    from mannequins.paint import SCALE
    width, height = camera.size
    picture = np.empty((height * SCALE, width * SCALE, 3), np.uint8)
    picture[:] = background
    there = figure @ camera.extrinsics[:, :3].T + camera.extrinsics[:, 3]
    scale = camera.intrinsics[0, 0] / there[8, 2]  # pixels a metre at the hip
    # Drawings have the centre of the first pixel at a half, cameras at 0.
    _doll(picture, Doll(camera.see(figure) + 0.5, (there[8, 2] - there[:, 2]) * scale, np.ones(25, bool),
                        float(TALL * scale), (84, 160, 74), (180, 84, 150), (40, 70, 110)))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
