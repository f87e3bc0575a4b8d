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


def losses(stages: Sequence[Maps], batch: Batch, label_weight: float, teacher_weight: float) -> Losses:
    """Labels count where people are labelled, the teacher counts everywhere, at every stage alike."""
    by_labels, by_teacher = [], []
    for answers in stages:
        by_labels.append(_distance(answers, (batch.heatmaps, batch.pafs), batch.mask))
        if batch.teacher_heatmaps.shape[1]:
            by_teacher.append(_distance(answers, (batch.teacher_heatmaps, batch.teacher_pafs)))
        else:
            by_teacher.append(torch.zeros_like(by_labels[-1]))
    each = [label_weight * a + teacher_weight * b for a, b in zip(by_labels, by_teacher)]
    return Losses(torch.stack(each).sum(), torch.stack(by_labels).sum(), torch.stack(by_teacher).sum(), each[-1])


def _distance(answers: Maps, wanted: Maps, mask: Optional[Tensor] = None) -> Tensor:
    total = answers[0].new_zeros(())
    for answer, want in zip(answers, wanted):
        squares = (answer - want) ** 2
        total = total + (squares if mask is None else squares * mask).sum(dim=1).mean()
    return total
