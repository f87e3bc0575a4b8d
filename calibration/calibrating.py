"""From pictures to a calibration table, through the runtime's own preprocessing; may be interrupted at any point."""
import hashlib
import io
import json
import logging
import math
import pathlib
import time
import zipfile
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from wholebody.calibration.histograms import DEFAULT_METHOD, METHODS, Histogram
from wholebody.calibration.observing import ObservedEngine
from wholebody.calibration.picture_set import (
    COLOUR_TRIALS,
    PictureSet,
    Seen,
    look_at,
    picture_set,
    warnings_of,
)
from wholebody.engines.calibration_table import CalibrationTable, preprocessing_of, read_table, table_to_json
from wholebody.engines.onnxfile import card_of, graph_sha256, parse_onnx, read_bytes
from wholebody.engines.qdq_graph import candidates, channel_ranges, weights_of
from wholebody.errors import BuildError, ModelError, SourceError
from wholebody.files import check_free, write_bytes, write_text
from wholebody.poses import Frame
from wholebody.runtime.estimator import estimator_around
from wholebody.runtime.sources.pictures import read_picture

_log = logging.getLogger(__name__)
_STATE_VERSION = 1
_SAVE_SECONDS = 5.0
Progress = Callable[[int, int, str], None]  # pictures done, of how many, a line to say or ""


class CalibrationOptions(NamedTuple):
    """What a user decides."""

    method: str = ""                           # "" is that of a table that is there already, else the default
    most: int = 0                              # pictures; 0 is all of the folder
    threads: int = 0
    estimator: Tuple[Tuple[str, Any], ...] = ()  # options of the estimator that say how pictures become inputs


class Calibration(NamedTuple):
    """A table and what was said of its pictures."""

    table: CalibrationTable
    warnings: Tuple[str, ...]
    ready: bool = False    # it was there already


class _State:
    """How far a calibration is."""

    def __init__(self, key: str, tensors: List[str]) -> None:
        self.key, self.tensors = key, tensors
        self.seen: List[Seen] = []

    def save(self, path: pathlib.Path, histograms: Dict[str, Histogram]) -> None:
        """All of it, in one file that is there whole or not at all."""
        buffer = io.BytesIO()
        measured = [histograms[name] for name in self.tensors]
        np.savez(buffer, key=np.array(self.key), counts=np.array([h.counts for h in measured]),
                 tops=np.array([h.top for h in measured]), largest=np.array([h.largest for h in measured]),
                 seen=np.array([one[:5] for one in self.seen], np.float64),
                 thumbnails=np.array([one.thumbnail for one in self.seen], np.float32))
        write_bytes(path, buffer.getvalue(), overwrite=True)

    def load(self, path: pathlib.Path, histograms: Dict[str, Histogram]) -> bool:
        """Whether there was something of this very calibration to go on from."""
        try:
            with np.load(str(path), allow_pickle=False) as kept:
                found = {name: kept[name] for name in kept.files}  # all is read, and checked by zip, before any is used
            if str(found["key"]) != self.key:
                return False
            seen = [Seen(bool(row[0]), row[1], int(row[2]), row[3], row[4], thumbnail)
                    for row, thumbnail in zip(found["seen"].tolist(), found["thumbnails"])]
            measured = list(zip(found["counts"], found["tops"].tolist(), found["largest"].tolist()))
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
            return False
        for name, (counts, top, largest) in zip(self.tensors, measured):
            histograms[name].counts, histograms[name].top, histograms[name].largest = counts, top, largest
        self.seen = seen
        return True


def calibrate(model: str, images: str, output: str, options: CalibrationOptions = CalibrationOptions(),
              overwrite: bool = False, progress: Optional[Progress] = None) -> Calibration:
    """Writes the table of a network's ranges over the pictures of a folder; an interrupted run is gone on with."""
    say = progress or _silent
    pictures = picture_set(images, options.most)
    known = _known(model, pictures, options)
    there = _there_already(model, images, output, known, overwrite) if pathlib.Path(output).is_file() else None
    if there is not None:
        return _by_method(there, output, options.method, overwrite)
    check_free(output, overwrite)
    with estimator_around(ObservedEngine(model, options.threads), **dict(options.estimator)) as estimate:
        engine = estimate.engine
        assert isinstance(engine, ObservedEngine)
        state, partial = _State(_key(known), engine.tensors), pathlib.Path(output + ".partial")
        if partial.is_file():
            gone_on = state.load(partial, engine.histograms)
            say(0, 0, "%s: going on after %d of %d pictures" % (partial, len(state.seen), len(pictures.paths))
                if gone_on else "%s is of another calibration, or damaged: starting again" % partial)
        _watch(estimate, engine, pictures, state, partial, say)
        if not any(one.readable for one in state.seen):
            raise SourceError("none of the %d pictures in %s can be read" % (len(state.seen), images))
        warnings = warnings_of(state.seen)
        table = _table(engine, known, state, warnings, options)
    write_text(output, table_to_json(table), overwrite)
    partial.unlink(missing_ok=True)
    return Calibration(read_table(output, table.graph_sha256, model), tuple(warnings))


def _silent(done: int, total: int, line: str) -> None:
    _log.debug("picture %d of %d %s", done, total, line)


