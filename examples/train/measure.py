"""Measure a trained network: COCO AP on labelled photographs, and time on the CPU beside another network."""

import argparse
import json
import pathlib
import statistics
import sys
import time
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

if not __package__:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from train.trained import measure  # noqa: E402
from wholebody.files import write_text  # noqa: E402
from wholebody.poses import Frame  # noqa: E402
from wholebody.runtime.estimator import Estimator, open_paf_estimator  # noqa: E402

FRAME = (480, 856)  # height, width of the picture that is timed; the network sees 656x368


def frame_ms(models: Sequence[pathlib.Path], rounds: int, threads: int) -> List[float]:
    """Median milliseconds of each network for one picture, taken in turns so that a busy machine slows all alike."""
    frame = np.random.RandomState(0).randint(0, 255, (*FRAME, 3)).astype(np.uint8)
    opened: List[Estimator] = [open_paf_estimator(str(model), threads=threads) for model in models]
    times: List[List[float]] = [[] for _ in models]
    for turn in range(rounds + 1):
        for estimate, taken in zip(opened, times):
            result = estimate.process(Frame(frame, turn, time.monotonic(), "frame"))
            if turn:  # the first round warms up
                taken.append(result.stage_ms["engine"])
    for estimate in opened:
        estimate.close()
    return [round(statistics.median(taken), 1) for taken in times]


def main(argv: Optional[List[str]] = None) -> int:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="a model file with a card")
    parser.add_argument("--test", nargs=2, type=pathlib.Path, metavar=("IMAGES", "ANNOTATIONS"), help="test set")
    parser.add_argument("--dev", nargs=3, type=pathlib.Path, metavar=("IMAGES", "ANNOTATIONS", "SPLIT"),
                        help="photographs that the thresholds were chosen on")
    parser.add_argument("--beside", type=pathlib.Path, help="another model file to time beside it, the teacher")
    parser.add_argument("--rounds", type=int, default=31, help="frames to time")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads while timing")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="keep the numbers in this JSON file")
    args = parser.parse_args(argv)
    report: Dict[str, Any] = {"model": args.model.name, "protocol": "COCO keypoints, height 368, single scale"}
    if args.test:
        report["test"] = measure(args.model, args.test[1], args.test[0])
    if args.dev:
        report["dev"] = measure(args.model, args.dev[1], args.dev[0], args.dev[2].read_text("utf-8").split())
    models = [args.model, args.beside] if args.beside else [args.model]
    report["cpu_ms_656x368"] = dict(zip((model.name for model in models),
                                        frame_ms(models, args.rounds, args.threads)))
    report["cpu_threads"] = args.threads
    print(json.dumps(report, indent=2))
    if args.output:
        write_text(args.output, json.dumps(report, indent=2) + "\n", overwrite=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
