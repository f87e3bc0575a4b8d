"""The shim that runs CUDA kernels on the CPU is strict, and under sanitizers the real kernels pass."""
import os
import pathlib
import shutil
import subprocess
import sys

import cuda_shim
import numpy as np
import pytest

from wholebody.engines.device import Launch

EXERCISE = pathlib.Path(cuda_shim.__file__).parent / "exercise.py"
KERNELS = """
#define WB_THREADS 128
struct Sum { const int *values; int *out; int number, unused; };
WB_KERNEL(sum, Sum) {
    WB_SHARED(words);
    int *own = reinterpret_cast<int *>(words);
    const int thread = static_cast<int>(threadIdx.x);
    own[thread] = thread < arguments.number ? arguments.values[thread] : 0;
    __syncthreads();
    for (int half = 64; half > 0; half /= 2) {
        if (thread < half) own[thread] += own[thread + half];
        __syncthreads();
    }
    if (thread == 0) arguments.out[blockIdx.x] = own[0] + static_cast<int>(blockIdx.x);
}
struct Out { int *out; };
WB_KERNEL(some_leave, Out) {
    if (threadIdx.x == 3) return;
    __syncthreads();
    arguments.out[0] = 1;
}
WB_KERNEL(two_barriers, Out) {
    if (threadIdx.x % 2 == 0) __syncthreads();
    else
        __syncthreads();
    arguments.out[0] = 1;
}
WB_KERNEL(last_writer, Out) { arguments.out[0] = static_cast<int>(threadIdx.x + 1000 * blockIdx.x); }
WB_KERNEL(unset_shared, Out) {
    WB_SHARED(words);
    arguments.out[0] = __float_as_int(words[5]);
}
WB_KERNEL(beside, Out) { arguments.out[threadIdx.x] = 1; }
WB_KERNEL(beside_shared, Out) {
    WB_SHARED(words);
    words[threadIdx.x] = 1.0f;
    __syncthreads();
    arguments.out[0] = 1;
}
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    (folder / "kernels.cu").write_text(KERNELS)
    return folder


@pytest.fixture(scope="module")
def module(sources):
    return cuda_shim.ShimModule(cuda_shim.build(sources / "kernels.so", sources=sources))


def address(array):
    return array.__array_interface__["data"][0].to_bytes(8, "little")


def launch(kernel, arguments, grid=(1, 1, 1), block=(128, 1, 1), shared_bytes=512):
    return Launch(kernel, grid, block, arguments, shared_bytes)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_threads_meet_at_barriers_whatever_their_order(seed, module):
    values, out = np.arange(100, dtype=np.int32), np.zeros(3, np.int32)
    module.seed(seed)
    number = np.array([100, 0], np.int32).tobytes()
    module.launch(launch("sum", address(values) + address(out) + number, grid=(3, 1, 1)))
    module.seed(0)
    assert out.tolist() == [4950, 4951, 4952]


@pytest.mark.parametrize("kernel", ["some_leave", "two_barriers"])
def test_threads_that_part_at_a_barrier_are_an_error_and_the_next_launch_is_not(kernel, module, capfd):
    out = np.zeros(2, np.int32)
    with pytest.raises(cuda_shim.KernelMisuse, match="did not meet at a barrier"):
        module.launch(launch(kernel, address(out)))
    assert "%s: threads of block (0, 0, 0) part at line" % kernel in capfd.readouterr().err
    module.launch(launch("last_writer", address(out)))
    assert out[0] == 127


def test_an_order_that_shows_shows(module):
    seen = set()
    for seed in range(5):
        out = np.zeros(1, np.int32)
        module.seed(seed)
        module.launch(launch("last_writer", address(out), grid=(4, 1, 1)))
        seen.add(int(out[0]))
    module.seed(0)
    assert len(seen) > 1


def test_shared_memory_begins_as_garbage(module):
    out = np.zeros(1, np.uint32)
    module.launch(launch("unset_shared", address(out)))
    assert out[0] == 0xA5A5A5A5


@pytest.mark.parametrize("change, message", [
    ({"kernel": "nobody"}, "no such kernel"), ({"arguments": b"1234"}, "arguments of the wrong size"),
    ({"block": (2048, 1, 1)}, "no GPU takes"), ({"grid": (0, 1, 1)}, "no GPU takes"),
    ({"grid": (1, 70000, 1)}, "no GPU takes"), ({"shared_bytes": 50000}, "no GPU takes")],
    ids=["name", "arguments", "block", "empty grid", "tall grid", "shared"])
def test_a_launch_that_no_gpu_takes_is_refused(change, message, module):
    out = np.zeros(1, np.int32)
    with pytest.raises(cuda_shim.KernelMisuse, match=message):
        module.launch(launch("last_writer", address(out))._replace(**change))


def run_sanitized(*words):
    """A Python program under AddressSanitizer."""
    preload = subprocess.run(["g++", "-print-file-name=libasan.so"], stdout=subprocess.PIPE,
                             encoding="utf-8").stdout.strip()
    environment = dict(os.environ, LD_PRELOAD=preload, ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0",
                       UBSAN_OPTIONS="print_stacktrace=1", PYTHONMALLOC="malloc", OPENBLAS_NUM_THREADS="1")
    return subprocess.run([sys.executable] + [str(word) for word in words], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8")


def need_asan():
    if not sys.platform.startswith("linux") or shutil.which("g++") is None:
        pytest.skip("needs g++ on Linux; sudo apt install g++")


STEP_BESIDE = """
import sys
sys.path[:0] = [%r, %r]
import cuda_shim
from cuda_shim.checked_device import CheckedDevice
from wholebody.engines.device import Launch
module = cuda_shim.ShimModule(%r)
out = CheckedDevice(module).alloc(%d)
module.launch(Launch(%r, (1, 1, 1), (128, 1, 1), out.address.to_bytes(8, "little"), 500))
print("all went well")
"""


@pytest.mark.parametrize("kernel, nbytes, found", [
    ("beside", 508, "heap-buffer-overflow"), ("beside", 512, ""), ("beside_shared", 4, "heap-buffer-overflow")])
def test_under_sanitizers_a_step_beside_a_buffer_is_seen(kernel, nbytes, found, sources):
    need_asan()
    library = sources / "checked.so"
    if not library.exists():
        cuda_shim.build(library, sanitize=True, sources=sources)
    script = sources / "step.py"
    script.write_text(STEP_BESIDE % (str(EXERCISE.parents[1]), str(cuda_shim.ROOT / "src"), str(library), nbytes,
                                     kernel))
    done = run_sanitized(script)
    assert (found in done.stdout) if found else ("all went well" in done.stdout), done.stdout[-3000:]
    assert (done.returncode == 0) == (found == ""), done.stdout[-3000:]


@pytest.mark.parametrize("cases", [12, pytest.param(400, marks=pytest.mark.long)])
def test_under_sanitizers_strange_maps_are_decoded_as_on_the_cpu(cases, tmp_path):
    need_asan()
    library = cuda_shim.build(tmp_path / "kernels.so", sanitize=True)
    done = run_sanitized(EXERCISE, library, cases, 1)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "%d cases agree" % cases in done.stdout
