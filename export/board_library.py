"""The native library compiled here for the boards: aarch64, for the C library of JetPack 4 and everything later."""
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

from wholebody.errors import ModelError
from wholebody.runtime.native.build import FLAGS
from wholebody.runtime.native.library import HERE

# glibc, libstdc++ (GCC 8) and its ABI as JetPack 4 has them: Ubuntu 18.04.
LIMITS = {"GLIBC": (2, 27), "GLIBCXX": (3, 4, 25), "CXXABI": (1, 3, 11)}
HOW_TO_GET = "sudo apt install g++-aarch64-linux-gnu, or pip install ziglang"
_VERSION = re.compile(rb"\b(GLIBC|GLIBCXX|CXXABI)_(\d+(?:\.\d+)+)\b")


def cross_compilers() -> Iterator[list[str]]:
    """What compiles for aarch64 here, the best first: zig brings the boards' own C library."""
    zig = ["-target", "aarch64-linux-gnu.2.27"]
    if shutil.which("zig"):
        yield ["zig", "c++", *zig]
    elif importlib.util.find_spec("ziglang"):
        yield [sys.executable, "-m", "ziglang", "c++", *zig]
    if shutil.which("aarch64-linux-gnu-g++"):
        yield ["aarch64-linux-gnu-g++", "-include", str(HERE / "glibc_2_17.h")]


def build_for_boards(output: pathlib.Path) -> str:
    """Compiles it into `output`; "" or, where there will be none, why not in a line."""
    reason = f"there is no cross compiler here ({HOW_TO_GET})"
    for compiler in cross_compilers():
        command = [*compiler, *FLAGS, *sorted(str(path) for path in HERE.glob("*.cpp")), "-o", str(output)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                              errors="replace")
        said = (done.stdout.strip().splitlines() or [""])[-1]
        reason = f"{compiler[0]} failed: {said}" if done.returncode else too_new(output.read_bytes())
        if not reason:
            return ""
        output.unlink(missing_ok=True)
    return reason


def too_new(library: bytes) -> str:
    """What a library asks for that JetPack 4 does not have; "" where it has all of it."""
    if not library.startswith(b"\x7fELF"):
        raise ModelError("expected an ELF library, got something else from the compiler")
    wanted = {(name.decode(), tuple(int(part) for part in number.split(b".")))
              for name, number in _VERSION.findall(library)}
    beyond = sorted(f"{name} {'.'.join(map(str, version))}" for name, version in wanted if version > LIMITS[name])
    return f"it asks for {', '.join(beyond)}, which JetPack 4 does not have" if beyond else ""
