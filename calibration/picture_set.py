"""The pictures of a calibration, and what speaks against them: blank, alike, without people, colours exchanged."""
import hashlib
import math
import pathlib
from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.errors import SourceError
from wholebody.packages import require
from wholebody.runtime.sources.pictures import Folder

THUMBNAIL = 8              # pixels a side of what pictures are compared by
COLOUR_TRIALS = 24         # pictures that are shown to the network with red and blue exchanged as well
_FEW = 16
_BLANK_SPREAD = 4.0        # grey levels
_ALIKE = 2.0               # grey levels between two thumbnails, on average
_MANY = 0.1                # part of the pictures
_LEAST_WITH_PEOPLE = 0.25  # part of the pictures
_CHANCE = 0.01


class PictureSet(NamedTuple):
    """The files of a folder, by name, and the hash of their bytes."""

    paths: Tuple[pathlib.Path, ...]
    sha256: str


class Seen(NamedTuple):
    """What one picture was like."""

    readable: bool
    spread: float        # standard deviation of its grey levels
    people: int          # that the network found in it
    score: float         # sum of their keypoints' scores
    exchanged: float     # the same with red and blue exchanged; nan where it was not tried
    thumbnail: Any       # (64,) grey levels


def picture_set(folder: str, most: int = 0) -> PictureSet:
    """The pictures of a folder, the first `most` of them; all without."""
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise SourceError("expected a folder of pictures, got %s" % folder)
    paths = tuple(Folder(path).paths[:most or None])
    digest = hashlib.sha256()
    for place in paths:
        try:
            digest.update(hashlib.sha256(place.read_bytes()).digest())
        except OSError as error:
            raise SourceError("cannot read %s: %s" % (place, error.strerror or error))
    return PictureSet(paths, digest.hexdigest())


def look_at(image: Any) -> Tuple[float, Any]:
    """Spread and thumbnail of a picture (H, W, 3)."""
    cv2 = require("cv2")
    grey = image.astype(np.float32).mean(axis=2)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return float(grey.std()), small.reshape(-1)


def warnings_of(seen: Sequence[Seen]) -> List[str]:
    """What is wrong with a set, one line each."""
    readable = [one for one in seen if one.readable]
    found = [_blank(readable), _alike(readable), _people(readable), _colours(readable)]
    return [line for line in found if line]


def _blank(seen: Sequence[Seen]) -> str:
    blank = sum(one.spread < _BLANK_SPREAD for one in seen)
    return ("%d of %d pictures are blank: they say nothing of what the network will see" % (blank, len(seen))
            if blank >= max(1, _MANY * len(seen)) else "")


def _alike(seen: Sequence[Seen]) -> str:
    thumbnails = np.array([one.thumbnail for one in seen if one.spread >= _BLANK_SPREAD], np.float32)
    distinct: List[int] = []
    for place in range(len(thumbnails)):
        if not distinct or np.abs(thumbnails[distinct] - thumbnails[place]).mean(axis=1).min() >= _ALIKE:
            distinct.append(place)
    if len(thumbnails) - len(distinct) > _MANY * len(thumbnails):
        return "of %d pictures only %d differ: the others repeat them" % (len(seen), len(distinct))
    if 0 < len(distinct) < _FEW:
        return "only %d pictures: 100 different ones or more are usual" % len(distinct)
    return ""


def _people(seen: Sequence[Seen]) -> str:
    with_people = sum(one.people > 0 for one in seen)
    return ("the network finds people in %d of %d pictures: take pictures of what it will be used for, with people"
            % (with_people, len(seen)) if with_people < _LEAST_WITH_PEOPLE * len(seen) else "")


def _colours(seen: Sequence[Seen]) -> str:
    """A sign test: does the network see more when red and blue are exchanged?"""
    better = sum(one.exchanged > one.score for one in seen)
    worse = sum(one.exchanged < one.score for one in seen)
    tried = better + worse
    chance = sum(math.comb(tried, k) for k in range(better, tried + 1)) / 2.0 ** tried
    return ("the network sees people better in %d of %d pictures when red and blue are exchanged: is the colour order "
            "of the card, or of the pictures, wrong?" % (better, tried) if chance < _CHANCE else "")
