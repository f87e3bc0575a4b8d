"""What a run costs beside its network, and what several frames in flight give, on ONNX Runtime.

    python benchmarks/bench_pipeline.py [--model MODEL] [--rounds N] [--frames N] [--json FILE] [--doc FILE]

All contestants take turns, so that what else the machine does meets all of them; figures are medians of rounds.
`bare` is session.run alone, on one thread, over an input that is ready; `in turn` and `in flight` are run_pipeline over
raw frames of the network's size, without a sink. Overhead is time per frame less the decoder's, over bare.
The second table reads JPEG files and writes OpenPose JSON: frames/s by threads of ONNX Runtime (spinning: they burn
their core while they wait, its own default; wb-run does not) and frames in flight.
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
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from wholebody.default_model import default_model_path
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.packages import require
from wholebody.poses import Frame
from wholebody.runtime.estimator import Estimator, EstimatorOptions
from wholebody.runtime.pipeline import PipelineOptions, Summary, run_pipeline
from wholebody.runtime.sinks import OpenPoseJson
from wholebody.runtime.sources import Source, open_source

IN_FLIGHT = (1, 2, 3, 4)


class RawFrames(Source):
    """One picture in memory, again and again."""

    def __init__(self, image: "np.ndarray[Any, Any]", count: int) -> None:
        super().__init__("raw")
        self.image, self.count = image, count

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.count):
            yield Frame(self.image, index, time.monotonic(), f"raw_{index}")


def overhead(model: str, size: tuple[int, int], frames: int, rounds: int) -> dict[str, Any]:
    """Milliseconds per frame of session.run and of runs over raw frames, one thread, all in turn."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    with Estimator(OnnxRuntimeEngine(model, threads=1),
                   EstimatorOptions(net_resolution=f"{size[1]}x{size[0]}")) as estimate:
        estimate(image)
        session: Any = estimate.engine._session  # type: ignore[attr-defined]
        feed = {estimate.card.input.name: estimate.lane.groups[0].input.copy()}  # type: ignore[attr-defined]
        took: dict[str, list[float]] = {"bare": [], "in turn": [], "in flight": []}
        decode: dict[str, list[float]] = {"in turn": [], "in flight": []}

        def bare() -> None:
            for _ in range(frames):
                session.run(None, feed)

        def run(name: str, lanes: int) -> None:
            summary = run_pipeline(RawFrames(image, frames), estimate, [], PipelineOptions(in_flight=lanes))
            decode[name].append(summary.stage_ms["decode"]["mean"])

        contestants: dict[str, Callable[[], None]] = {
            "bare": bare, "in turn": lambda: run("in turn", 1), "in flight": lambda: run("in flight", 3)}
        for _ in range(rounds):
            for name, contestant in contestants.items():
                started = time.perf_counter()
                contestant()
                took[name].append(1e3 * (time.perf_counter() - started) / frames)
    row: dict[str, Any] = {"size": f"{size[1]}x{size[0]}"}
    for name, values in took.items():
        row[name + " ms"] = round(statistics.median(values), 3)
    for name, values in decode.items():
        row[name + " decode ms"] = round(statistics.median(values), 3)
        # Round by round: what disturbs the machine for seconds disturbs both.
        extra = [(t - d) / b - 1 for t, d, b in zip(took[name], values, took["bare"])]
        row[name + " overhead %"] = round(100 * statistics.median(extra), 2)
    return row


def throughput(model: str, folder: pathlib.Path, rounds: int) -> list[dict[str, Any]]:
    """Frames per second of whole runs by threads, spinning and frames in flight."""
    cores = os.cpu_count() or 1
    kinds = [(1, False)] + [(threads, spin) for threads in sorted({max(1, cores - 1), cores} - {1})
                            for spin in (True, False)]
    estimates = {kind: Estimator(OnnxRuntimeEngine(model, threads=kind[0], spinning=kind[1])) for kind in kinds}
    runs: dict[Any, list[Summary]] = {(kind, lanes): [] for kind in kinds for lanes in IN_FLIGHT}
    for _ in range(rounds):
        for kind, lanes in runs:
            with tempfile.TemporaryDirectory() as out, open_source(str(folder)) as source:
                runs[kind, lanes].append(run_pipeline(source, estimates[kind], [OpenPoseJson(out)],
                                                      PipelineOptions(in_flight=lanes)))
    rows = []
    for (kind, lanes), summaries in runs.items():
        rows.append({"threads": kind[0], "spinning": kind[1], "in_flight": lanes,
                     "frames_per_second": round(statistics.median(s.frames / s.seconds for s in summaries), 2),
                     "engine_ms": round(statistics.median(s.stage_ms["engine"]["p50"] for s in summaries), 2),
                     "latency_ms": round(statistics.median(s.latency_ms["p50"] for s in summaries), 1)})
    for estimate in estimates.values():
        estimate.close()
    return rows


def write_pictures(folder: pathlib.Path, count: int) -> None:
    """JPEG files of noise that is smooth, 640x480: they take as long to read as photographs."""
    cv2 = require("cv2")
    random = np.random.default_rng(1)
    for number in range(count):
        small = random.integers(0, 256, (60, 80, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:012d}.jpg"), cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC))


def tables(result: dict[str, Any]) -> str:
    """Both, as Markdown."""
    lines = ["| input | bare | in turn | overhead | in flight | overhead |", "|---|---|---|---|---|---|"]
    for row in result["overhead"]:
        lines.append(f"| {row['size']} | {row['bare ms']:.2f} ms | {row['in turn ms']:.2f} ms | "
                     f"{row['in turn overhead %']:+.1f} % | {row['in flight ms']:.2f} ms | "
                     f"{row['in flight overhead %']:+.1f} % |")
    lines += ["", "| threads | in flight | frames/s | engine | capture to result |", "|---|---|---|---|---|"]
    for row in result["throughput"]:
        lines.append(f"| {row['threads']}{', spinning' if row['spinning'] else ''} | {row['in_flight']} | "
                     f"{row['frames_per_second']:.1f} | {row['engine_ms']:.1f} ms | {row['latency_ms']:.0f} ms |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="an ONNX file with a card (default: the network that comes along)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="turns of each contestant (default 7)")
    parser.add_argument("--frames", type=int, default=16, metavar="N", help="frames of a turn (default 16)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--doc", type=pathlib.Path, metavar="FILE", help="and the tables between this page's marks")
    args = parser.parse_args()
    model = args.model or default_model_path()
    result: dict[str, Any] = {"model": pathlib.Path(model).name, "machine": platform.machine(),
                              "cores": os.cpu_count(), "onnxruntime": require("onnxruntime").__version__,
                              "load_average_before": round(os.getloadavg()[0], 2)}
    result["overhead"] = [overhead(model, size, args.frames, args.rounds) for size in ((256, 256), (368, 496))]
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(pathlib.Path(folder), args.frames)
        result["throughput"] = throughput(model, pathlib.Path(folder), args.rounds)
    print(tables(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if args.doc:
        text = args.doc.read_text(encoding="utf-8")
        start, end = "<!-- bench_pipeline: begin -->\n", "<!-- bench_pipeline: end -->"
        head, rest = text.split(start)
        args.doc.write_text(head + start + tables(result) + "\n" + end + rest.split(end)[1], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
