"""Checks the CUDA kernels on an NVIDIA GPU against the CPU decoder, and times them by events.

One command, on a machine with a GPU, nvcc and pycuda (on a Jetson: nvpmodel and jetson_clocks first):

    python benchmarks/gpu_kernels.py [--runs 200] [--json FILE]

Rows: PAF decoding (maps on the GPU -> peaks and scores on the host; launched one by one, and as a graph) and
preprocessing of 1080p (picture on the GPU -> input, and with the copy up), beside the time in which the GPU's memory
alone moves as many bytes; people cut out of 1080p, one and twenty at once. Exit status 3 when a result differs from the
CPU's.

The same under NVIDIA's sanitizers, slowly, so with few runs:

    compute-sanitizer --tool memcheck  python benchmarks/gpu_kernels.py --runs 2
    compute-sanitizer --tool racecheck python benchmarks/gpu_kernels.py --runs 2
    compute-sanitizer --tool initcheck python benchmarks/gpu_kernels.py --runs 2
    compute-sanitizer --tool synccheck python benchmarks/gpu_kernels.py --runs 2

It has not been run yet: no GPU was at hand when it was written.
"""
import argparse
import json
import pathlib
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from wholebody.card import InputSpec
from wholebody.engines.device import Buffer, Device
from wholebody.jetson.identity import read_board
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.geometry import Resolution
from wholebody.runtime.kernels.compiling import load_kernels, source_hash
from wholebody.runtime.kernels.pictures import DevicePictures, Table
from wholebody.runtime.kernels.preprocess import crop_entries, preprocess_launch
from wholebody.runtime.kernels.preprocessor import GpuPreprocessor
from wholebody.runtime.paf import PafDecoder, PafOptions
from wholebody.runtime.paf.cuda_backend import CudaBackend
from wholebody.runtime.paf.cuda_launches import DeviceMaps
from wholebody.runtime.paf.numpy_backend import NumpyBackend
from wholebody.runtime.preprocess import Preprocessor
from wholebody.runtime.topdown.boxes import plan_crops
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.skeletons import Skeleton, get_skeleton

RESULT = pathlib.Path(__file__).resolve().parent / "results" / "gpu_kernels.json"
CELLS = (46, 82)         # of a 656x368 input
SIZE = (656, 368)
PICTURE = (1920, 1080)
CROP = (256, 192)        # of a network for one person, height and width
FILL_BYTES = 256 << 20
# set, people, microseconds that NMS, scoring and the copy back may take on an H200
SCENES = (("COCO_18", 1, 60), ("COCO_18", 20, 100), ("BODY_135", 1, 250))
WARM_UP = 5


def crowd(skeleton: Skeleton, people: int, seed: int) -> Tuple[Any, Any]:
    """Maps of people who all look like one random figure."""
    rng, (height, width) = np.random.RandomState(seed), CELLS
    count = len(skeleton.keypoints)
    figure = np.random.RandomState(count).uniform(-.5, .5, (count, 2))
    heat = np.zeros((skeleton.heatmap_channels, height, width))
    pafs = np.zeros((skeleton.paf_channel_count, height, width))
    y, x = np.mgrid[:height, :width]
    for _ in range(people):
        points = figure * rng.uniform(.4, .9) * height + rng.uniform(.2, .8, 2) * (width, height)
        for k in range(count):
            bump = rng.uniform(.5, 1) * np.exp(-((x - points[k, 0]) ** 2 + (y - points[k, 1]) ** 2) / 1.5)
            np.maximum(heat[k], bump, out=heat[k])
        for (a, b), channels in zip(skeleton.paf_pairs, skeleton.paf_channels):
            draw_limb(pafs, channels, points[a], points[b], x, y)
    return heat.astype(np.float32), pafs.astype(np.float32)


def draw_limb(pafs: Any, channels: Tuple[int, int], start: Any, end: Any, x: Any, y: Any) -> None:
    """A line of unit vectors, two cells wide."""
    along = end - start
    length = max(1e-3, float(np.hypot(*along)))
    along = along / length
    dx, dy = x - start[0], y - start[1]
    reach = dx * along[0] + dy * along[1]
    on = (np.abs(dx * along[1] - dy * along[0]) <= 1) & (reach >= -1) & (reach <= length + 1)
    for channel, part in zip(channels, along):
        pafs[channel][on] = part


