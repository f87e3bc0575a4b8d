"""A teacher's maps of every photograph, computed once and kept as float16 files."""

import hashlib
import logging
import pathlib
import time
from typing import NamedTuple, Sequence

import cv2
import numpy as np

from wholebody.files import replace_when_done
from wholebody.runtime.estimator import open_paf_estimator
from wholebody.skeletons import Skeleton

from .affine import after, inverse, warp_heatmaps, warp_pafs
from .coco import Photograph
from .targets import STRIDE, Targets

REPORT_EVERY = 200

log = logging.getLogger("train.teacher")


class TeacherMaps(NamedTuple):
    """What the teacher says of one photograph, and where."""

    heatmaps: np.ndarray
    """(K, h, w) float32."""
    pafs: np.ndarray
    """(2 L, h, w) float32."""
    from_photograph: np.ndarray
    """2x3: continuous pixels of the photograph to cells of the maps."""


def fill_cache(model: pathlib.Path, photographs: Sequence[Photograph], skeleton: Skeleton,
               cache: pathlib.Path) -> pathlib.Path:
    """Run the teacher, a model file with a card, where its maps are missing; the folder that holds them."""
    folder = cache / hashlib.sha256(model.read_bytes()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    missing = [photo for photo in photographs if not _file(folder, photo).exists()]
    if not missing:
        return folder
    log.info("running the teacher %s over %d photographs", model.name, len(missing))
    started = time.monotonic()
    with open_paf_estimator(str(model)) as estimate:
        if estimate.skeleton.name != skeleton.name or estimate.skeleton.paf_pairs != skeleton.paf_pairs:
            raise ValueError("the teacher %s speaks of %s; expected %s"
                             % (model, estimate.skeleton.name, skeleton.name))
        for done, photograph in enumerate(missing, 1):
            picture = cv2.imread(str(photograph.path))
            if picture is None:
                raise ValueError("cannot read %s" % photograph.path)
            estimate(picture)
            to_photograph = np.array([estimate.geometry.scale, estimate.geometry.offset], np.float64)
            with replace_when_done(_file(folder, photograph)) as path, open(str(path), "wb") as file:
                np.savez(file, heatmaps=estimate.maps.heatmaps.astype(np.float16),
                         pafs=estimate.maps.pafs.astype(np.float16), to_photograph=to_photograph)
            if done % REPORT_EVERY == 0 or done == len(missing):
                log.info("%d of %d, %.0f s", done, len(missing), time.monotonic() - started)
    return folder


def load_maps(folder: pathlib.Path, photograph: Photograph) -> TeacherMaps:
    """The kept maps of one photograph."""
    with np.load(str(_file(folder, photograph))) as data:
        scale, offset = data["to_photograph"]
        affine = np.array([[1 / scale[0], 0, -offset[0] / scale[0]], [0, 1 / scale[1], -offset[1] / scale[1]]])
        return TeacherMaps(data["heatmaps"].astype(np.float32), data["pafs"].astype(np.float32), affine / STRIDE)


def warped_maps(maps: TeacherMaps, affine: np.ndarray, crop: int, skeleton: Skeleton) -> Targets:
    """The teacher's maps under a map from photograph to crop, as targets of the crop."""
    cells = after(affine / STRIDE, inverse(maps.from_photograph))
    size = (crop // STRIDE, crop // STRIDE)
    return Targets(warp_heatmaps(maps.heatmaps, cells, size, skeleton), warp_pafs(maps.pafs, cells, size, skeleton))


def _file(folder: pathlib.Path, photograph: Photograph) -> pathlib.Path:
    return folder / (photograph.path.stem + ".npz")
