"""How far answers are from the labels and from the teacher's maps."""

from typing import NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .data import Batch

Maps = Tuple[Tensor, Tensor]


class Losses(NamedTuple):
    """Squared differences, summed over channels and stages, mean over cells and samples."""

    total: Tensor
    labels: Tensor
    teacher: Tensor
    last: Tensor
    """Of the last stage alone: labels and teacher as in the total."""


class Weights(NamedTuple):
    """What counts how much."""

    labels: float = 1.0
    teacher: float = 1.0
    heatmaps: float = 1.0
    """Beside fields, which have more channels and larger squares."""
    peaks: float = 0.0
    """A cell counts 1 + peaks * |map|: most cells are empty, and few steps would be spent on the others."""
    background: bool = True
    """The heat maps end with a background, which is 1 where nobody is."""


def losses(stages: Sequence[Maps], batch: Batch, weights: Weights) -> Losses:
    """Labels count where people are labelled, the teacher counts everywhere, at every stage alike."""
    by_labels, by_teacher = [], []
    for answers in stages:
        by_labels.append(_distance(answers, (batch.heatmaps, batch.pafs), weights, batch.mask))
        if batch.teacher_heatmaps.shape[1]:
            by_teacher.append(_distance(answers, (batch.teacher_heatmaps, batch.teacher_pafs), weights))
        else:
            by_teacher.append(torch.zeros_like(by_labels[-1]))
    each = [weights.labels * a + weights.teacher * b for a, b in zip(by_labels, by_teacher)]
    return Losses(torch.stack(each).sum(), torch.stack(by_labels).sum(), torch.stack(by_teacher).sum(), each[-1])


def _distance(answers: Maps, wanted: Maps, weights: Weights, mask: Optional[Tensor] = None) -> Tensor:
    total = answers[0].new_zeros(())
    for answer, want, background, weight in zip(answers, wanted, (weights.background, False), (weights.heatmaps, 1)):
        squares = (answer - want) ** 2 * (1 + weights.peaks * _presence(want, background))
        total = total + weight * (squares if mask is None else squares * mask).sum(dim=1).mean()
    return total


def _presence(want: Tensor, background: bool) -> Tensor:
    """How much of something is in each cell of each map, 0 to 1."""
    presence = want.abs().clamp(max=1)
    return torch.cat((presence[:, :-1], 1 - presence[:, -1:]), dim=1) if background else presence