def _known(model: str, pictures: PictureSet, options: CalibrationOptions) -> Dict[str, Any]:
    """What makes a calibration this one and no other."""
    data = read_bytes(model)
    file = parse_onnx(data, model)
    if file.external_files:
        raise ModelError("%s keeps weights in files beside it (%s): save it as one file first"
                         % (model, file.external_files[0]))
    chosen = {name: value for name, value in options.estimator if value}
    for name in ("boxes", "detector"):  # files: what is in them counts
        if name in chosen:
            chosen[name] = hashlib.sha256(read_bytes(chosen[name])).hexdigest()
    return {"graph_sha256": graph_sha256(data), "preprocessing": preprocessing_of(card_of(file, model)),
            "pictures": {"sha256": pictures.sha256, "count": len(pictures.paths), "options": chosen}}


def _key(known: Dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([_STATE_VERSION, known], sort_keys=True).encode()).hexdigest()


def _there_already(model: str, images: str, output: str, known: Dict[str, Any],
                   overwrite: bool) -> Optional[CalibrationTable]:
    """The table in the file, where it is this very one; None where it may be replaced, BuildError says what differs."""
    try:
        data = read_bytes(model)
        table = read_table(output, known["graph_sha256"], model, card_of(parse_onnx(data, model), model))
        pictures = table.pictures or {}
        if not table.statistics or any(pictures.get(name) != value for name, value in known["pictures"].items()):
            raise BuildError("%s was measured on other pictures, or on other sizes of them, than those of %s: "
                             "calibrate again" % (output, images))
        return table
    except BuildError as error:
        if overwrite:
            return None
        raise BuildError("%s; add --overwrite to replace it" % error)


def _by_method(table: CalibrationTable, output: str, method: str, overwrite: bool) -> Calibration:
    """A table that needs no measuring, with the ranges of another method if that is asked for."""
    warnings = tuple((table.pictures or {}).get("warnings", ()))
    wanted = table._replace(method=method, ranges=table.statistics[method], keep=()) if method else table
    if wanted != table:
        write_text(output, table_to_json(wanted), overwrite)
    return Calibration(wanted, warnings, True)


def _watch(estimate: Any, engine: ObservedEngine, pictures: PictureSet, state: _State, partial: pathlib.Path,
           say: Progress) -> None:
    """The pictures that are left, each through the whole network; what is known so far is kept now and then."""
    saved = time.monotonic()
    try:
        for path in pictures.paths[len(state.seen):]:
            held = [(h.counts.copy(), h.top, h.largest) for h in engine.histograms.values()]
            try:
                one = _look(estimate, engine, path, len(state.seen))
            except BaseException:  # half a picture does not count
                for histogram, (counts, top, largest) in zip(engine.histograms.values(), held):
                    histogram.counts, histogram.top, histogram.largest = counts, top, largest
                raise
            state.seen.append(one)
            say(len(state.seen), len(pictures.paths), "" if one.readable else "cannot read %s" % path)
            if time.monotonic() - saved > _SAVE_SECONDS:
                state.save(partial, engine.histograms)
                saved = time.monotonic()
    except BaseException:
        if state.seen:
            state.save(partial, engine.histograms)
        raise


def _look(estimate: Any, engine: ObservedEngine, path: pathlib.Path, index: int) -> Seen:
    try:
        image = read_picture(path)
    except SourceError:
        return Seen(False, 0.0, 0, 0.0, math.nan, np.zeros(64, np.float32))
    exchanged = math.nan
    if index < COLOUR_TRIALS:
        engine.counting = False
        exchanged = _score(estimate, np.ascontiguousarray(image[:, :, ::-1]), path, index)[1]
        engine.counting = True
    people, score = _score(estimate, image, path, index)
    spread, thumbnail = look_at(image)
    return Seen(True, spread, people, score, exchanged, thumbnail)


def _score(estimate: Any, image: Any, path: pathlib.Path, index: int) -> Tuple[int, float]:
    poses = estimate.process(Frame(image, index, time.monotonic(), path.stem)).poses
    return len(poses), float(poses.scores.sum(dtype=np.float64))


def _table(engine: ObservedEngine, known: Dict[str, Any], state: _State, warnings: List[str],
           options: CalibrationOptions) -> CalibrationTable:
    alive = [name for name in engine.tensors if engine.histograms[name].largest > 0]
    if not alive:
        raise BuildError("%s: no tensor of it is ever other than zero: there is nothing to calibrate" % engine.path)
    statistics = {method: {name: _rounded(of(engine.histograms[name])) for name in alive}
                  for method, of in METHODS.items()}
    found = candidates(engine.graph)
    weights = weights_of(engine.graph, [one.weights for one in found])
    channels = {one.weights: [float(v) for v in channel_ranges(weights[one.weights], one.axis)] for one in found}
    pictures = dict(known["pictures"], warnings=warnings, readable=sum(one.readable for one in state.seen),
                    with_people=sum(one.people > 0 for one in state.seen))
    method = options.method or DEFAULT_METHOD
    return CalibrationTable(known["graph_sha256"], statistics[method], "", known["preprocessing"], pictures, method,
                            statistics, channels)


def _rounded(value: float) -> float:
    """Nine digits are all that FP32 has."""
    return float("%.9g" % value)
