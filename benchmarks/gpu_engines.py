"""Builds FP32, FP16 and INT8 engines on an NVIDIA GPU, compares them with ONNX Runtime, and times them.

One command, on a machine with a GPU, TensorRT and pycuda:

    python benchmarks/gpu_engines.py [--work DIR] [--onnx NET.onnx] [--int8 NET-qdq.onnx] [--own-kernels]

The networks (NET.onnx, default ../shared's pose network; BODY_25 with random weights) and ONNX Runtime's answers are
put into DIR first, which needs torch and onnxruntime. `--prepare` does that alone: DIR may then be carried to a machine
that has neither. It has not been run yet: no GPU was at hand when it was written.
"""
import argparse
import json
import pathlib
import shutil
import sys
import time
from typing import Any, Dict, List

import numpy as np

from wholebody.engines.build_process import BuildOptions, build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.onnxfile import parse_onnx, read_bytes
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.errors import WholebodyError
from wholebody.jetson.identity import read_board
from wholebody.runtime.cuda import CudaDevice

ROOT = pathlib.Path(__file__).resolve().parents[1]
WEIGHTS = ROOT.parent / "shared" / "assets" / "weights"
SIZE = (368, 656)
LIMITS = {"fp32": 1e-4, "fp16": 1e-2, "int8": None}  # of the range of ONNX Runtime's output; INT8 is reported only
RUNS = 100


def prepare(work: pathlib.Path, onnx: pathlib.Path, int8: pathlib.Path) -> None:
    """The networks, a picture and what ONNX Runtime makes of it."""
    work.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(str(onnx), str(work / "net.onnx"))
    if int8.is_file():
        shutil.copyfile(str(int8), str(work / "net-int8.onnx"))
    export_body25(work / "body25.onnx")
    for path in sorted(work.glob("*.onnx")):
        model = parse_onnx(read_bytes(path), str(path))
        picture = np.random.RandomState(0).rand(1, 3, *SIZE).astype(np.float32)
        picture *= 255 if path.name.startswith("net") else 1
        with OnnxRuntimeEngine(str(path), read_card=False) as engine:
            outputs = engine.infer({model.inputs[0].name: picture})
        arrays: Dict[str, Any] = dict(outputs, **{"input " + model.inputs[0].name: picture})
        np.savez(str(path.with_suffix(".npz")), **arrays)


def export_body25(path: pathlib.Path) -> None:
    """BODY_25 with random weights that keep a signal's size."""
    import torch

    from wholebody.export.loading import LoadedNetwork
    from wholebody.export.networks.architectures import ARCHITECTURES
    from wholebody.export.onnx_export import export_onnx
    from wholebody.skeletons import get_skeleton
    torch.manual_seed(0)
    architecture = ARCHITECTURES["openpose-body25"]
    network = architecture.build().eval()
    for name, tensor in network.named_parameters():
        if tensor.dim() > 1:
            torch.nn.init.kaiming_normal_(tensor)
        elif "prelu" not in name:
            torch.nn.init.zeros_(tensor)
    loaded = LoadedNetwork(network, architecture, get_skeleton("BODY_25"), (), "0" * 64)
    export_onnx(loaded, str(path), source="random weights", overwrite=True)


def measure(path: pathlib.Path, precision: str, own_kernels: bool) -> Dict[str, Any]:
    """One engine: built, compared, timed."""
    engine_path = str(path.with_suffix(".%s.engine" % precision))
    manifest = build_engine(str(path), engine_path, BuildSpec(precision, SIZE, SIZE, SIZE, own_kernels=own_kernels),
                            BuildOptions(overwrite=True))
    with np.load(str(path.with_suffix(".npz"))) as known:
        arrays = dict(known)
    feeds = {name[len("input "):]: arrays.pop(name) for name in list(arrays) if name.startswith("input ")}
    with open_engine(engine_path, OpenOptions(device=CudaDevice)) as engine:
        found = {name: value.copy() for name, value in engine.infer(feeds).items()}
        times = []
        for _ in range(RUNS):
            started = time.perf_counter()
            engine.infer(feeds)
            times.append(1e3 * (time.perf_counter() - started))
    error = max(float(np.abs(found[name] - expected).max() / (expected.max() - expected.min()))
                for name, expected in arrays.items())
    limit = LIMITS[precision]
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"network": path.name, "precision": precision, "size": "%dx%d" % (SIZE[1], SIZE[0]), "batch": 1,
            "error_of_range": error, "limit": limit, "agrees": limit is None or error <= limit,
            "ms_with_copies": {"p50": p50, "p95": p95, "p99": p99}, "runs": RUNS,
            "build_seconds": manifest.build_seconds, "engine_bytes": manifest.engine_bytes,
            "tensorrt": manifest.tensorrt, "board": manifest.board._asdict(), "strategy": manifest.strategy}


def main() -> int:
    """Writes benchmarks/results/gpu_engines.json; 3 when an engine disagrees."""
    parser = argparse.ArgumentParser(description="FP32, FP16 and INT8 engines on a GPU against ONNX Runtime")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / ".gpu_engines")
    parser.add_argument("--onnx", type=pathlib.Path, default=WEIGHTS / "human-pose-estimation-0001.fp32.onnx")
    parser.add_argument("--int8", type=pathlib.Path, default=WEIGHTS / "human-pose-estimation-0001.int8-qdq.onnx")
    parser.add_argument("--own-kernels", action="store_true", help="without cuBLAS and cuDNN")
    parser.add_argument("--prepare", action="store_true", help="only write networks and answers into the work folder")
    args = parser.parse_args()
    if not list(args.work.glob("*.npz")):
        prepare(args.work, args.onnx, args.int8)
    if args.prepare:
        return 0
    rows: List[Dict[str, Any]] = []
    for path in sorted(args.work.glob("*.onnx")):
        for precision in ["int8"] if path.name.endswith("-int8.onnx") else ["fp32", "fp16"]:
            try:
                rows.append(measure(path, precision, args.own_kernels))
            except WholebodyError as error:
                rows.append({"network": path.name, "precision": precision, "agrees": False, "failed": str(error)})
            print(json.dumps(rows[-1]))
    result = ROOT / "benchmarks" / "results" / "gpu_engines.json"
    result.write_text(json.dumps({"board": read_board()._asdict(), "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row["agrees"] for row in rows) else 3


if __name__ == "__main__":
    sys.exit(main())
