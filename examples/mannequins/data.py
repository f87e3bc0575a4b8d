"""A pool of drawn scenes with their targets, and random crops of them as training batches."""

import multiprocessing
from typing import Iterator, NamedTuple, Tuple

import cv2
import numpy as np

from .drawing import draw_scene
from .scene import random_scene
from .targets import STRIDE, make_targets

SCENE_PX = 384
CROP_PX = 352
# Few more often than many: few people are large people, and a crowd has more keypoints to learn from.
CROWDS = (0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 7, 9, 11, 13)
SEED_STEP = 1000003  # keeps the scenes of two training seeds apart


class Pool(NamedTuple):
    """Drawn scenes with their targets."""

    pictures: np.ndarray
    """(S, 384, 384, 3) uint8 BGR."""
    targets: np.ndarray
    """(S, 78, 48, 48) float16: heat maps, then fields."""


def draw_one(seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """One scene of 0 to 13 mannequins: picture and targets."""
    cv2.setNumThreads(1)
    people = CROWDS[np.random.RandomState(seed).randint(0, len(CROWDS))]
    scene = random_scene(people, SCENE_PX, SCENE_PX, seed)
    targets = make_targets(scene.keypoints, scene.told, SCENE_PX, SCENE_PX)
    return draw_scene(scene, seed), np.concatenate(targets).astype(np.float16)


def draw_pool(scenes: int, seed: int, processes: int) -> Pool:
    """Draw scenes in several processes; the result does not depend on how many."""
    seeds = [(seed + 1) * SEED_STEP + i for i in range(scenes)]
    with multiprocessing.get_context("spawn").Pool(processes) as workers:
        pictures, targets = zip(*workers.imap(draw_one, seeds, chunksize=8))
    return Pool(np.stack(pictures), np.stack(targets))


def batches(pool: Pool, size: int, steps: int, seed: int) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Random crops: pictures (B, 3, 352, 352) float32 as the network wants them, targets (B, 78, 44, 44)."""
    rng = np.random.RandomState(seed)
    places = (SCENE_PX - CROP_PX) // STRIDE + 1
    cells = CROP_PX // STRIDE
    for _ in range(steps):
        images = np.empty((size, 3, CROP_PX, CROP_PX), np.float32)
        answers = np.empty((size, pool.targets.shape[1], cells, cells), np.float32)
        for i, scene in enumerate(rng.randint(0, len(pool.pictures), size)):
            x, y = rng.randint(0, places, 2)
            crop = pool.pictures[scene, y * STRIDE:y * STRIDE + CROP_PX, x * STRIDE:x * STRIDE + CROP_PX]
            gain, shift = rng.uniform(0.85, 1.15), rng.uniform(-0.06, 0.06, (3, 1, 1))
            images[i] = (crop.transpose(2, 0, 1) / 256.0 - 0.5) * gain + shift
            answers[i] = pool.targets[scene, :, y:y + cells, x:x + cells]
        yield images, answers
