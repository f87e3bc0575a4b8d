"""What every protocol has in common: labels, results, and a report whose numbers can be taken over other images."""
import abc
import json
import pathlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wholebody.errors import EvaluationError
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


def read_json(path: str, what: str) -> Any:
    """A JSON file; `what` names it in messages."""
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise EvaluationError(f"cannot read {what} {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{what} {path} are not valid JSON: {error}") from error


def read_coco(path: str) -> dict[str, Any]:
    """Annotations in COCO's layout, with whatever keypoints they have."""
    data = read_json(path, "annotations")
    if not isinstance(data, dict) or not {"images", "annotations", "categories"} <= set(data):
        raise EvaluationError(f"{path}: expected COCO annotations with images, annotations and categories")
    for image in data["images"]:
        if not isinstance(image, dict) or not {"id", "file_name"} <= set(image):
            raise EvaluationError(f"{path}: every image needs id and file_name, got {str(image)[:60]}")
    return data


def read_entries(path: str, truth: Truth, fields: dict[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    """A results file: entries with image_id, score, and each of `fields` with one of its numbers of values."""
    entries = read_json(path, "results")
    if not isinstance(entries, list):
        raise EvaluationError(f"{path}: expected a JSON array of COCO results, got {type(entries).__name__}")
    for i, entry in enumerate(entries):
        wrong = [name for name in ("image_id", "score") if not isinstance(entry, dict) or name not in entry]
        if wrong:
            raise EvaluationError(f"{path}: entry {i}: expected image_id, score and {', '.join(fields)}, "
                                  f"{wrong[0]} is missing")
        for name, counts in fields.items():
            check_numbers(entry.get(name), counts, f"{path}: entry {i}: {name}")
    check_images({entry["image_id"] for entry in entries}, truth, path)
    return entries


def check_numbers(values: Any, counts: tuple[int, ...], where: str) -> None:
    """EvaluationError unless there are as many numbers as one of `counts`."""
    expected = " or ".join(str(count) for count in counts)
    if not isinstance(values, list) or len(values) not in counts:
        got = f"{len(values)}" if isinstance(values, list) else "none" if values is None else type(values).__name__
        raise EvaluationError(f"{where}: expected a list of {expected} numbers, got {got}")
    if not all(isinstance(value, (int, float)) for value in values):
        raise EvaluationError(f"{where}: expected {expected} numbers, one is none")


def check_images(numbers: set[Any], truth: Truth, where: str) -> None:
    """EvaluationError when results name images that are not labelled."""
    foreign = sorted(numbers - {image["id"] for image in truth.dataset["images"]}, key=str)
    if foreign:
        raise EvaluationError(f"{where}: image_id {foreign[0]} is not in the annotations ({len(foreign)} such); "
                              "was it made from other images?")


def rounded(statistics: dict[str, float]) -> dict[str, float]:
    """To the four digits that are printed."""
    return {name: round(float(value), 4) for name, value in statistics.items()}
