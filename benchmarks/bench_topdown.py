"""How long the CPU's part of a top-down network takes: crops, keypoints and pose NMS, for all people of a frame.

    python benchmarks/bench_topdown.py [--rounds N] [--json FILE] [--doc FILE]

One call for everybody, milliseconds of thread CPU time; native and NumPy take turns; medians of rounds. Crops are
192x256, float32, planes, out of a frame of 1280x720; peaks are of 17 maps and integrals of 136 maps of 48x64; SimCC is
of 133 points for 288x384, two bins a pixel. Pose NMS is NumPy's, of people in pairs, 17 points each (`AlphaPose 136`:
136 points and its second set of constants).
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from wholebody.card import InputSpec
from wholebody.poses import Poses
from wholebody.runtime.topdown.boxes import plan_crops
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.oks_nms import oks_nms
from wholebody.runtime.topdown.pose_nms import BODY, WHOLE_BODY, PoseNmsOptions, pose_nms
from wholebody.skeletons import get_skeleton

PEOPLE = (1, 5, 20, 50)
MARKS = "<!-- bench_topdown: begin -->", "<!-- bench_topdown: end -->"
SPEC = InputSpec("image", color="rgb", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
                 size=(256, 192))


def works(people: int, random: np.random.Generator) -> dict[str, Callable[[Any], Any]]:
    """What is done, by the backend that does it."""
    corner = random.uniform(0, (1000, 400), (people, 2))
    boxes = np.concatenate([corner, corner + random.uniform((60, 150), (200, 400), (people, 2))], axis=1)
    frame = random.integers(0, 256, (720, 1280, 3), np.uint8)
    matrices, out = plan_crops(boxes.astype(np.float32), (192, 256)).matrices, np.empty((people, 3, 256, 192), "f4")
    body = random.random((people, 17, 64, 48), np.float32)
    whole = random.standard_normal((people, 136, 64, 48), np.float32)
    across, down = (random.random((people, 133, bins), np.float32) for bins in (576, 768))
    return {
        "crops": lambda backend: backend.crops(frame, matrices, SPEC, out),
        "peaks, quarter": lambda backend: backend.peaks(body, "quarter"),
        "peaks, DARK": lambda backend: backend.peaks(body, "dark"),
        "integrals": lambda backend: backend.integrals(whole),
        "SimCC": lambda backend: backend.simcc(across, down, 2.0),
    }


def crowd(people: int, skeleton: str, random: np.random.Generator) -> Poses:
    """Pairs of nearly the same person."""
    points = len(get_skeleton(skeleton).keypoints)
    base = random.uniform(0, 200, (people, points, 2)) + random.uniform(0, 900, (people, 1, 2))
    base[1::2] = base[:people - people % 2:2] + random.uniform(-3, 3, (people // 2, points, 2))
    boxes = np.concatenate([base.min(axis=1), base.max(axis=1)], axis=1)
    return Poses(base.astype(np.float32), random.random((people, points), np.float32),
                 random.random(people, np.float32), get_skeleton(skeleton), boxes.astype(np.float32))


def measured(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of thread CPU time of each, all in turn."""
    took: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(rounds + 1):
        for name, work in contestants.items():
            started = time.thread_time()
            work()
            if round_:  # the first warms up
                took[name].append(1e3 * (time.thread_time() - started))
    return {name: statistics.median(times) for name, times in took.items()}


def run(rounds: int) -> list[dict[str, Any]]:
    """One row for each work and number of people."""
    random, rows = np.random.default_rng(0), []
    native, twin = choose_backend("native"), choose_backend("numpy")
    for people in PEOPLE:
        for name, work in works(people, random).items():
            ms = measured({"native": lambda w=work: w(native), "numpy": lambda w=work: w(twin)}, rounds)  # type: ignore[misc]
            rows.append({"work": name, "people": people, "native ms": round(ms["native"], 4),
                         "native ms a person": round(ms["native"] / people, 4), "numpy ms": round(ms["numpy"], 3)})
        rows += [_among(name, crowd(people, skeleton, random), nms, rounds) for name, skeleton, nms in (
            ("OKS-NMS", "COCO_17", None), ("AlphaPose's NMS", "COCO_17", BODY),
            ("AlphaPose's NMS, 136 points", "HALPE_136", WHOLE_BODY))]
    return rows


def _among(name: str, poses: Poses, options: "PoseNmsOptions | None", rounds: int) -> dict[str, Any]:
    ms = measured({"numpy": lambda: oks_nms(poses) if options is None else pose_nms(poses, options)}, rounds)["numpy"]
    return {"work": name, "people": len(poses), "native ms": None, "native ms a person": None, "numpy ms": round(ms, 3)}


def table(rows: list[dict[str, Any]]) -> str:
    """For the page."""
    lines = ["| work | people | native | a person | NumPy |", "|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: [r["work"] for r in rows].index(row["work"])):
        native = ["-" if row[key] is None else f"{row[key]:.3f}" for key in ("native ms", "native ms a person")]
        lines.append(f"| {row['work']} | {row['people']} | {native[0]} | {native[1]} | {row['numpy ms']:.3g} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="of each contestant")
    parser.add_argument("--json", metavar="FILE", help="write the numbers")
    parser.add_argument("--doc", metavar="FILE", help="put the table between the marks of this page")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    rows = run(args.rounds)
    print(table(rows))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({
            "machine": platform.machine(), "cores": os.cpu_count(), "numpy": np.__version__,
            "load_average_before": round(load, 2), "rounds": args.rounds, "rows": rows}, indent=1) + "\n")
    if args.doc:
        page = pathlib.Path(args.doc)
        before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        page.write_text(before + MARKS[0] + "\n" + table(rows) + "\n" + MARKS[1] + after, encoding="utf-8")


if __name__ == "__main__":
    main()
