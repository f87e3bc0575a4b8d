"""Does PAF decoding find what OpenPose finds? The correctness table of every backend, on golden cases and other seeds.

    PYTHONPATH=src python benchmarks/paf_correctness.py [--shared DIR] [--seeds 7,8,9] [--json FILE]

A keypoint counts as reproduced within 0.1 px, people paired by best match. Golden cases are compared with
OpenPose's own answer, scenes of other seeds with the NumPy twin (byte for byte as well). Exit status 3: a floor missed.
"""
import argparse
import functools
import importlib.util
import json
import pathlib
import sys
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from wholebody.poses import Poses
from wholebody.runtime.native.library import HOW_TO_BUILD, find_library
from wholebody.runtime.paf import PafDecoder
from wholebody.skeletons import get_skeleton

SHARED = pathlib.Path(__file__).resolve().parents[1].parent / "shared"
SKELETONS = {"COCO": "COCO_18"}  # scenes.py's name of a set, where it differs from ours
COLUMNS = ("up to 20 people", "50 and 100", "real maps")
FLOORS = {"numpy": (0.999, 0.999, 0.999), "native": (0.999, 0.98, 0.995)}
OTHER_SCENES = [(name, people) for name in ("COCO", "BODY_25", "BODY_135") for people in (1, 5, 20, 50, 100)]
TOLERANCE_PX = 0.1
SIZE = (656, 368)


class Case(NamedTuple):
    """Maps and the people OpenPose finds in them."""

    name: str
    skeleton: str
    column: int
    heatmaps: Any
    pafs: Any
    people: Any  # (N, K, 3) x, y, score


class Tally:
    """Keypoints reproduced of those expected, and frames with the expected number of people."""

    def __init__(self) -> None:
        self.reproduced = self.expected = self.frames = self.frames_same_people = 0

    def add(self, poses: Poses, people: Any) -> None:
        """Count one frame."""
        self.reproduced += reproduced(poses, people)
        self.expected += int((people[..., 2] > 0).sum())
        self.frames += 1
        self.frames_same_people += len(poses) == len(people)

    @property
    def share(self) -> float:
        """Of keypoints; 1 when none was expected."""
        return self.reproduced / self.expected if self.expected else 1.0

    def as_dict(self) -> Dict[str, Any]:
        """For --json."""
        return {"share": self.share, "reproduced": self.reproduced, "expected": self.expected,
                "frames": self.frames, "frames_same_people": self.frames_same_people}

    def __str__(self) -> str:
        return "%.3f %% of %d, people in %d/%d" % (
            100 * self.share, self.expected, self.frames_same_people, self.frames)


def reproduced(poses: Poses, people: Any) -> int:
    """Expected keypoints (N, K, 3) found within tolerance; the pair of people with most in common goes first."""
    close = np.abs(poses.keypoints[:, None] - people[None, :, :, :2]).max(axis=3) <= TOLERANCE_PX
    hits = (close & (poses.scores > 0)[:, None] & (people[None, :, :, 2] > 0)).sum(axis=2)
    total = 0
    while hits.size and hits.max() > 0:
        i, k = np.unravel_index(int(np.argmax(hits)), hits.shape)
        total += int(hits[i, k])
        hits[i, :], hits[:, k] = 0, 0
    return total


