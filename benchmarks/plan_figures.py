"""What is expected of published networks on boards, beside what was published: the tables of docs/boards.md.

    python benchmarks/plan_figures.py [--costs] [--doc FILE]

`--costs` exports the networks with random weights (PyTorch, some minutes) and counts their cost anew into
jetson/tables/published.json; without it the costs of that file are taken. Rooflines are frames a second that no engine
exceeds: the largest of arithmetic at the GPU's dense FP16 peak and of traffic at the board's bandwidth, every tensor
between two kernels written and read once.
"""
import argparse
import dataclasses
import functools
import json
import pathlib
import tempfile
from typing import Any

from wholebody.engines.planning import read_network
from wholebody.jetson.boards import all_boards
from wholebody.jetson.published import figures, load_of, not_compared, published_table
from wholebody.jetson.roofline import expect

TABLE = pathlib.Path(__file__).resolve().parents[1] / "jetson" / "tables" / "published.json"
MARKS = "<!-- plan_figures: begin -->", "<!-- plan_figures: end -->"
# Name, size (height, width) and keypoints where they are not the network's own.
NETWORKS = (("openpose-body25", (368, 656), 0), ("openpose-body135", (480, 480), 0), ("openpose-coco", (368, 656), 0),
            ("trt-pose-resnet18", (224, 224), 0), ("trt-pose-densenet121", (256, 256), 0),
            ("rtmpose-t", (256, 192), 0), ("rtmpose-s", (256, 192), 0), ("rtmpose-m", (256, 192), 0),
            ("rtmpose-l", (256, 192), 0), ("rtmpose-m", (256, 192), 133), ("rtmpose-l", (256, 192), 133),
            ("wholebody-lite", (368, 656), 0))
ROOFLINES = ("openpose-body25 656x368", "openpose-body135 480x480", "wholebody-lite 656x368")


def cost_of(name: str, size: tuple[int, int], keypoints: int) -> dict[str, Any]:
    """Of one network, from its graph."""
    import torch

    from wholebody.export.loading import LoadedNetwork
    from wholebody.export.networks.architectures import ARCHITECTURES
    from wholebody.export.onnx_export import OnnxOptions, export_onnx
    from wholebody.skeletons import get_skeleton
    architecture = ARCHITECTURES[name]
    if keypoints:
        build = architecture.build
        assert isinstance(build, functools.partial)
        deepen, widen, spec, pyramid = build.args
        build = functools.partial(build.func, deepen, widen, dataclasses.replace(spec, keypoints=keypoints), pyramid)
        architecture = dataclasses.replace(architecture, build=build, skeleton="WHOLEBODY_133")
    torch.manual_seed(0)
    loaded = LoadedNetwork(architecture.build().eval(), architecture, get_skeleton(architecture.skeleton), (), "0" * 64)
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "net.onnx")
        export_onnx(loaded, path, OnnxOptions(simplify=False), "random")
        cost = read_network(path).cost(size)
    return {"gflop": round(cost.flop / 1e9, 4), "moved_millions": round(cost.traffic / 1e6, 3),
            "kernels": len(cost.kernels), "parameters_millions": round(cost.parameters / 1e6, 3)}


def key_of(name: str, size: tuple[int, int], keypoints: int) -> str:
    """The name in the table."""
    return f"{name}{'-wholebody' if keypoints else ''} {size[1]}x{size[0]}"


def write_costs() -> None:
    """Into the table; the rest of the file stays as it is, line by line."""
    rows = {}
    for network in NETWORKS:
        rows[key_of(*network)] = cost_of(*network)
        print(key_of(*network), rows[key_of(*network)], flush=True)
    text = TABLE.read_text(encoding="utf-8")
    start = text.index('"networks": {')
    end = text.index('"figures"')
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    TABLE.write_text(text[:start] + '"networks": {\n' + lines + "\n  },\n  " + text[end:], encoding="utf-8")


def tables() -> str:
    """For the page."""
    lines = ["Rooflines in FP16, frames/s, and what to expect of the network alone:", "",
             "| board | BODY_25 656x368 | BODY_135 480x480 | wholebody-lite 656x368 |", "|---|---|---|---|"]
    for board in all_boards():
        cells = [expect(board, load_of(name)) for name in ROOFLINES]
        lines.append(f"| {board.title} | " + " | ".join(
            f"{number(cell.roofline_fps)} ({number(cell.fps[0])} to {number(cell.fps[1])})" for cell in cells) + " |")
    lines += ["", "Published figures, frames/s:", "", "| network | board | published | expected | |",
              "|---|---|---|---|---|"]
    for figure in figures():
        said = "inside" if figure.inside else f"outside: {figure.why_outside or 'unexplained'}"
        lines.append(f"| {figure.network} {figure.size} | {figure.board} | {number(figure.fps)} ({figure.who}) | "
                     f"{number(figure.expected.fps[0])} to {number(figure.expected.fps[1])} | {said} |")
    lines += ["", "Not compared:", ""]
    return "\n".join(lines + [f"- {what}: {why}." for what, why in not_compared()])


def number(value: float) -> str:
    """Three digits that matter at most.

    >>> number(4.63), number(148.28)
    ('4.6', '148')
    """
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def main() -> None:
    """Count, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--costs", action="store_true", help="count the costs anew")
    parser.add_argument("--doc", metavar="FILE", help="put the tables between the marks of this page")
    args = parser.parse_args()
    if args.costs:
        write_costs()
    assert published_table()["networks"]
    print(tables())
    if args.doc:
        page = pathlib.Path(args.doc)
        before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        page.write_text(before + MARKS[0] + "\n" + tables() + "\n" + MARKS[1] + after, encoding="utf-8")


if __name__ == "__main__":
    main()
