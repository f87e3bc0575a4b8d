"""What INT8 costs: a network calibrated and gated on one half of some photographs, and measured on the other.

    python benchmarks/int8_accuracy.py MODEL.onnx --photographs DIR --annotations FILE.json [--method M] [--naive]
        [--json FILE]

MODEL.onnx has a card. Every second photograph goes to `wb-export build --int8 --images --annotations`, which ends with
a network and its trade-off curve, or refuses; `wb-eval` measures FP32 and INT8 on the others. Where TensorRT-RTX is
installed, the table is built to a plan as well. --naive gives all channels of a depth-wise convolution's weights one
range, as simple quantisers do: the search must find those convolutions. Times are of ONNX Runtime on this machine's
CPU, one picture at a time.
"""
import argparse
import contextlib
import io
import json
import os
import pathlib
import platform
import sys
import tempfile
import time
from typing import Any

import numpy as np

from wholebody.cli.evaluate import main as wb_eval
from wholebody.cli.export import main as wb_export
from wholebody.engines.onnxfile import read_bytes
from wholebody.engines.onnxruntime_engine import open_session
from wholebody.engines.qdq_graph import candidates, graph_of, weights_of


def split(photographs: pathlib.Path, annotations: pathlib.Path, folder: pathlib.Path) -> None:
    """calibration/ and test/ with links to every second photograph, and the labels of each."""
    truth = json.loads(annotations.read_text())
    paths = sorted(photographs.glob("*.jpg"))
    for name, chosen in (("calibration", paths[::2]), ("test", paths[1::2])):
        (folder / name).mkdir()
        for path in chosen:
            (folder / name / path.name).symlink_to(path.resolve())
        names = {path.name for path in chosen}
        images = [image for image in truth["images"] if pathlib.Path(image["file_name"]).name in names]
        ids = {image["id"] for image in images}
        labels = [entry for entry in truth["annotations"] if entry["image_id"] in ids]
        (folder / f"{name}.json").write_text(json.dumps({**truth, "images": images, "annotations": labels}))


def naive_table(model: str, folder: pathlib.Path) -> str:
    """The table that the first half gives, with one range for all channels of each depth-wise convolution."""
    scales = folder / "naive.json"
    if wb_export(["calibrate", model, "--images", str(folder / "calibration"), "-o", str(scales)]):
        sys.exit("error: wb-export calibrate failed")
    table, graph = json.loads(scales.read_text()), graph_of(read_bytes(model))
    names = [one.weights for one in candidates(graph)]
    for name, values in weights_of(graph, names).items():
        if values.ndim == 4 and values.shape[1] == 1 < values.shape[0]:
            table["channels"][name] = [float(np.abs(values).max())] * len(values)
    scales.write_text(json.dumps(table))
    return str(scales)


def evaluated(model: str, folder: pathlib.Path) -> dict[str, Any]:
    """wb-eval on the photographs that were not calibrated on."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = wb_eval([model, "--images", str(folder / "test"), "--annotations", str(folder / "test.json"), "--json",
                        "-q"])
    if code:
        sys.exit(f"error: wb-eval {model} ended with {code}")
    found: dict[str, Any] = json.loads(said.getvalue())["statistics"]
    return found


def interleaved_ms(models: list[str], rounds: int = 15) -> dict[str, float]:
    """Median milliseconds of each network on noise of 656x368, one thread, the networks in turn."""
    sessions = [open_session(model, model, threads=1)[0] for model in models]
    source = sessions[0].get_inputs()[0]
    shape = (1, 368, 656, 3) if source.shape[3] == 3 else (1, 3, 368, 656)
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    spent: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for session, times in zip(sessions, spent):
            started = time.perf_counter()
            session.run(None, {source.name: noise})
            times.append(1e3 * (time.perf_counter() - started))
    return {name: round(float(np.median(times)), 1) for name, times in zip(("fp32", "int8"), spent)}


def build_plan(model: str, scales: str, folder: pathlib.Path) -> dict[str, Any] | None:
    """The table as a real plan; None without TensorRT-RTX."""
    engine, said = folder / "int8.engine", io.StringIO()
    words = ["build", model, "--int8", "--calibration", scales, "--target", "rtx:8.6", "--size", "656x368", "--json"]
    with contextlib.redirect_stdout(said):
        code = wb_export([*words, "-q", "-o", str(engine)])
    if code:
        return None
    manifest = json.loads(said.getvalue())
    return {"engine_mb": round(manifest["engine_bytes"] / 1e6, 2), "build_seconds": manifest["build_seconds"],
            "by": f"{manifest['product']} {manifest['tensorrt']}", "kept": manifest["kept_fp32"]}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--photographs", type=pathlib.Path, required=True)
    parser.add_argument("--annotations", type=pathlib.Path, required=True)
    parser.add_argument("--method", default="", help="as for wb-export build")
    parser.add_argument("--naive", action="store_true", help="one range for a depth-wise convolution's weights")
    parser.add_argument("--max-ap-drop", default="0.5", help="as for wb-export build")
    parser.add_argument("--without-labels", action="store_true", help="gate by agreement with FP32")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="add the row to the list in this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        split(args.photographs, args.annotations, folder)
        words = ["build", args.model, "--int8", "--images", str(folder / "calibration"), "--max-ap-drop",
                 args.max_ap_drop, "--gate-report", str(folder / "report.json"), "-o", str(folder / "int8.onnx")]
        words += ["--method", args.method] if args.method else []
        words += ["--calibration", naive_table(args.model, folder)] if args.naive else []
        words += [] if args.without_labels else ["--annotations", str(folder / "calibration.json")]
        started = time.monotonic()
        code = wb_export(words)
        if code not in (0, 3):
            return code
        row: dict[str, Any] = {
            "model": pathlib.Path(args.model).name, "method": args.method or "best", "naive": args.naive,
            "gate": "agreement" if args.without_labels else f"at most {args.max_ap_drop} points of AP",
            "exit_code": code, "seconds": round(time.monotonic() - started, 1),
            "cpu": platform.processor() or platform.machine(), "cpus": os.cpu_count(),
            "report": json.loads((folder / "report.json").read_text())}
        del row["report"]["blocks"][20:]
        if code == 0:
            fp32, int8 = evaluated(args.model, folder), evaluated(str(folder / "int8.onnx"), folder)
            row["test"] = {"photographs": len(list((folder / "test").iterdir())), "fp32": fp32, "int8": int8,
                           "ap_points": round(100 * (int8["AP"] - fp32["AP"]), 2)}
            row["cpu_ms_656x368_one_thread"] = interleaved_ms([args.model, str(folder / "int8.onnx")])
            row["plan"] = build_plan(args.model, str(folder / "int8.scales.json"), folder)
            print(f"on the other half: FP32 AP {fp32['AP']:.4f}, INT8 AP {int8['AP']:.4f}; ms "
                  f"{row['cpu_ms_656x368_one_thread']}; plan: {row['plan']}")
    if args.json:
        rows = json.loads(args.json.read_text()) if args.json.is_file() else []
        args.json.write_text(json.dumps([*rows, row], indent=1) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
