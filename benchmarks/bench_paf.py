"""How long PAF decoding takes on one core, beside what upsample-first decoders spend before they look at a pair.

    python benchmarks/bench_paf.py [--shared DIR] [--people 1,5,20,50,100] [--json FILE] [--docs FILE]

One process, one thread, the contestants in turn, medians of thread CPU time in milliseconds. Columns: `floor` reads
every map once; `exact` is the native decoder of wb-run, of which `peaks` is the part before pairs are scored; `fast`
its log-parabola mode; `numpy` the twin of `exact`; `upsample` only resizes all maps to the network's input (cv2, cubic)
and dilates the heat maps 3 x 3, as decoders that upsample first do, with no pair scored yet. `MB`: memory that a new
decoder and its first exact frame take and keep (glibc tells; others leave it out). --docs writes the table between the
marks of a Markdown file.
"""
import argparse
import contextlib
import ctypes
import importlib.util
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from wholebody.runtime.paf import PafDecoder, PafOptions
from wholebody.skeletons import get_skeleton

SHARED = pathlib.Path(__file__).resolve().parents[1].parent / "shared"
SETS = {"COCO": "COCO_18", "BODY_25": "BODY_25", "BODY_135": "BODY_135"}
SIZES = ((656, 368), (1312, 736))
ROUNDS = {"floor": 25, "exact": 25, "peaks": 25, "fast": 25, "numpy": 3, "upsample": 5}
TIMES = tuple(ROUNDS)
MARKS = ("<!-- bench_paf: begin -->\n", "<!-- bench_paf: end -->\n")


def load_scenes(shared: pathlib.Path) -> Any:
    """The generator of synthetic crowds and their ideal maps."""
    path = shared / "golden" / "scenes.py"
    if not path.is_file():
        sys.exit(f"error: no scenes: {path} is missing; name their folder with --shared DIR")
    spec = importlib.util.spec_from_file_location("scenes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def upsample_first(heatmaps: Any, pafs: Any, size: tuple[int, int]) -> None:
    """The least that a decoder spends which upsamples first."""
    for channel in heatmaps:
        surface = cv2.resize(channel, size, interpolation=cv2.INTER_CUBIC)
        (surface >= cv2.dilate(surface, np.ones((3, 3), np.uint8))) & (surface > 0.05)  # noqa: B018 - only its time
    for channel in pafs:
        cv2.resize(channel, size, interpolation=cv2.INTER_CUBIC)


def medians(contestants: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Milliseconds of thread CPU time, the contestants in turn."""
    times: dict[str, list[int]] = {name: [] for name in contestants}
    for name in contestants:
        contestants[name]()  # the first frame allocates
    for turn in range(max(ROUNDS.values())):
        for name, run in contestants.items():
            if turn < ROUNDS[name]:
                started = time.thread_time_ns()
                run()
                times[name].append(time.thread_time_ns() - started)
    return {name: round(statistics.median(values) / 1e6, 4) for name, values in times.items()}


class Mallinfo2(ctypes.Structure):
    """What glibc's mallinfo2 returns."""

    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks",
                                                     "fsmblks", "uordblks", "fordblks", "keepcost")]


def allocated() -> int | None:
    """Bytes that this process has from malloc; None where the C library does not tell."""
    with contextlib.suppress(AttributeError, OSError):
        mallinfo2 = ctypes.CDLL(None).mallinfo2
        mallinfo2.restype = Mallinfo2
        told = mallinfo2()
        return int(told.uordblks) + int(told.hblkhd)
    return None


def memory_of(skeleton: Any, maps: Any) -> float | None:
    """MB that a new decoder holds after a frame; it frees none of its scratch before it is closed."""
    before = allocated()
    decoder = PafDecoder(skeleton, backend="native")
    decoder(maps.heatmaps, maps.pafs)
    after = allocated()
    return None if before is None or after is None else round((after - before) / 1e6, 2)


def measure(scenes: Any, name: str, size: tuple[int, int], people: int) -> dict[str, Any]:
    """One row."""
    seed = 9000 + people
    maps = scenes.render(name, scenes.scene(people, *size, seed), *size, seed)
    skeleton = get_skeleton(SETS[name])
    memory_of(skeleton, maps)  # what the first of all leaves behind is not the decoder's
    memory = memory_of(skeleton, maps)
    exact = PafDecoder(skeleton, backend="native")
    fast = PafDecoder(skeleton, backend="native", options=PafOptions.for_skeleton(skeleton, mode="fast"))
    twin = PafDecoder(skeleton, backend="numpy")
    row = medians({"floor": lambda: (maps.heatmaps.sum(), maps.pafs.sum()),
                   "exact": lambda: exact(maps.heatmaps, maps.pafs),
                   "peaks": lambda: exact.candidates(maps.heatmaps),
                   "fast": lambda: fast(maps.heatmaps, maps.pafs),
                   "numpy": lambda: twin(maps.heatmaps, maps.pafs),
                   "upsample": lambda: upsample_first(maps.heatmaps, maps.pafs, size)})
    return {"set": name, "width": size[0], "height": size[1], "people": people,
            "found": len(exact(maps.heatmaps, maps.pafs)), "MB": memory, **row,
            "ratio": round(row["upsample"] / row["exact"], 1)}


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The table of the documentation."""
    columns = ("set", "map of", "people", "floor", "exact", "of it peaks", "fast", "NumPy twin", "upsampling alone",
               "ratio", "MB")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        times = " | ".join(f"{row[name]:.3f}" if row[name] < 10 else f"{row[name]:.0f}" for name in TIMES)
        lines.append(f"| {row['set']} | {row['width']}x{row['height']} | {row['people']} | {times} | {row['ratio']} "
                     f"| {'' if row['MB'] is None else row['MB']} |")
    return "\n".join(lines) + "\n"


def write_docs(path: pathlib.Path, table: str) -> None:
    """Replace what stands between the marks."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    path.write_text(before + MARKS[0] + table + MARKS[1] + rest.split(MARKS[1])[1], encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=pathlib.Path, default=SHARED, help="folder that holds golden/scenes.py")
    parser.add_argument("--people", default="1,5,20,50,100", help="sizes of crowd")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--docs", type=pathlib.Path, metavar="FILE", help="write the table into this Markdown file")
    args = parser.parse_args()
    scenes = load_scenes(args.shared)
    cv2.setNumThreads(1)
    rows = []
    print("set       size      people " + "".join(f"{name:>10s}" for name in TIMES) + "  upsample/exact      MB")
    for name in SETS:
        for size in SIZES[:1] if name == "BODY_135" else SIZES:
            for people in (int(count) for count in args.people.split(",")):
                row = measure(scenes, name, size, people)
                rows.append(row)
                print(f"{name:9s} {size[0]:4d}x{size[1]:<4d} {people:6d} "
                      + "".join(f"{row[column]:10.3f}" for column in TIMES)
                      + f"{row['ratio']:16.1f}{row['MB'] if row['MB'] is not None else '':>8}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if args.docs:
        write_docs(args.docs, as_markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
