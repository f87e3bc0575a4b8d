"""The papers' figure: time of a frame against the number of people in it, for the three kinds of whole-body system.

    python benchmarks/bench_systems.py [--share 0.5] [--rounds N] [--detector YOLOX.onnx]

    several networks  OpenPose: BODY_25, then a face network and a hand network for everybody's face and hands
    one network       OpenPose's BODY_135: body, feet, face and hands of everybody in one pass
    one at a time     a detector, then FastPose-50 with 136 points for everybody's box

The official architectures with seeded random weights: their time does not depend on what the weights are. Random
networks find nobody, so people are put in. The network for bodies runs on a picture of noise; the decoder is given maps
of so many drawn people, as large as those of the usual 656x368; faces and hands are then cut out of the frame around
people who stand in it, and FastPose gets so many boxes after the detector ran. Sides of all inputs but the detector's
are half the usual ones (656x368; 368x368; 192x256), to a multiple of 16 or 32. ONNX Runtime with one thread on a CPU,
everything in one process, the systems in turn, medians of rounds; milliseconds of CPU time, which are those of one core
that nobody else uses. `ms a person` is the slope of a straight line through the times, `growth` the time with the most
people over that with one.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from line_chart import Line, draw

from wholebody.export.loading import LoadedNetwork
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.onnx_export import OnnxOptions, export_onnx
from wholebody.poses import Frame, Poses
from wholebody.runtime.paf import PafDecoder
from wholebody.runtime.parts.opening import open_whole
from wholebody.runtime.profile.crowds import drawn_boxes, drawn_maps
from wholebody.skeletons import Skeleton, get_skeleton

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEOPLE = (1, 2, 5, 10, 20)
FRAME = (720, 1280)   # height, width
MAPS = (46, 82)       # of a network for whole frames at 656x368
MARKS = "<!-- bench_systems: begin -->", "<!-- bench_systems: end -->"
NAMES = {"several": "OpenPose, 3 networks", "single": "BODY_135, 1 network", "each": "detector + FastPose"}
# A person 90 pixels tall about (0, 0), as far as faces and hands ask; all others are where the neck is.
FIGURE = {"nose": (0, -30), "neck": (0, -10), "right_eye": (-6, -36), "left_eye": (6, -36), "right_ear": (-12, -33),
          "left_ear": (12, -33), "right_shoulder": (-20, -8), "left_shoulder": (20, -8), "right_elbow": (-30, 14),
          "left_elbow": (30, 14), "right_wrist": (-32, 36), "left_wrist": (32, 36)}
Way = Callable[[int], "dict[str, float]"]  # number of people -> milliseconds of each stage


def model(folder: pathlib.Path, name: str, size: tuple[int, int], share: float, keypoints: int = 0) -> str:
    """An ONNX file of this network, its input of this share of (height, width)."""
    architecture = ARCHITECTURES[name]
    if keypoints:
        wide = {"conv_out.weight": (keypoints, 256, 3, 3)}
        architecture = architecture.of_shapes(wide)
    torch.manual_seed(0)
    network = architecture.build().eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)  # signals keep their size: no denormal numbers slow it down
    path = str(folder / f"{name}.onnx")
    multiple = 16 if architecture.name.startswith("openpose") else 32
    sides = (_shared(size[0], share, multiple), _shared(size[1], share, multiple))
    export_onnx(LoadedNetwork(network, architecture, get_skeleton(architecture.skeleton), (), ""), path,
                OnnxOptions(size=sides, simplify=False), name)
    return path


def _shared(side: int, share: float, multiple: int) -> int:
    return max(multiple, multiple * round(side * share / multiple))


def people_in_frame(count: int, skeleton: Skeleton) -> Poses:
    """So many people of FIGURE, all over the frame, every keypoint found."""
    boxes = drawn_boxes(count, *FRAME).boxes_xyxy
    figure = np.array([FIGURE.get(name, FIGURE["neck"]) for name in skeleton.keypoints], np.float32)
    keypoints = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2 + figure
    return Poses(keypoints.astype(np.float32), np.full(keypoints.shape[:2], 0.9, np.float32),
                 np.ones(count, np.float32), skeleton)


def several_networks(folder: pathlib.Path, share: float, frame: Frame) -> Way:
    """Multi-network OpenPose."""
    body = model(folder, "openpose-body25", (368, 656), share)
    estimate = open_whole(body, face=model(folder, "openpose-face", (368, 368), share),
                          hands=model(folder, "openpose-hand", (368, 368), share), threads=1)
    return _way(estimate, frame, decoded_by=PafDecoder(get_skeleton("BODY_25"), stride=8))


def single_network(folder: pathlib.Path, share: float, frame: Frame) -> Way:
    """BODY_135 in one pass."""
    estimate = open_whole(model(folder, "openpose-body135", (368, 656), share), threads=1)
    return _way(estimate, frame, decoded_by=PafDecoder(get_skeleton("BODY_135"), stride=8))


def one_at_a_time(folder: pathlib.Path, share: float, frame: Frame, detector: str) -> Way:
    """FastPose behind a detector, or behind nothing."""
    where: dict[str, Any] = {"detector": detector} if detector else {"whole_frame": True}
    pose = model(folder, "fastpose-50", (256, 192), share, 136)
    return _way(open_whole(pose, pose_nms="none", threads=1, **where), frame)


def _way(estimate: Any, frame: Frame, decoded_by: PafDecoder | None = None) -> Way:
    """All stages in turn; people are put in behind `decode` or `boxes`."""
    lane: Any = estimate.new_lane()
    maps = {count: drawn_maps(decoded_by.skeleton, count, *MAPS) for count in PEOPLE} if decoded_by else {}
    for count in PEOPLE if decoded_by else ():
        for part in getattr(estimate, "parts", ()):
            assert len(part.squares(people_in_frame(count, estimate.body.skeleton)).side) == part.slots * count

    def run(count: int) -> "dict[str, float]":
        lane.take([frame])
        took: dict[str, float] = {}
        for stage in estimate.stages:
            decode = decoded_by if stage.name == "decode" else None
            started = time.process_time()
            if decode is not None:
                decode(*maps[count])
            else:
                stage.run(lane)
            took[stage.name] = 1e3 * (time.process_time() - started)
            if decode is not None:
                getattr(lane, "body", lane).poses = [people_in_frame(count, decode.skeleton)]
            if stage.name == "boxes":
                lane.detections = [drawn_boxes(count, *FRAME)]
        assert len(lane.poses[0]) == count, f"{len(lane.poses[0])} of {count} people came through"
        return took
    return run


def measured(ways: dict[str, Way], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """For each system a row for each number of people: medians of the rounds, all in turn."""
    took: dict[tuple[str, int], list[dict[str, float]]] = {(name, n): [] for name in ways for n in PEOPLE}
    for round_ in range(rounds):
        for count in PEOPLE:
            for name, way in ways.items():
                if not round_ and count == PEOPLE[0]:
                    way(count)  # warms up
                took[name, count].append(way(count))
        print(f"round {round_ + 1} of {rounds}", file=sys.stderr, flush=True)
    return {name: [_row(count, took[name, count]) for count in PEOPLE] for name in ways}


def _row(count: int, rounds: list[dict[str, float]]) -> dict[str, Any]:
    totals = sorted(sum(stages.values()) for stages in rounds)
    stages = {name: round(statistics.median(stages[name] for stages in rounds), 2) for name in rounds[0]}
    return {"people": count, "ms": round(statistics.median(totals), 1), "least": round(totals[0], 1),
            "most": round(totals[-1], 1), "stages": stages}


def summed_up(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Slope and growth."""
    slope = np.polyfit([row["people"] for row in rows], [row["ms"] for row in rows], 1)[0]
    return {"ms_a_person": round(float(slope), 1), "growth": round(rows[-1]["ms"] / rows[0]["ms"], 2)}


