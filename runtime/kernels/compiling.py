"""Compiled kernels for a GPU: taken from a folder of prebuilt ones, from the user's cache, or made with nvcc."""
import hashlib
import logging
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import List, NamedTuple, Optional, Tuple

from wholebody.engines.device import Device
from wholebody.errors import MissingPackage, ModelError, OutputError
from wholebody.files import write_bytes

_log = logging.getLogger(__name__)

HERE = pathlib.Path(__file__).resolve().parent
PREBUILT = HERE / "cubins"
VARIABLE = "WHOLEBODY_CUBINS"
NVCC_PLACES = ("/usr/local/cuda/bin/nvcc",)
# -fmad=false: the CPU's arithmetic, bit for bit.
FLAGS = ("-cubin", "-std=c++14", "-O3", "-fmad=false")
DIGEST_BYTES = 32  # sha256 of the cubin, at the end of every file
HASH_DIGITS = 16
Sm = Tuple[int, int]


class Compiler(NamedTuple):
    """One nvcc."""

    path: str
    version: str  # its own words


def load_kernels(device: Device) -> int:
    """Handle of all kernels, loaded on this GPU; called within `device.active()`."""
    return device.load(kernels_for(device.compute_capability))


def kernels_for(sm: Sm) -> bytes:
    """A cubin for GPUs of this compute capability, such as (8, 7)."""
    named = os.environ.get(VARIABLE)
    for folder in ([pathlib.Path(named)] if named else []) + [PREBUILT]:
        path = find_prebuilt(folder, sm)
        if path is not None:
            return _read_prebuilt(path)
    compiler = find_nvcc()
    cached = cache_folder() / ("%s-%s.cubin" % (_stem(sm), _hash(source_hash(), compiler.version)))
    kept = _read(cached)
    if kept is not None:
        return kept
    if cached.exists():
        _log.warning("%s is damaged: compiling the kernels again", cached)
    _log.info("compiling the kernels for sm_%d%d with %s ...", sm[0], sm[1], compiler.path)
    cubin = compile_kernels(sm, compiler)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_cubin(cached, cubin)
    except (OutputError, OSError) as error:
        _log.warning("the compiled kernels are not kept: %s", error)
    return cubin


def compile_kernels(sm: Sm, compiler: Compiler) -> bytes:
    """What nvcc makes of kernels.cu."""
    with tempfile.TemporaryDirectory(prefix="wholebody-") as folder:
        output = pathlib.Path(folder) / "kernels.cubin"
        command = [compiler.path] + list(FLAGS) + ["-arch=sm_%d%d" % sm, "-o", str(output), str(HERE / "kernels.cu")]
        done = _run(command)
        if done.returncode != 0 or not output.is_file():
            raise ModelError("%s cannot compile the kernels for sm_%d%d (exit status %d): %s"
                             % (compiler.path, sm[0], sm[1], done.returncode, _one_line(done.stdout)))
        return output.read_bytes()


def find_nvcc() -> Compiler:
    """On the PATH, in $CUDA_HOME, or where CUDA is usually installed."""
    home = os.environ.get("CUDA_HOME")
    places = [shutil.which("nvcc")] + ([os.path.join(home, "bin", "nvcc")] if home else []) + list(NVCC_PLACES)
    for place in places:
        if place and os.access(place, os.X_OK):
            done = _run([place, "--version"])
            if done.returncode == 0:
                return Compiler(place, done.stdout.strip())
    raise MissingPackage(
        "no CUDA compiler: nvcc is neither on the PATH nor in $CUDA_HOME/bin or /usr/local/cuda/bin; install CUDA "
        "(sudo apt install nvidia-jetpack on a Jetson), or name a folder of compiled kernels with %s" % VARIABLE)


def find_prebuilt(folder: pathlib.Path, sm: Sm) -> Optional[pathlib.Path]:
    """The file for this GPU in a folder; ModelError where there are only ones of other sources."""
    found = sorted(folder.glob("%s-*.cubin" % _stem(sm)))
    wanted = folder / prebuilt_name(sm)
    if wanted in found:
        return wanted
    if found:
        raise ModelError("%s was compiled from other kernel sources than these (%s); make it again: %s"
                         % (found[0], source_hash(), _how_to_make(sm, folder)))
    return None


def prebuilt_name(sm: Sm) -> str:
    """The file's name says for what and from what it was made."""
    return "%s-%s.cubin" % (_stem(sm), source_hash())


def write_cubin(path: pathlib.Path, cubin: bytes) -> None:
    """The cubin and its digest, complete or not at all."""
    write_bytes(path, cubin + hashlib.sha256(cubin).digest(), overwrite=True)


def source_hash(folder: pathlib.Path = HERE) -> str:
    """Of all kernel sources and how they are compiled."""
    texts: List[str] = []
    for path in sorted(folder.glob("*.cu")) + sorted(folder.glob("*.h")):
        texts += [path.name, path.read_bytes().decode("utf-8")]
    return _hash(*(texts + list(FLAGS)))


def cache_folder() -> pathlib.Path:
    """In the user's own."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(folder) / "wholebody" / "kernels"


def _read_prebuilt(path: pathlib.Path) -> bytes:
    cubin = _read(path)
    if cubin is None:
        raise ModelError("%s is damaged; copy it again, or delete it" % path)
    return cubin


def _read(path: pathlib.Path) -> Optional[bytes]:
    """The cubin; None where the file is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    cubin, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
    return cubin if cubin and hashlib.sha256(cubin).digest() == digest else None


def _stem(sm: Sm) -> str:
    return "wholebody-sm_%d%d" % sm


def _how_to_make(sm: Sm, folder: pathlib.Path) -> str:
    return "python -m wholebody.runtime.kernels --sm %d.%d --output %s" % (sm[0], sm[1], folder)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8")).hexdigest()[:HASH_DIGITS]


def _run(command: List[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", errors="replace")
    except OSError as error:
        raise ModelError("cannot run the CUDA compiler %s: %s" % (command[0], error.strerror))


def _one_line(text: str) -> str:
    """The first error, or the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (errors or lines[-1:] or ["it said nothing"])[0]
