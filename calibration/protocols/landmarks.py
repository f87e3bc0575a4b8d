"""Faces and hands one at a time: which of the found is which of the labelled, and how far its points are off."""
import abc
import pathlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wholebody.calibration.protocols.base import ImageErrors, Protocol, Report, Truth, Weights, rounded, worst_first
from wholebody.calibration.protocols.drawn import plain_skeleton, poses_of
from wholebody.calibration.protocols.files import check_numbers, read_coco, read_list
from wholebody.calibration.protocols.writing import ResultsFile
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.runtime.sinks import Sink
from wholebody.skeletons import Skeleton

Floats = npt.NDArray[np.float64]


class Thing(NamedTuple):
    """A face or a hand; `side` is empty where the file has no sides."""

    image_id: int
    side: str
    rows: Floats        # (K, 3) x, y, v
    box: Floats         # x, y, width, height; zeros for what is found


@dataclass(frozen=True)
class Offsets:
    """Of every label: distances in pixels, NaN where a point is not labelled, inf where nothing was found."""

    labels: tuple[Thing, ...]
    pixels: Floats      # (N, K)
    lengths: Floats     # (N,) of the box's longer side, pixels
    found: npt.NDArray[np.bool_]
    errors: Floats      # (N,) of what was found, as the headline counts them; 0 where nothing was
    terms: Floats       # (N,) how many terms of the mean that is

    def mean_error(self, weights: Weights) -> float:
        """The headline, where a label counts as often as `weights` says."""
        return float((self.errors * weights).sum()) / max(float((self.terms * weights).sum()), 1.0)


