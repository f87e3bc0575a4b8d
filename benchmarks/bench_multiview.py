"""People in three dimensions: how exactly and how quickly they are placed.

    python benchmarks/bench_multiview.py [--json FILE]

Drawn people (tests/support/rigs.py) stand in a ring of 1280x720 cameras, four metres from its middle, lenses and all.
Every keypoint has a pixel of noise in every camera. `off` is the distance from the truth in percent of four metres;
`knocked` has one camera moved by 36 cm after it was calibrated.
"""
import argparse
import importlib
import json
import pathlib
import statistics
import sys
import time
from typing import Any, Optional

import numpy as np

from wholebody.runtime.multiview import Rig

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "examples")]
RIGS: Any = importlib.import_module("rigs")
RESULT = ROOT / "benchmarks" / "results" / "bench_multiview.json"
CASES = [(2, 1, False), (3, 1, False), (4, 1, False), (4, 1, True), (4, 5, False), (4, 5, True), (6, 10, False)]
SEEDS, DISTANCE = 20, 4.0


def measure(cameras: int, people: int, knocked: bool) -> dict[str, Any]:
    """One row of the table."""
    ring = RIGS.ring(cameras, DISTANCE, spread=2 * np.pi if cameras > 2 else np.pi)
    believed = list(ring)
    if knocked:
        believed[1] = RIGS.moved(ring[1], (0.3, 0.2, 0.0))
    off: list[float] = []
    seconds: list[float] = []
    found = wrong = 0
    for seed in range(SEEDS):
        chance, figures = np.random.RandomState(seed), RIGS.crowd(people, seed)
        views = [RIGS.seen_by(camera, figures, chance) for camera in ring]
        rig = Rig(believed)
        started = time.perf_counter()
        poses = rig(views)
        seconds.append(time.perf_counter() - started)
        for person, scores in zip(poses.keypoints, poses.scores):
            there = scores > 0
            apart = np.linalg.norm(person - figures, axis=2)[:, there]
            who = int(apart.mean(axis=1).argmin())
            off += list(100 * apart[who] / DISTANCE)
            found += int(there.sum())
            wrong += bool(apart[who].mean() > 0.2)
    return {"cameras": cameras, "people": people, "knocked": knocked, "off_median": round(statistics.median(off), 3),
            "off_95": round(float(np.percentile(off, 95)), 3),
            "found": round(100 * found / (SEEDS * people * len(RIGS.SKELETON.keypoints)), 1), "wrong_people": wrong,
            "ms": round(1e3 * statistics.median(seconds), 2)}


def main(argv: Optional[list[str]] = None) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description="People in three dimensions: how exactly and how quickly.")
    parser.add_argument("--json", type=pathlib.Path, default=RESULT)
    args = parser.parse_args(argv)
    rows = [measure(*case) for case in CASES]
    print("| cameras | people | off, median | off, 95 % | points found | ms |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print("| %d%s | %d | %.2f %% | %.2f %% | %.1f %% | %.1f |"
              % (row["cameras"], ", one knocked" if row["knocked"] else "", row["people"], row["off_median"],
                 row["off_95"], row["found"], row["ms"]))
    args.json.write_text(json.dumps({"seeds": SEEDS, "distance": DISTANCE, "rows": rows}, indent=1) + "\n",
                         encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
