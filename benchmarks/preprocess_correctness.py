"""How far the preprocessing kernel's NumPy twin is from the CPU path (cv2), picture by picture.

    python benchmarks/preprocess_correctness.py [--json FILE]

Pictures of noise, where rounding shows most, to a network of 656x368. The kernel itself gives the twin's bytes, which
tests/runtime/kernels/test_gpu_preprocess.py holds.
"""
import argparse
import json
import pathlib
import sys
from typing import Any

import cv2
import numpy as np

from wholebody.card import InputSpec
from wholebody.runtime.geometry import Resolution
from wholebody.runtime.kernels.taps import picture_taps, resample
from wholebody.runtime.preprocess import Preprocessor

RESULT = pathlib.Path(__file__).resolve().parent / "results" / "preprocess_correctness.json"
SIZES = ((1920, 1080), (1280, 720), (1312, 736), (640, 480), (321, 243), (480, 640))


def measure(how: str, size: tuple[int, int]) -> dict[str, Any]:
    """One picture."""
    image = np.random.RandomState(0).randint(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    spec = InputSpec("image", multiple=16, dtype="uint8", resize=how)
    expected, geometry = Preprocessor(spec, Resolution(656, 368))(image)
    rows, columns = picture_taps(size[0], size[1], geometry, how)
    inside = expected[0, :, geometry.top:geometry.top + geometry.resized_height,
                      geometry.left:geometry.left + geometry.resized_width]
    difference = np.abs(resample(image, rows, columns).transpose(2, 0, 1).astype(int) - inside)
    return {"resize": how, "picture": f"{size[0]}x{size[1]}", "largest_levels": int(difference.max()),
            "share_that_differs": round(float((difference > 0).mean()), 5)}


def main() -> int:
    """Writes benchmarks/results/preprocess_correctness.json; 3 where a pixel is off by more than one level."""
    parser = argparse.ArgumentParser(description="the preprocessing kernel's twin against the CPU path")
    parser.add_argument("--json", type=pathlib.Path, default=RESULT, metavar="FILE", help="default: %(default)s")
    args = parser.parse_args()
    rows = [measure(how, size) for how in ("fit", "stretch", "openpose") for size in SIZES]
    for row in rows:
        print(json.dumps(row))
    args.json.write_text(json.dumps({"cv2": cv2.__version__, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row["largest_levels"] <= 1 for row in rows) else 3


if __name__ == "__main__":
    sys.exit(main())
