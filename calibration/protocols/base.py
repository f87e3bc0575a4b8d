"""What every protocol has in common: labels, results, and a report whose numbers can be taken over other images."""
import abc
import pathlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wholebody.poses import Poses
from wholebody.runtime.sinks.base import Sink

Weights = npt.NDArray[np.int64]                   # how often each unit counts, as in Report.units
Measure = Callable[[Weights], dict[str, float]]   # the headline statistic of every part, so weighted


@dataclass(frozen=True)
class Truth:
    """The labels of a file: `dataset["images"]` lists id and file_name, the rest is the protocol's own."""

    dataset: dict[str, Any]
    where: str
    data: Any = None


@dataclass(frozen=True)
class ImageErrors:
    """What went wrong in one image."""

    image_id: int
    missed: int    # labelled people, faces, hands or joints that were not found
    false: int     # found where none is labelled
    quality: float  # of those found, as the protocol measures it: OKS, or an error


@dataclass(frozen=True)
class Report:
    """The numbers of a protocol, part by part, and the images from worst to best."""

    protocol: str
    images: int
    labelled: int
    found: int
    parts: dict[str, dict[str, float]]   # part -> statistic -> value
    headline: tuple[str, str]            # the part and the statistic that a gate and a comparison look at
    worst: tuple[ImageErrors, ...]
    units: tuple[Any, ...]               # what a bootstrap draws from: image ids, or names of sequences
    measure: Measure
    lower_is_better: bool = False
    quality: str = "oks"                 # what the quality of an image's errors is
    counted: str = "people"              # what is labelled and found

    @property
    def statistics(self) -> dict[str, float]:
        """Of the part that the headline is of."""
        return self.parts[self.headline[0]]

    @property
    def value(self) -> float:
        """The headline."""
        return self.statistics[self.headline[1]]

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        return {"protocol": self.protocol, "images": self.images, "labelled": self.labelled, "found": self.found,
                "statistics": self.statistics, "parts": self.parts, "headline": list(self.headline),
                "worst": [{"image_id": e.image_id, "missed": e.missed, "false": e.false,
                           self.quality: round(e.quality, 4)} for e in self.worst]}


class Protocol(abc.ABC):
    """One way to measure."""

    name: str

    @abc.abstractmethod
    def load(self, path: str) -> Truth:
        """The labels; EvaluationError when the file holds others."""

    @abc.abstractmethod
    def read(self, path: str, truth: Truth) -> Any:
        """A results file in the protocol's standard format."""

    @abc.abstractmethod
    def evaluate(self, truth: Truth, found: Any) -> Report:
        """The numbers, over all images of the labels."""

    @abc.abstractmethod
    def sink(self, path: pathlib.Path, truth: Truth) -> Sink:
        """Writes what a model finds, as `read` reads it; a frame's source is the number of its image."""

    def boxes(self, truth: Truth) -> list[dict[str, Any]] | None:  # noqa: ARG002 - most have the boxes in their labels
        """COCO results with a box for everybody labelled; None where the annotation file itself says it."""
        return None

    @abc.abstractmethod
    def poses(self, truth: Truth, found: Any, image_id: int) -> tuple[Poses, Poses]:
        """Labelled and found people of an image, to draw."""


def worst_first(errors: Iterable[ImageErrors], lower_is_better: bool = False) -> tuple[ImageErrors, ...]:
    """Most missed and false first, then by quality."""
    sign = -1 if lower_is_better else 1
    return tuple(sorted(errors, key=lambda e: (-(e.missed + e.false), sign * e.quality, e.image_id)))


def rounded(statistics: dict[str, float]) -> dict[str, float]:
    """To the four digits that are printed."""
    return {name: round(float(value), 4) for name, value in statistics.items()}
