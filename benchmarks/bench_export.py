"""What turning a checkpoint into an ONNX file takes: seconds and memory at its peak, for every known network.

    python benchmarks/bench_export.py [--networks NAME,NAME] [--json FILE]

Each export is a process of its own, so that no peak hides another: `wb-export onnx` on a file with random weights in
the format its authors use (torch's own for all but Caffe's). Columns: megabytes of the checkpoint and of the ONNX file,
seconds from start to end and of all cores together, and the largest resident set of the process (getrusage), PyTorch's
libraries included; `base` is a process that has only imported them.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
EXPORT = "import sys; from wholebody.cli.export import main; sys.exit(main(sys.argv[1:]))"
IMPORTS = "import torch, onnx, onnxsim, onnxruntime, wholebody.export.onnx_export"
WRITE = "import pathlib, sys; import checkpoint_files as c; c.write_official(pathlib.Path(sys.argv[1]), sys.argv[2], " \
        "c.official_tensors(sys.argv[2]))"


def run(code: str, *words: str) -> dict[str, float]:
    """Time and peak memory of a Python process."""
    paths = [str(ROOT / "src"), str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code, *words], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"error: exit code {process.returncode} from: {' '.join(words)}")
    return {"seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
            "peak_mb": round(usage.ru_maxrss * 1024 / 1e6)}


def measure(name: str) -> dict[str, Any]:
    """One row."""
    with tempfile.TemporaryDirectory() as folder:
        run(WRITE, folder, name)
        checkpoint, = pathlib.Path(folder).iterdir()
        model = pathlib.Path(folder) / "model.onnx"
        # Official files leave a choice that only --arch makes: the largest network that fits would be taken.
        spent = run(EXPORT, "onnx", "-q", str(checkpoint), "-o", str(model), "--arch", name)
        return {"network": name, "checkpoint_mb": round(checkpoint.stat().st_size / 1e6, 1),
                "onnx_mb": round(model.stat().st_size / 1e6, 1), **spent}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", metavar="NAME,NAME", help="which to export (default: all)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the rows there")
    args = parser.parse_args()
    base = run(IMPORTS)  # before this process is as large: a child's peak begins with its parent's size
    from wholebody.export.networks.architectures import ARCHITECTURES
    rows: list[dict[str, Any]] = [{"network": "base", **base}]
    print("| network | checkpoint | ONNX file | CPU time | peak memory |\n|---|---|---|---|---|", flush=True)
    for name in args.networks.split(",") if args.networks else ARCHITECTURES:
        row = measure(name)
        rows.append(row)
        print(f"| `{name}` | {row['checkpoint_mb']:.0f} MB | {row['onnx_mb']:.0f} MB | {row['cpu_seconds']:.0f} s "
              f"| {row['peak_mb']} MB |", flush=True)
    print(f"\nPyTorch, onnx and ONNX Runtime alone: {base['peak_mb']} MB.")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