@functools.lru_cache(maxsize=None)
def load_scenes(golden: pathlib.Path) -> Any:
    """The golden folder's scenes.py as a module."""
    spec = importlib.util.spec_from_file_location("golden_scenes", str(golden / "scenes.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def golden_cases(golden: pathlib.Path) -> Any:
    """One case after the other, scenes first."""
    scenes, reference, real = load_scenes(golden), np.load(golden / "reference.npz"), np.load(golden / "real_maps.npz")
    for name in reference.files:
        maps, parts = scenes.load_case(name), name.rsplit("_", 3)
        column = 0 if int(parts[2][1:]) <= 20 else 1
        skeleton = SKELETONS.get(parts[0], parts[0])
        yield Case(name, skeleton, column, maps.heatmaps, maps.pafs, reference[name])
    for name in sorted(key[:-len("_people")] for key in real.files if key.endswith("_people")):
        yield Case(name, "COCO_18", 2, real[name + "_heatmaps"], real[name + "_pafs"], real[name + "_people"])


@functools.lru_cache(maxsize=None)
def decoder(skeleton: str, backend: str) -> PafDecoder:
    """One decoder a set and backend, as a program would hold it."""
    return PafDecoder(get_skeleton(skeleton), backend=backend)


def compare_with_golden(golden: pathlib.Path, backends: List[str]) -> Dict[str, List[Tally]]:
    """Per backend a tally of each column."""
    tallies = {backend: [Tally() for _ in COLUMNS] for backend in backends}
    for case in golden_cases(golden):
        progress(case.name)
        for backend in backends:
            poses = decoder(case.skeleton, backend)(case.heatmaps, case.pafs)
            tallies[backend][case.column].add(poses, case.people)
    return tallies


def compare_with_twin(golden: pathlib.Path, seeds: List[int]) -> Tuple[List[Tally], int]:
    """Native against the NumPy twin on scenes of other seeds, and how many frames are the same bytes."""
    tallies, identical, scenes = [Tally(), Tally()], 0, load_scenes(golden)
    for seed in seeds:
        for name, people in OTHER_SCENES:
            progress("%s, %d people, seed %d" % (name, people, seed))
            maps = scenes.render(name, scenes.scene(people, *SIZE, seed), *SIZE, seed)
            skeleton = SKELETONS.get(name, name)
            native, twin = (decoder(skeleton, backend)(maps.heatmaps, maps.pafs) for backend in ("native", "numpy"))
            expected = np.concatenate([twin.keypoints, twin.scores[..., None]], axis=2)
            tallies[int(people > 20)].add(native, expected)
            identical += all(getattr(native, field).tobytes() == getattr(twin, field).tobytes()
                             for field in ("keypoints", "scores", "person_scores"))
    return tallies, identical


def progress(text: str) -> None:
    """One line on stderr that the next one overwrites; nothing where stderr is a file."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Correctness of PAF decoding, per backend.")
    parser.add_argument("--shared", type=pathlib.Path, default=SHARED, metavar="DIR",
                        help="folder that holds golden/ (default: %(default)s)")
    parser.add_argument("--seeds", default="7,8,9", metavar="N,N", help="compare native with the NumPy twin on scenes "
                        "of these seeds as well; '' for none (default: %(default)s)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


def main() -> int:
    """0, 1 without golden cases, 3 when a backend is below its floor."""
    options = arguments()
    golden = options.shared / "golden"
    if not (golden / "reference.npz").is_file():
        sys.stderr.write("error: no golden cases: %s/reference.npz is missing; name their folder with --shared DIR\n"
                         % golden)
        return 1
    backends = ["numpy", "native"]
    if find_library() is None:
        sys.stderr.write("native is left out: the native library is not built; %s\n" % HOW_TO_BUILD)
        backends.remove("native")
    tallies = compare_with_golden(golden, backends)
    report: Dict[str, Any] = {"tolerance_px": TOLERANCE_PX, "golden": {
        backend: {column: tally.as_dict() for column, tally in zip(COLUMNS, row)} for backend, row in tallies.items()}}
    passed = all(tally.share >= floor and tally.frames == tally.frames_same_people
                 for backend, row in tallies.items() for tally, floor in zip(row, FLOORS[backend]))
    progress("")
    print_row("", COLUMNS)
    for backend, row in tallies.items():
        print_row(backend, row)
    seeds = [int(seed) for seed in options.seeds.split(",") if seed]
    if seeds and "native" in backends:
        row, identical = compare_with_twin(golden, seeds)
        progress("")
        print_row("native vs twin", row)
        frames = sum(tally.frames for tally in row)
        print("seeds %s: %d of %d frames the same bytes" % (options.seeds, identical, frames))
        report["native_vs_twin"] = {"seeds": seeds, "identical_frames": identical,
                                    **{column: tally.as_dict() for column, tally in zip(COLUMNS, row)}}
        passed = passed and all(tally.share >= floor for tally, floor in zip(row, FLOORS["native"]))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if passed else 3


def print_row(name: str, cells: Any) -> None:
    """One line of the table."""
    print("%-16s" % name + "".join("%-44s" % cell for cell in cells).rstrip())


if __name__ == "__main__":
    sys.exit(main())