def upload(device: Device, array: Any, stream: int) -> Buffer:
    """The array on the GPU."""
    host = device.host_array(array.shape, array.dtype.name)
    host[...] = array
    buffer = device.alloc(array.nbytes)
    device.upload(buffer, host, stream)
    device.synchronize(stream)
    return buffer


def microseconds(device: Device, stream: int, work: Callable[[], None], runs: int) -> Dict[str, float]:
    """By events around each run, from an idle GPU."""
    start, end, times = device.new_event(), device.new_event(), []
    for run in range(WARM_UP + runs):
        device.synchronize(stream)
        device.record(start, stream)
        work()
        device.record(end, stream)
        device.wait_host(end)
        if run >= WARM_UP:
            times.append(1e3 * device.elapsed_ms(start, end))
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "p99": round(float(p99), 2)}


def measure_decoding(device: Device, module: int, name: str, people: int, limit: int, dtype: str,
                     runs: int) -> Dict[str, Any]:
    """One scene."""
    skeleton = get_skeleton(name)
    options = PafOptions.for_skeleton(skeleton)
    maps = [array.astype(dtype) for array in crowd(skeleton, people, people)]
    expected = PafDecoder(skeleton, options=options)(maps[0], maps[1])
    stream = device.new_stream()
    buffers = [upload(device, array, stream) for array in maps]
    views = [DeviceMaps(buffer.address, array.shape, dtype) for buffer, array in zip(buffers, maps)]
    backend = CudaBackend(skeleton, 8, options, NumpyBackend(skeleton, 8, options), device, module)
    backend.enqueue(views[0], views[1], stream)
    device.synchronize(stream)
    found = backend.collect()
    same = len(found) == len(expected)
    furthest = float(np.abs(found.keypoints - expected.keypoints).max()) if same and len(found) else 0.0
    row = {"what": "decode", "set": name, "people": people, "found": len(found), "type": dtype,
           "size": "%dx%d" % SIZE, "agrees": same and furthest <= 0.01, "furthest_px": furthest,
           "same_bytes": same and bool((found.keypoints == expected.keypoints).all()), "limit_us_h200": limit,
           "us": microseconds(device, stream, lambda: backend.enqueue(views[0], views[1], stream), runs)}
    if device.has_graphs:
        graph = device.capture(stream, lambda: backend.enqueue(views[0], views[1], stream))
        row["us_graph"] = microseconds(device, stream, lambda: device.launch_graph(graph, stream), runs)
    backend.close()
    for buffer in buffers:
        device.free(buffer)
    return row


def gigabytes_a_second(device: Device, stream: int, runs: int) -> float:
    """How fast the GPU's memory is written to."""
    buffer = device.alloc(FILL_BYTES)
    times = microseconds(device, stream, lambda: device.fill(buffer, 0, FILL_BYTES, stream), runs)
    device.free(buffer)
    return float(FILL_BYTES / times["p50"] / 1e3)


def measure_preprocessing(device: Device, module: int, dtype: str, runs: int) -> Dict[str, Any]:
    """1080p to the input of 656x368."""
    spec = InputSpec("image", scale=1 / 256, mean=(0.5, 0.5, 0.5), multiple=16)
    image = np.random.RandomState(0).randint(0, 256, (PICTURE[1], PICTURE[0], 3)).astype(np.uint8)
    expected, _ = Preprocessor(spec, Resolution(*SIZE))(image)
    stream = device.new_stream()
    preprocess = GpuPreprocessor(device, spec, Resolution(*SIZE), dtype=dtype, module=module)
    preprocess.prepare(*PICTURE)
    out = device.alloc(preprocess.nbytes)
    result = device.host_array(preprocess.shape, dtype)
    preprocess.enqueue([image], out, stream)
    device.download(result, out, stream)
    device.synchronize(stream)
    difference = float(np.abs(result.astype(np.float32) - expected).max()) * 256
    speed = gigabytes_a_second(device, stream, runs)
    row = {"what": "preprocess", "picture": "%dx%d" % PICTURE, "size": "%dx%d" % SIZE, "type": dtype,
           "largest_difference_levels": difference, "agrees": difference <= (1.01 if dtype == "float32" else 1.2),
           "us": microseconds(device, stream, lambda: preprocess.launch(out, stream), runs),
           "us_with_copy": microseconds(device, stream, lambda: preprocess.enqueue([image], out, stream), runs),
           "memory_gb_s": round(speed, 1), "floor_us": round((image.nbytes + out.nbytes) / speed / 1e3, 2)}
    preprocess.close()
    device.free(out)
    return row


