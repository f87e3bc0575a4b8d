"""Ways of following people, beside each other: with and without a look at their clothes.

    python benchmarks/bench_reid.py [--json FILE]

Drawn people in clothes of their own (tests/support/actors.py) walk, cross each other and are out of sight for two
seconds once each; 15 % of the sights in between are missed, keypoints tremble. MOTA, IDF1 and switches are motmetrics'.
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

from wholebody.runtime.tracking import TrackOptions, follower
from wholebody.runtime.tracking.colours import Colours

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "examples")]
MOT: Any = importlib.import_module("motmetrics")
ACTORS: Any = importlib.import_module("actors")
RESULT = ROOT / "benchmarks" / "results" / "bench_reid.json"
SEEDS, FRAMES = 5, 200
WAYS: dict[str, TrackOptions] = {
    "oks": TrackOptions(), "alphapose, places alone": TrackOptions(way="alphapose"),
    "alphapose, clothes": TrackOptions(way="alphapose", appearance=Colours(ACTORS.SKELETON)),
    "poseflow": TrackOptions(way="poseflow")}


def follow(people: int) -> dict[str, dict[str, Any]]:
    """Every way over the same scenes."""
    rows: dict[str, dict[str, Any]] = {}
    accumulators: dict[str, list[Any]] = {name: [] for name in WAYS}
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for seed in range(SEEDS):
        actors = ACTORS.Actors(people, seed, frames=FRAMES)
        frames = [actors.frame(index) for index in range(FRAMES)]
        for name, options in WAYS.items():
            way, accumulator = follower(ACTORS.SKELETON, options), MOT.MOTAccumulator(auto_id=True)
            for index, (picture, poses, who) in enumerate(frames):
                started = time.thread_time_ns()
                told = way.update(poses, index / ACTORS.FPS, picture).ids
                times[name].append((time.thread_time_ns() - started) / 1e6)
                assert told is not None, "every way gives numbers"
                numbered = np.nonzero(np.asarray(told) >= 0)[0]
                # Who is where is known: only the right person is at no distance.
                apart = np.where(who[:, None] == who[numbered][None], 0.0, np.nan)
                accumulator.update(who.tolist(), told[numbered].tolist(), apart)
            accumulators[name].append(accumulator)
    metrics = MOT.metrics.create()
    for name, some in accumulators.items():
        summary = metrics.compute_many(some, metrics=["mota", "idf1", "num_switches"], generate_overall=True)
        overall = summary.loc["OVERALL"]
        rows[name] = {"mota": round(float(overall["mota"]), 4), "idf1": round(float(overall["idf1"]), 4),
                      "switches": int(overall["num_switches"]), "ms": round(statistics.median(times[name]), 2)}
    return rows


def main(argv: Optional[list[str]] = None) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description="Ways of following people, beside each other.")
    parser.add_argument("--json", type=pathlib.Path, default=RESULT)
    args = parser.parse_args(argv)
    result = []
    print("| people | way | MOTA | IDF1 | switches | ms |")
    print("|---|---|---|---|---|---|")
    for people in (2, 5, 10):
        rows = follow(people)
        result.append({"people": people, "ways": rows})
        for name, row in rows.items():
            print("| %d | %s | %.3f | %.3f | %d | %.1f |" % (people, name, row["mota"], row["idf1"], row["switches"],
                                                             row["ms"]))
    args.json.write_text(json.dumps({"scenes": SEEDS, "frames": FRAMES, "rows": result}, indent=1) + "\n",
                         encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
