"""python exercise.py LIBRARY CASES SEED: strange maps through the kernels of a library, compared with the CPU decoder.

Run it with libasan preloaded and a library built with sanitizers: then a step beside a buffer ends the program.
"""
import json
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "src")]

import numpy as np  # noqa: E402

from cuda_shim import ShimModule  # noqa: E402
from cuda_shim.checked_device import CheckedDevice  # noqa: E402
from wholebody.runtime.paf import PafOptions  # noqa: E402
from wholebody.runtime.paf.cuda_backend import CudaBackend  # noqa: E402
from wholebody.runtime.paf.numpy_backend import NumpyBackend  # noqa: E402
from wholebody.skeletons import get_skeleton  # noqa: E402

STICK = {"name": "STICK", "keypoints": ["a", "b", "c"], "parts": {"body": [0, 1, 2]},
         "paf": {"pairs": [[0, 1], [1, 2], [0, 2]], "background": False, "channels": [[1, 0], [2, 3], [4, 5]]}}


def drawn_maps(rng):
    """Bumps, noise, plateaus and values that are none."""
    cells, dtype = (rng.randint(1, 14), rng.randint(2, 18)), rng.choice(["float32", "float16"])
    heat, pafs = (rng.normal(0.1, rng.choice([0.01, 0.3]), (count,) + cells) for count in (3, 6))
    y, x = np.mgrid[:cells[0], :cells[1]]
    for channel in heat:
        for _ in range(rng.randint(0, 6)):
            channel += np.exp(-((x - rng.randint(0, cells[1])) ** 2 + (y - rng.randint(0, cells[0])) ** 2) / 1.5)
    if rng.randint(4) == 0:
        heat[:, :, cells[1] // 2:] = 0.7
    if rng.randint(3) == 0:
        for maps in heat, pafs:
            maps.ravel()[rng.randint(0, maps.size, 9)] = rng.choice([np.nan, np.inf, -np.inf, 1e4], 9)
    return heat.astype(dtype), (pafs + rng.choice([0, 0.5])).astype(dtype)


def drawn_options(rng, skeleton):
    """Every choice now and then."""
    return PafOptions.for_skeleton(
        skeleton, mode=str(rng.choice(["exact", "exact", "fast"])), border=str(rng.choice(["ring", "cuda"])),
        kernel=str(rng.choice(["opencv", "catmull-rom"])), max_peaks=int(rng.choice([1, 7, 127])),
        nms_threshold=float(rng.choice([0.0, 0.05, 0.5])), paf_ratio=float(rng.choice([0.0, 0.8, 0.95])))


def main():
    """Prints how many cases agreed."""
    module, cases, seed = ShimModule(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    device = CheckedDevice(module)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "stick.json"
        path.write_text(json.dumps(STICK))
        skeleton = get_skeleton(str(path))
    for case in range(cases):
        rng = np.random.RandomState(seed + case)
        module.seed(rng.randint(0, 1 << 30))
        maps, options, stride = drawn_maps(rng), drawn_options(rng, skeleton), int(rng.choice([1, 2, 3, 4, 8, 8, 8]))
        twin = NumpyBackend(skeleton, stride, options)
        backend = CudaBackend(skeleton, stride, options, twin, device, module=0)
        for got, expected in zip(backend.candidates(maps[0]), twin.candidates(maps[0])):
            np.testing.assert_array_equal(got, expected, err_msg="seed %d" % (seed + case))
        got, expected = backend.decode(*maps), twin.decode(*maps)
        np.testing.assert_array_equal(got.keypoints, expected.keypoints, err_msg="seed %d" % (seed + case))
        np.testing.assert_array_equal(got.person_scores, expected.person_scores)
        backend.close()
    sys.stdout.write("%d cases agree\n" % cases)


if __name__ == "__main__":
    main()
