"""Makes a bundle: a folder with everything a board needs but the last step of the build, which only it can do."""
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import wholebody
from wholebody import __version__
from wholebody.card import METADATA_KEY, ModelCard, card_to_json
from wholebody.engines.build_spec import BuildSpec, check_spec, size_text
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.preflight import check_precision
from wholebody.engines.shapes import input_shapes
from wholebody.errors import BuildError, CardError, OutputError, SourceError
from wholebody.export.board_library import build_for_boards
from wholebody.files import output_error
from wholebody.jetson.boards import BoardFacts, board_named
from wholebody.jetson.identity import Board
from wholebody.runtime.bundle import contents
from wholebody.runtime.bundle.gate import EXPECTED, Picture, gate_to_json, read_picture
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.geometry import Resolution, net_size
from wholebody.runtime.sources.pictures import PICTURES
from wholebody.runtime.topdown.estimator import is_topdown

DRAWN = pathlib.Path(wholebody.__file__).resolve().parent / "data" / "gate"
# The device side: what of the package goes along, by folder; everything else stays here.
_FOLDERS = {"": ("*.py", "data/skeletons/*.json"), "cli": ("*.py",), "jetson": ("*.py", "tables/*.json"),
            "engines": ("*.py",),
            "runtime": ("**/*.py", "kernels/*.cu", "kernels/*.h", "native/*.cpp", "native/*.h",
                        "web/page/*.html", "web/page/*.css", "web/page/*.js")}
_PEOPLE_AT_ONCE = 8
_RUN = """#!/bin/sh
# Checks this folder, builds what is missing, asks the gate and starts wb-run: ./run --source clip.mp4 --json out
here=$(cd "$(dirname "$0")" && pwd) || exit 1
PYTHONPATH="$here/device${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
exec "${PYTHON:-python3}" -m wholebody.cli.bundle_start "$here" "$@"
"""


@dataclass(frozen=True)
class BundleOptions:
    """What a user decides about a bundle."""

    board: str
    precision: str = "fp16"
    size: tuple[int, int] | None = None   # height, width; the card's own at 16:9 where none is named
    calibration: str = ""                 # scales for INT8 of a graph without its own
    timing_cache: str = ""
    images: str = ""                      # a folder of pictures for the gate; drawn ones without it
    most_images: int = 8
    reference: str = ""                   # the FP32 network where MODEL is quantised already
    least_agreement: float = 0.95
    detector: str = ""
    whole_frame: bool = False
    overwrite: bool = False


@dataclass
class Made:
    """A bundle that was written."""

    bundle: contents.Bundle
    people: int                           # that the FP32 network found in the gate's pictures
    pictures: int
    bytes: int
    notes: list[str] = field(default_factory=list)