class Landmarks(Protocol):
    """`fields` are the names under which files have the points of each side."""

    part: str
    fields: dict[str, str]          # name in a file with sides -> side
    counts: tuple[int, ...]         # numbers of points a file may have
    headline: str
    quality: str

    @abc.abstractmethod
    def statistics(self, offsets: Offsets, weights: Weights) -> dict[str, float]:
        """The numbers, where a label counts as often as `weights` says."""

    @abc.abstractmethod
    def error(self, label: Thing, apart: Floats) -> tuple[float, float]:
        """Of what was found `apart` pixels from a label, as the headline counts it, and how many terms that is."""

    def skeleton(self, count: int) -> Skeleton:
        """Names of as many points."""
        return plain_skeleton(count)

    def measurable(self, label: Thing) -> bool:
        """Whether a label has what its distances are measured by."""
        return bool((label.rows[:, 2] > 0).any() and (label.box[2:] > 0).all())

    def load(self, path: str) -> Truth:
        data = read_coco(path)
        things = [thing for i, entry in enumerate(data["annotations"])
                  for thing in self._things(entry, f"{path}: annotation {entry.get('id', i)}")]
        labels = tuple(thing for thing in things if self.measurable(thing))
        if not labels:
            raise EvaluationError(f"{path}: no {self.part} is labelled; expected annotations with "
                                  f"{' or '.join(['keypoints', *self.fields])} and their boxes")
        if len({len(label.rows) for label in labels}) > 1:
            raise EvaluationError(f"{path}: some annotations have more points than others; expected one set")
        return Truth(data, path, labels)

    def read(self, path: str, truth: Truth) -> tuple[Thing, ...]:
        entries = read_list(path, truth)
        found = [thing for i, entry in enumerate(entries) for thing in self._things(entry, f"{path}: entry {i}")]
        points = len(truth.data[0].rows)
        for thing in found:
            if len(thing.rows) != points:
                raise EvaluationError(f"{path}: a {self.part} of {len(thing.rows)} points, the labels have {points}")
        return tuple(thing for thing in found if (thing.rows[:, 2] > 0).any())

    def evaluate(self, truth: Truth, found: tuple[Thing, ...]) -> Report:
        images = tuple(sorted(image["id"] for image in truth.dataset["images"]))
        offsets = self._offsets(truth.data, found)
        place = np.array([images.index(label.image_id) for label in offsets.labels])
        sides = [side for side in dict.fromkeys(label.side for label in offsets.labels) if side]
        rows = {side: np.array([label.side == side for label in offsets.labels]) for side in sides}
        rows[self.part] = np.ones(len(place), bool)

        def measure(weights: Weights) -> dict[str, float]:
            return {name: offsets.mean_error(weights[place] * chosen) for name, chosen in rows.items()}

        parts = {name: rounded(self.statistics(offsets, chosen.astype(np.int64))) for name, chosen in rows.items()}
        return Report(self.name, len(images), len(offsets.labels), len(found), parts, (self.part, self.headline),
                      self._errors(offsets, found, images), images, measure, lower_is_better=True,
                      quality=self.quality, counted=self.part + "s")

    def sink(self, path: pathlib.Path, truth: Truth) -> Sink:
        sided = bool(truth.data[0].side)
        return ResultsFile(path, lambda number, poses: self.entries(number, poses, sided, len(truth.data[0].rows)))

    @abc.abstractmethod
    def entries(self, image_id: int, poses: Poses, sided: bool, count: int) -> list[dict[str, Any]]:
        """What a model finds in a frame, as results."""

    def poses(self, truth: Truth, found: tuple[Thing, ...], image_id: int) -> tuple[Poses, Poses]:
        skeleton = self.skeleton(len(truth.data[0].rows))
        labels, results = ([thing.rows.ravel().tolist() for thing in things if thing.image_id == image_id]
                           for things in (truth.data, found))
        return poses_of(labels, skeleton), poses_of(results, skeleton)

    def _things(self, entry: dict[str, Any], where: str) -> list[Thing]:
        """Of an annotation or a result: one, or one a side."""
        named = {field: side for field, side in self.fields.items() if field in entry}
        things = []
        for field, side in (named or {"keypoints": ""}).items():
            if not named and field not in entry:
                continue
            check_numbers(entry[field], tuple(3 * count for count in self.counts), f"{where}: {field}")
            box = entry.get(field.replace("kpts", "box") if named else "bbox") or [0, 0, 0, 0]
            check_numbers(box, (4,), f"{where}: box")
            things.append(Thing(entry["image_id"], side, np.array(entry[field], float).reshape(-1, 3),
                                np.array(box, float)))
        return things

    def _errors(self, offsets: Offsets, found: Sequence[Thing], images: Iterable[int]) -> tuple[ImageErrors, ...]:
        errors = []
        for image in images:
            mine = np.array([label.image_id == image for label in offsets.labels])
            hits = int((mine & offsets.found).sum())
            errors.append(ImageErrors(image, int(mine.sum()) - hits,
                                      sum(thing.image_id == image for thing in found) - hits,
                                      offsets.mean_error(mine.astype(np.int64))))
        return worst_first(errors, lower_is_better=True)

    def _offsets(self, labels: tuple[Thing, ...], found: tuple[Thing, ...]) -> Offsets:
        pixels, lengths, hit = _paired(labels, found)
        errors = np.array([self.error(label, apart) if there else (0.0, 0.0)
                           for label, apart, there in zip(labels, pixels, hit, strict=True)])
        return Offsets(labels, pixels, lengths, hit, errors[:, 0], errors[:, 1])


def _paired(labels: tuple[Thing, ...], found: tuple[Thing, ...]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Nearest pairs first, each once, of one image and side; never farther apart than the label is long."""
    lengths = np.array([label.box[2:].max() for label in labels])
    pixels = np.where([label.rows[:, 2] > 0 for label in labels], np.inf, np.nan)
    by_place: dict[tuple[int, str], list[int]] = {}
    for i, thing in enumerate(found):
        by_place.setdefault((thing.image_id, thing.side), []).append(i)
    pairs = []
    for i, label in enumerate(labels):
        for k in by_place.get((label.image_id, label.side), []):
            apart = _apart(label, found[k])
            if np.nanmean(apart) <= lengths[i]:
                pairs.append((float(np.nanmean(apart)), i, k, apart))
    used: set[int] = set()
    hit = np.zeros(len(labels), bool)
    for _, i, k, apart in sorted(pairs, key=lambda pair: pair[:3]):
        if not hit[i] and k not in used:
            hit[i], pixels[i] = True, apart
            used.add(k)
    return pixels, lengths, hit


def _apart(label: Thing, found: Thing) -> Floats:
    apart: Floats = np.linalg.norm(label.rows[:, :2] - found.rows[:, :2], axis=1)
    return np.where(label.rows[:, 2] > 0, apart, np.nan)
