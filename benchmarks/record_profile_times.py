"""Records what tests/runtime/profile compares: milliseconds of one run after the other of the network that comes along.

    python benchmarks/record_profile_times.py [--runs N] FILE

On one thread, at 128x64; by the clock on the wall, with whatever else the machine does meanwhile, or the processor's.
"""
import argparse
import json
import pathlib
import sys
import time

import numpy as np

from wholebody.default_model import default_model_path
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.profile.ways import InTurn


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--cpu", action="store_true", help="the processor's time, in which others have no part")
    parser.add_argument("--runs", type=int, default=3000, metavar="N", help="how many (default 3000)")
    args = parser.parse_args()
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    with open_estimator(default_model_path(), net_resolution="128x64", threads=1) as estimate:
        runner = InTurn(estimate, image)
        runner.frame()
        clock = time.thread_time if args.cpu else time.perf_counter
        took = []
        for _ in range(args.runs):
            started = clock()
            runner.engine()
            took.append(round(1e3 * (clock() - started), 3))
    lines = [", ".join(map(str, took[start:start + 15])) for start in range(0, len(took), 15)]
    args.file.write_text("[" + ",\n".join(lines) + "]\n", encoding="utf-8")
    p50, p95, p99 = np.percentile(took, [50, 95, 99])
    print(json.dumps({"runs": len(took), "p50": round(float(p50), 3), "p95": round(float(p95), 3),
                      "p99": round(float(p99), 3)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
