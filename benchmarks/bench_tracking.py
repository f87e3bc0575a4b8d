"""Following people: how long it takes, how often numbers change, what smoothing costs and brings.

    python benchmarks/bench_tracking.py [--json FILE]

Drawn people walk through a scene and cross (tests/support/walkers.py); some frames of somebody are missed, keypoints
tremble. `switches` counts how often a person's number changes, MOTA is 1 - (missed + false + switches) / people. The
baseline pairs boxes greedily by their overlap, as simple trackers do. Smoothing is measured on somebody who stands
(how much speeds tremble) and somebody who walks (how late the keypoints are).
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

from wholebody.poses import Poses
from wholebody.runtime.tracking import Tracker, TrackOptions

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
_WALKERS: Any = importlib.import_module("walkers")
SKELETON, Walkers = _WALKERS.SKELETON, _WALKERS.Walkers
RESULT = ROOT / "benchmarks" / "results" / "bench_tracking.json"
SEEDS, FRAMES = 10, 200


class Overlap:
    """The baseline: boxes by greedy overlap with the last frame's, forgotten after a second."""

    def __init__(self) -> None:
        self.boxes: list[Any] = []
        self.numbers: list[int] = []
        self.seen: list[float] = []
        self.next = 0

    def update(self, poses: Poses, now: float) -> Poses:
        """The same people with numbers."""
        fresh = [i for i, seen in enumerate(self.seen) if now - seen <= 1]
        self.boxes, self.numbers = [self.boxes[i] for i in fresh], [self.numbers[i] for i in fresh]
        self.seen = [self.seen[i] for i in fresh]
        boxes = poses.boxes_xyxy
        pairs = sorted(((overlap(a, b), i, j) for i, a in enumerate(self.boxes) for j, b in enumerate(boxes)),
                       reverse=True)
        ids, taken = [-1] * len(poses), set()
        for value, i, j in pairs:
            if value >= 0.3 and ids[j] < 0 and i not in taken:
                ids[j] = self.numbers[i]
                taken.add(i)
                self.boxes[i], self.seen[i] = boxes[j], now
        for j, number in enumerate(ids):
            if number < 0:
                ids[j] = self.next
                self.boxes.append(boxes[j])
                self.numbers.append(self.next)
                self.seen.append(now)
                self.next += 1
        return Poses(poses.keypoints, poses.scores, poses.person_scores, poses.skeleton, boxes, np.array(ids))


def overlap(a: Any, b: Any) -> float:
    """Intersection over union."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inside = float(np.prod(np.maximum(sides, 0)))
    return inside / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inside, 1e-9)


def follow(tracker: Any, walkers: Any) -> dict[str, int]:
    """Counts over one scene; a phantom-free scene has no false people."""
    last: dict[int, int] = {}
    counts = {"people": 0, "missed": 0, "switches": 0}
    for index in range(FRAMES):
        poses, really = walkers.frame(index)
        told = tracker.update(poses, index / walkers.fps)
        counts["people"] += len(really)
        for who, number in zip(really.tolist(), told.ids.tolist()):
            if number < 0:
                counts["missed"] += 1
                continue
            counts["switches"] += last.get(who, number) != number
            last[who] = number
    return counts


def identities(people: int, missed: float) -> dict[str, Any]:
    """One row: ours and the baseline on the same scenes."""
    row: dict[str, Any] = {"people": people, "missed": missed, "scenes": SEEDS, "frames": FRAMES}
    for name, make in (("ours", lambda: Tracker(SKELETON)), ("overlap", Overlap)):
        counts = [follow(make(), Walkers(people, seed, missed=missed, noise=0.015)) for seed in range(SEEDS)]
        total = {key: sum(each[key] for each in counts) for key in counts[0]}
        row[name] = {"switches": total["switches"],
                     "mota": round(1 - (total["missed"] + total["switches"]) / total["people"], 4)}
    return row


def milliseconds(people: int, smooth: bool) -> float:
    """Median time of a frame."""
    walkers, tracker, times = Walkers(people, 0), Tracker(SKELETON, TrackOptions(smooth=smooth)), []
    for index in range(150):
        poses, _ = walkers.frame(index)
        started = time.thread_time_ns()
        tracker.update(poses, index / walkers.fps)
        times.append(time.thread_time_ns() - started)
    return round(statistics.median(times[20:]) / 1e6, 3)


def smoothing() -> dict[str, Any]:
    """Trembling of somebody who stands (pixels a second a second, of a person 300 high), and lateness of a walk."""
    found: dict[str, Any] = {}
    for smooth in (False, True):
        stand, walk = Walkers(1, 1), Walkers(1, 2)
        stand.speed[:] = 0
        rows = {}
        for name, walkers, moves in (("stand", stand, 0), ("walk", walk, 1)):
            tracker, told, truth = Tracker(SKELETON, TrackOptions(smooth=smooth)), [], []
            for index in range(400):
                truth.append(walkers.truth(index * moves)[0])
                drawn = truth[-1][None] + walkers.drawn.normal(0, 0.01, (1, 17, 2)) * walkers.height[0]
                poses = Poses(drawn, np.full((1, 17), 0.8, np.float32), np.ones(1, np.float32), SKELETON)
                told.append(tracker.update(poses, index / 30).keypoints[0])
            rows[name] = (np.array(told)[30:], np.array(truth)[30:])
        (still, _), (moved, place) = rows["stand"], rows["walk"]
        late = float((place - moved)[..., 0].mean() / walk.speed[0, 0] * 1e3)
        found["smooth" if smooth else "plain"] = {
            "tremble": round(float(np.diff(still, n=2, axis=0).std() / stand.height[0] * 300 * 900), 1),
            "late_ms": round(late, 1),
            "error_px": round(float(np.abs(moved - place).mean() / walk.height[0] * 300), 2)}
    return found


def main(arguments: Optional[list[str]] = None) -> int:
    """Writes benchmarks/results/bench_tracking.json."""
    parser = argparse.ArgumentParser(description="tracking and smoothing, measured")
    parser.add_argument("--json", type=pathlib.Path, default=RESULT, metavar="FILE", help="default: %(default)s")
    args = parser.parse_args(arguments)
    result = {"identities": [identities(people, missed) for people in (2, 8, 20) for missed in (0.0, 0.15, 0.4)],
              "ms_a_frame": [{"people": people, "track": milliseconds(people, False),
                              "track_and_smooth": milliseconds(people, True)} for people in (1, 5, 20, 50)],
              "smoothing": smoothing()}
    for rows in (result["identities"], result["ms_a_frame"], [result["smoothing"]]):
        for row in rows:
            print(json.dumps(row))
    args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