def table(systems: dict[str, Any]) -> str:
    """For the page."""
    lines = ["| people | " + " | ".join(NAMES[name] for name in systems) + " |", "|---" * (len(systems) + 1) + "|"]
    for i, count in enumerate(PEOPLE):
        lines.append(f"| {count} | " + " | ".join(f"{s['rows'][i]['ms']:.0f} ms" for s in systems.values()) + " |")
    lines.append("| ms a person | " + " | ".join(f"{s['ms_a_person']:.1f}" for s in systems.values()) + " |")
    lines.append(f"| {PEOPLE[-1]} people over {PEOPLE[0]} | "
                 + " | ".join(f"{s['growth']:.2f}" for s in systems.values()) + " |")
    return "\n".join(lines)


def chart(systems: dict[str, Any]) -> str:
    """The figure."""
    return draw("Time of a frame against the people in it", "people in the frame", "ms of one core a frame",
                [Line(NAMES[name], f"{s['ms_a_person']:.1f} ms a person", [(r["people"], r["ms"]) for r in s["rows"]])
                 for name, s in systems.items()])


def main() -> None:
    """Measure, print, and write numbers, figure and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.5, help="of the usual sides of the networks' inputs")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each system and number of people")
    parser.add_argument("--detector", default="", metavar="FILE", help="with its card; without it boxes are free")
    parser.add_argument("--json", default=str(ROOT / "benchmarks/results/bench_systems.json"), metavar="FILE")
    parser.add_argument("--svg", default=str(ROOT / "docs/images/systems.svg"), metavar="FILE")
    parser.add_argument("--doc", default=str(ROOT / "docs/whole-body.md"), metavar="FILE")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    frame = Frame(np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8), 0, time.monotonic(), "noise")
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        ways = {"several": several_networks(place, args.share, frame),
                "single": single_network(place, args.share, frame),
                "each": one_at_a_time(place, args.share, frame, args.detector)}
        rows = measured(ways, args.rounds)
    systems = {name: {"what": NAMES[name], **summed_up(rows[name]), "rows": rows[name]} for name in ways}
    print(table(systems))
    pathlib.Path(args.json).write_text(json.dumps({
        "machine": platform.machine(), "cores": os.cpu_count(), "onnxruntime": onnxruntime.__version__,
        "load_average_before": round(load, 2), "rounds": args.rounds, "share": args.share, "frame": list(FRAME[::-1]),
        "detector": pathlib.Path(args.detector).name, "systems": systems}, indent=1) + "\n")
    pathlib.Path(args.svg).write_text(chart(systems), encoding="utf-8")
    page = pathlib.Path(args.doc)
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(before + MARKS[0] + "\n" + table(systems) + "\n" + MARKS[1] + after, encoding="utf-8")


if __name__ == "__main__":
    main()
