"""Training samples: each a pure function of the seed and its number, so that a run can go on where it stopped."""

import pathlib
from dataclasses import dataclass, field
from typing import Iterator, NamedTuple, Optional, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wholebody.skeletons import Skeleton

from .affine import flipped_keypoints, mirrored, moved, warp
from .augment import OUTSIDE, Augmentation, obstructed, random_affine, recoloured
from .coco import Photograph
from .targets import STRIDE, Targets, make_targets
from .teacher import load_maps, warped_maps


class Batch(NamedTuple):
    """What one step learns from."""

    pictures: Tensor
    """(B, 3, S, S) uint8, BGR."""
    heatmaps: Tensor
    """(B, K, S / 8, S / 8) float32 from the labels."""
    pafs: Tensor
    """(B, 2 L, S / 8, S / 8) float32 from the labels."""
    mask: Tensor
    """(B, 1, S / 8, S / 8) float32: 0 where labels say nothing."""
    teacher_heatmaps: Tensor
    """Like heatmaps; without a teacher (B, 0, S / 8, S / 8)."""
    teacher_pafs: Tensor
    """Like pafs; without a teacher (B, 0, S / 8, S / 8)."""


@dataclass(frozen=True)
class SampleOptions:
    """How a photograph becomes a sample."""

    skeleton: Skeleton
    crop: int
    seed: int
    teacher: Optional[pathlib.Path] = None
    """The folder with the teacher's maps."""
    augmentation: Augmentation = field(default_factory=Augmentation)


class Samples(Dataset[Batch]):
    """Sample `number` of a run: photographs in a new order each epoch, each time another crop."""

    def __init__(self, photographs: Sequence[Photograph], options: SampleOptions) -> None:
        self.photographs = photographs
        self.options = options

    def __getitem__(self, number: int) -> Batch:
        epoch, place = divmod(number, len(self.photographs))
        order = np.random.RandomState([self.options.seed, epoch]).permutation(len(self.photographs))
        rng = np.random.RandomState([self.options.seed, epoch, place])
        return make_sample(rng, self.photographs[order[place]], self.options)


def make_sample(rng: np.random.RandomState, photograph: Photograph, options: SampleOptions) -> Batch:
    """One crop with its targets; tensors without the batch's axis."""
    picture = cv2.imread(str(photograph.path))
    if picture is None:
        raise ValueError("cannot read %s" % photograph.path)
    affine = random_affine(rng, photograph, options.crop, options.augmentation)
    crop = warp(picture, affine, (options.crop, options.crop), OUTSIDE)
    crop = obstructed(rng, recoloured(rng, crop, options.augmentation), options.augmentation)
    cells = options.crop // STRIDE
    targets = _labels(photograph, affine, options)
    mask = labelled_area(photograph.unlabelled_xyxy, affine, cells)
    taught = Targets(np.zeros((0, cells, cells), np.float32), np.zeros((0, cells, cells), np.float32))
    if options.teacher is not None:
        taught = warped_maps(load_maps(options.teacher, photograph), affine, options.crop, options.skeleton)
    return Batch(torch.from_numpy(crop.transpose(2, 0, 1).copy()),
                 *(torch.from_numpy(np.ascontiguousarray(a, np.float32))
                   for a in (*targets, mask[None], *taught)))


def _labels(photograph: Photograph, affine: np.ndarray, options: SampleOptions) -> Targets:
    points, known = moved(photograph.keypoints, affine), photograph.known
    if mirrored(affine):
        order = flipped_keypoints(options.skeleton)
        points, known = points[:, order], known[:, order]
    cells = options.crop // STRIDE
    return make_targets(points, known, options.skeleton, (cells, cells))


def labelled_area(unlabelled_xyxy: np.ndarray, affine: np.ndarray, cells: int) -> np.ndarray:
    """A map (cells, cells) float32 with 0 in the boxes (N, 4) of people without labels, 1 elsewhere."""
    mask = np.ones((cells, cells), np.float32)
    for x0, y0, x1, y1 in unlabelled_xyxy:
        corners = moved(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64), affine) / STRIDE
        cv2.fillConvexPoly(mask, np.round(corners - 0.5).astype(np.int32), 0.0)
    return mask


def batches(samples: Samples, size: int, first_step: int, steps: int, workers: int) -> Iterator[Batch]:
    """The batches of steps `first_step` to `steps`; they depend neither on where one starts nor on the workers."""
    plan = [list(range(step * size, (step + 1) * size)) for step in range(first_step, steps)]
    loader: "DataLoader[Batch]" = DataLoader(
        samples, batch_sampler=plan, num_workers=workers, worker_init_fn=_quiet_worker,
        multiprocessing_context="spawn" if workers else None, prefetch_factor=4 if workers else None)
    return iter(loader)


def _quiet_worker(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