def make_bundle(model: str, folder: str, options: BundleOptions, say: Callable[[str], None] = lambda _: None) -> Made:
    """Writes the folder, or leaves what was there as it was."""
    facts = board_named(options.board)
    card, data = _read(model)
    _check_people(card, options)
    spec = _spec(card, facts, options, data, model)
    target = pathlib.Path(folder)
    _check_target(target, options.overwrite)
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        work = pathlib.Path(tempfile.mkdtemp(prefix=".wholebody-", dir=target.absolute().parent))
    except OSError as error:
        raise output_error(target, error, "create folder") from error
    try:
        work.chmod(0o755)
        made = _fill(work, model, card, facts, spec, options, say)
        _replace(target, work)
    except OSError as error:
        raise output_error(target, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return made


def _read(model: str) -> tuple[ModelCard, bytes]:
    if not model.lower().endswith(".onnx"):
        raise BuildError(f"{model}: a bundle is made of an ONNX file: wb-export onnx {model} -o model.onnx")
    data = read_bytes(model)
    return card_of(parse_onnx(data, model), model), data


def _spec(card: ModelCard, facts: BoardFacts, options: BundleOptions, data: bytes, model: str) -> BuildSpec:
    """How the board builds it; refused here where the board cannot."""
    size = options.size
    if card.input.size is None and size is None:
        width, height = net_size(card.input, 16, 9, Resolution())
        size = (height, width)
    parsed = parse_onnx(data, model)
    dynamic = bool(parsed.inputs) and not isinstance(parsed.inputs[0].shape[0], int)
    low, high = (1, _PEOPLE_AT_ONCE) if is_topdown(card) and dynamic else (None, None)
    spec = BuildSpec(options.precision, size, size, size, low, high,
                     calibration=contents.CALIBRATION if options.calibration else "")
    check_spec(spec)
    check_precision(Board(facts.title, facts.sm), spec)
    input_shapes(parsed.inputs, card, spec, model)
    return spec


def _fill(work: pathlib.Path, model: str, card: ModelCard, facts: BoardFacts, spec: BuildSpec,
          options: BundleOptions, say: Callable[[str], None]) -> Made:
    _copy_network(model, work / contents.MODEL)
    (work / contents.CARD).write_text(card_to_json(card) + "\n", encoding="utf-8")
    for given, name in ((options.calibration, contents.CALIBRATION), (options.timing_cache, contents.TIMING_CACHE)):
        if given:
            (work / name).write_bytes(read_bytes(given))
    if options.detector:
        _copy_network(options.detector, work / contents.DETECTOR)
    copy_device_side(work / contents.DEVICE / "wholebody")
    say("compiling the native library for aarch64")
    why_not = build_for_boards(work / contents.NATIVE)
    say("asking the FP32 network about the gate's pictures")
    chosen: dict[str, Any] = {name: getattr(options, name) for name in ("detector", "whole_frame")
                              if getattr(options, name)}
    if spec.opt_size and card.input.size is None:
        chosen["net_resolution"] = size_text(spec.opt_size)
    pictures = _make_gate(work / contents.GATE, options.reference or model, options, chosen)
    start = work / contents.START
    start.write_text(_RUN, encoding="utf-8")
    start.chmod(0o755)
    native = contents.sha256_of(work / contents.NATIVE)
    changing = (contents.NATIVE, contents.TIMING_CACHE)  # the board rewrites them
    files = {str(path.relative_to(work)): contents.sha256_of(path) for path in sorted(work.rglob("*"))
             if path.is_file() and str(path.relative_to(work)) not in changing}
    bundle = contents.Bundle(facts.name, spec, options.least_agreement, chosen, files, __version__, native)
    (work / contents.BUNDLE_FILE).write_text(contents.bundle_to_json(bundle), encoding="utf-8")
    notes = [f"the board compiles the native library when it starts first: {why_not}"] if why_not else []
    size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    return Made(bundle, sum(len(picture.poses) for picture in pictures), len(pictures), size, notes)


def _copy_network(model: str, target: pathlib.Path) -> None:
    """The file, and those beside it that hold its weights, under the names it knows them by."""
    data = read_bytes(model)
    parsed = parse_onnx(data, model)
    if METADATA_KEY not in parsed.metadata:
        card_of(parsed, model)  # says how to give it one
    target.write_bytes(data)
    for name in parsed.external_files:
        if pathlib.PurePath(name).name != name:
            raise OutputError(f"{model} has weights in {name}: expected files beside it; save it as one file first")
        (target.parent / name).write_bytes(read_bytes(pathlib.Path(model).parent / name))


def copy_device_side(target: pathlib.Path) -> None:
    """Python, tables and native sources of everything that runs on a board."""
    package = pathlib.Path(wholebody.__file__).resolve().parent
    for folder, patterns in _FOLDERS.items():
        source = (package / folder).resolve()
        for pattern in patterns:
            for path in sorted(source.glob(pattern)):
                to = target / folder / path.relative_to(source)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)


def _make_gate(folder: pathlib.Path, reference: str, options: BundleOptions, chosen: dict[str, Any]) -> list[Picture]:
    """Copies of the pictures and what the FP32 network says of them."""
    folder.mkdir()
    pictures = []
    with open_estimator(reference, **chosen) as estimate:
        for number, path in enumerate(_images(options)):
            name = f"{number:03d}{path.suffix.lower()}"
            shutil.copyfile(path, folder / name)
            pictures.append(Picture(name, estimate(read_picture(folder / name))))
        skeleton = estimate.skeleton
    if not any(len(picture.poses) for picture in pictures):
        raise SourceError(f"the FP32 network finds nobody in {options.images or 'the drawn pictures'}: a gate needs "
                          "people; name a folder of pictures with some: --images DIR")
    (folder / EXPECTED).write_text(gate_to_json(pictures, skeleton), encoding="utf-8")
    return pictures


def _images(options: BundleOptions) -> list[pathlib.Path]:
    """Evenly from the folder."""
    folder = pathlib.Path(options.images) if options.images else DRAWN
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    except OSError as error:
        raise SourceError(f"cannot read the pictures of {folder}: {error.strerror}") from error
    if not found:
        raise SourceError(f"there are no pictures in {folder}; expected files ending in {' '.join(PICTURES)}")
    count = min(len(found), options.most_images)
    return [found[place * len(found) // count] for place in range(count)]


def _check_target(target: pathlib.Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir() or (not contents.is_bundle(str(target)) and any(target.iterdir())):
        raise OutputError(f"{target} exists and is no bundle; name another folder")
    if not overwrite and contents.is_bundle(str(target)):
        raise OutputError(f"{target} exists; add --overwrite or name another folder")


def _replace(target: pathlib.Path, work: pathlib.Path) -> None:
    """The new folder in the old one's place; the old one is gone last."""
    old = work.with_name(work.name + "-old")
    if target.exists():
        os.replace(target, old)
    os.replace(work, target)
    shutil.rmtree(old, ignore_errors=True)


def _check_people(card: ModelCard, options: BundleOptions) -> None:
    """CardError where a network for one person is not told where people are."""
    if is_topdown(card) and bool(options.detector) == options.whole_frame:
        raise CardError("this network sees one person at a time: give --detector MODEL or --whole-frame")