def measure_crops(device: Device, module: int, people: int, runs: int) -> Dict[str, Any]:
    """People of a 1080p picture to inputs of 192x256, with the copy of picture and table, against the CPU's."""
    spec = InputSpec("crops", size=CROP, resize="stretch", mean=(0.5, 0.5, 0.5), scale=1 / 256)
    rng = np.random.RandomState(people)
    image = rng.randint(0, 256, (PICTURE[1], PICTURE[0], 3)).astype(np.uint8)
    corners = rng.uniform(-0.1, 0.8, (people, 2)) * PICTURE
    crops = plan_crops(np.hstack([corners, corners + rng.uniform(0.05, 0.5, (people, 2)) * PICTURE[1]]), CROP[::-1])
    expected = np.zeros((people, 3) + CROP, np.float32)
    choose_backend("auto").crops(image, crops.matrices, spec, expected)
    stream, pictures, table = device.new_stream(), DevicePictures(device, 1, *PICTURE), Table(device)
    out, result = device.alloc(expected.nbytes), device.host_array(expected.shape, "float32")
    rows = [crop_entries(pictures.source(0), crops.matrices, CROP[::-1])]

    def place() -> None:
        pictures.place([image], stream)
        table.place(rows, stream)

    def cut_out() -> None:
        launch = preprocess_launch(table.address, people, out.address, CROP[::-1], "float32", spec)
        device.launch(module, launch, stream)

    def both() -> None:
        place()
        cut_out()

    both()
    device.download(result, out, stream)
    device.synchronize(stream)
    difference = float(np.abs(result - expected).max()) * 256
    row = {"what": "crops", "people": people, "picture": "%dx%d" % PICTURE, "size": "%dx%d" % CROP[::-1],
           "largest_difference_levels": difference, "agrees": difference <= 1.01,
           "us": microseconds(device, stream, cut_out, runs), "us_with_copy": microseconds(device, stream, both, runs)}
    for held in (pictures, table):
        held.close()
    device.free(out)
    return row


def main(arguments: Optional[List[str]] = None) -> int:
    """Writes benchmarks/results/gpu_kernels.json; 3 when a result differs."""
    parser = argparse.ArgumentParser(description="the CUDA kernels on a GPU: checked and timed")
    parser.add_argument("--runs", type=int, default=200, help="of each row (default: %(default)s)")
    parser.add_argument("--json", type=pathlib.Path, default=RESULT, metavar="FILE", help="default: %(default)s")
    args = parser.parse_args(arguments)
    device = CudaDevice()
    rows: List[Dict[str, Any]] = []
    try:
        with device.active():
            started = time.perf_counter()
            module = load_kernels(device)
            seconds = time.perf_counter() - started
            for dtype in ("float32", "float16"):
                for name, people, limit in SCENES:
                    rows.append(measure_decoding(device, module, name, people, limit, dtype, args.runs))
                    print(json.dumps(rows[-1]), flush=True)
                rows.append(measure_preprocessing(device, module, dtype, args.runs))
                print(json.dumps(rows[-1]), flush=True)
            for people in (1, 20):
                rows.append(measure_crops(device, module, people, args.runs))
                print(json.dumps(rows[-1]), flush=True)
        result = {"board": read_board()._asdict(), "sm": "%d.%d" % device.compute_capability,
                  "kernels": source_hash(), "seconds_to_load": round(seconds, 2), "runs": args.runs, "rows": rows}
    finally:
        device.close()
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row["agrees"] for row in rows) else 3


if __name__ == "__main__":
    sys.exit(main())
