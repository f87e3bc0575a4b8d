"""What the runtime adds to an engine on a GPU: time per frame in flight against the engine alone, for 1 and 20 people.

    python benchmarks/gpu_pipeline.py NET.engine [NET.engine ...]

on a machine with a GPU, TensorRT, pycuda and nvcc; benchmarks/gpu_engines.py leaves such engines in its work folder.
Frames are 1920x1080 of noise, in which nobody is found, so for the second question the network's outputs are replaced
on the GPU by drawn maps of 1 and of 20 people, in turns (copied there in every frame, in both cases alike). The maps
come from ../shared, as those of bench_paf.py do. Writes benchmarks/results/gpu_pipeline.json.
No GPU has run it yet: none was at hand when it was written.
"""
import argparse
import contextlib
import json
import pathlib
import sys
import time
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np
from bench_paf import SETS, SHARED, load_scenes  # beside this file

from wholebody.jetson.identity import read_board
from wholebody.poses import Frame
from wholebody.runtime.cuda_paf_lane import CudaPafLane
from wholebody.runtime.estimator import Estimator, open_estimator
from wholebody.runtime.pipeline import PipelineOptions, run_pipeline
from wholebody.runtime.sources.base import Source

ROOT = pathlib.Path(__file__).resolve().parents[1]
FRAMES, WARM_UP, TURNS = 300, 30, 5
LIMIT = 1.05


class Drawn(Source):
    """The same few pictures, again and again, as fast as they are taken."""

    def __init__(self, count: int) -> None:
        super().__init__("drawn")
        random = np.random.RandomState(0)
        self._images = [random.randint(0, 256, (1080, 1920, 3)).astype(np.uint8) for _ in range(4)]
        self._count = count

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._count):
            yield Frame(self._images[index % 4], index, time.monotonic(), "drawn")


def engine_alone_ms(lane: CudaPafLane, runs: int = FRAMES) -> float:
    """Milliseconds of one run by the GPU's events, over runs back to back."""
    network = lane.network
    device = network.device
    with device.active():
        begun, done = device.new_event(), device.new_event()
        for _ in range(WARM_UP):
            network.run()
        device.record(begun, network.stream)
        for _ in range(runs):
            network.run()
        device.record(done, network.stream)
        device.wait_host(done)
        return device.elapsed_ms(begun, done) / runs


def in_flight_ms(estimate: Estimator) -> float:
    """Milliseconds a frame of a whole run."""
    run_pipeline(Drawn(WARM_UP), estimate, [], PipelineOptions(in_flight=3))
    return 1e3 * run_pipeline(Drawn(FRAMES), estimate, [], PipelineOptions(in_flight=3)).seconds / FRAMES


def drawn_maps(estimate: Estimator, people: int, size: Tuple[int, int]) -> Any:
    """Heat maps and PAFs of a crowd, for this skeleton and input size (width, height)."""
    names = {skeleton: name for name, skeleton in SETS.items()}
    scenes = load_scenes(SHARED)
    seed = 9000 + people
    return scenes.render(names[estimate.skeleton.name], scenes.scene(people, *size, seed), *size, seed)


@contextlib.contextmanager
def outputs_of(lane: CudaPafLane, estimate: Estimator, people: int) -> Iterator[None]:
    """In the block the network is run and then its outputs are replaced by drawn maps, on its stream."""
    network, head = lane.network, estimate.card.head("paf")
    height, width = network.outputs[head.output("heatmaps").output][0][2:]
    maps = drawn_maps(estimate, people, (width * head.stride, height * head.stride))
    device, run = network.device, network.run
    hosts: Dict[str, Any] = {}
    with device.active():
        for name, (shape, dtype) in network.outputs.items():
            hosts[name] = device.host_array(shape, dtype)
            hosts[name][...] = 0
    for role, drawn in (("heatmaps", maps.heatmaps), ("pafs", maps.pafs)):
        ref = head.output(role)
        start, end = ref.channels or (0, len(drawn))
        hosts[ref.output][0, start:end] = drawn[:end - start]

    def run_and_replace() -> None:
        run()
        for name, array in hosts.items():
            device.upload(network.buffer(name), array, network.stream)
    network.run = run_and_replace  # type: ignore[method-assign]
    network.changes += 1  # graphs of before know nothing of it
    try:
        yield
    finally:
        network.run = run  # type: ignore[method-assign]
        network.changes += 1


def measure(path: str) -> Dict[str, Any]:
    """One engine; medians of turns."""
    with open_estimator(path, decoder="cuda") as estimate:
        estimate(np.zeros((1080, 1920, 3), np.uint8))
        lane = estimate.lane
        if not isinstance(estimate, Estimator) or not isinstance(lane, CudaPafLane):
            raise SystemExit("%s does not run on a GPU here" % path)
        alone: List[float] = []
        whole: List[float] = []
        crowd: Dict[int, List[float]] = {1: [], 20: []}
        for _ in range(TURNS):
            alone.append(engine_alone_ms(lane))
            whole.append(in_flight_ms(estimate))
            for people, times in crowd.items():
                with outputs_of(lane, estimate, people):
                    times.append(in_flight_ms(estimate))
        row: Dict[str, Any] = {
            "engine": pathlib.Path(path).name, "input": list(lane.network.shape), "frames": "1920x1080",
            "engine_alone_ms": float(np.median(alone)), "per_frame_ms": float(np.median(whole)),
            "per_frame_ms_by_people": {str(people): float(np.median(times)) for people, times in crowd.items()}}
    row["pipeline_over_engine"] = row["per_frame_ms"] / row["engine_alone_ms"]
    by_people = row["per_frame_ms_by_people"]
    row["twenty_people_over_one"] = by_people["20"] / by_people["1"]
    return row


def main() -> int:
    """3 when a limit is passed: 1.05 both times."""
    parser = argparse.ArgumentParser(description="the runtime's own time on a GPU")
    parser.add_argument("engines", nargs="+")
    rows: List[Dict[str, Any]] = []
    for path in parser.parse_args().engines:
        rows.append(measure(path))
        print(json.dumps(rows[-1]))
    result = ROOT / "benchmarks" / "results" / "gpu_pipeline.json"
    result.write_text(json.dumps({"board": read_board()._asdict(), "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(max(row["pipeline_over_engine"], row["twenty_people_over_one"]) <= LIMIT for row in rows) else 3


if __name__ == "__main__":
    sys.exit(main())
