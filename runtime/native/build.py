"""Builds the native library next to its sources with the system's C++ compiler, for boards where pip is not used."""
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import List, Optional

from wholebody.errors import MissingPackage, ModelError, OutputError
from wholebody.runtime.native.library import HERE

COMPILERS = ("g++", "c++", "clang++")
# No -march=native, -ffast-math or contraction: every machine computes what the NumPy twin does.
FLAGS = ("-std=c++14", "-O3", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden",
         "-Wall", "-Wextra", "-pedantic-errors")
OUTPUT = "_wholebody.so"


def build(compiler: Optional[str] = None, folder: pathlib.Path = HERE) -> pathlib.Path:
    """Compile `folder`/*.cpp into `folder`/_wholebody.so, replacing it only when that worked; returns its path."""
    output = folder / OUTPUT
    try:
        workplace = tempfile.mkdtemp(prefix=".build-", dir=str(folder))
    except OSError as error:
        raise OutputError("cannot write the native library %s: %s" % (output, error.strerror))
    try:
        made = os.path.join(workplace, OUTPUT)
        _run(_command(compiler or find_compiler(), folder, made))
        os.replace(made, str(output))
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return output


def find_compiler() -> str:
    """$CXX, or the first C++ compiler on the PATH."""
    for name in [os.environ.get("CXX", "")] + list(COMPILERS):
        if name and shutil.which(name):
            return name
    raise MissingPackage("no C++ compiler: none of %s is on the PATH; install one (sudo apt install g++), "
                         "or name it with --compiler" % ", ".join(COMPILERS))


def _command(compiler: str, folder: pathlib.Path, output: str) -> List[str]:
    return [compiler] + list(FLAGS) + sorted(str(path) for path in folder.glob("*.cpp")) + ["-o", output]


def _run(command: List[str]) -> None:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", errors="replace")
    except OSError as error:
        raise ModelError("cannot run the compiler %s: %s" % (command[0], error.strerror))
    if done.returncode != 0:
        raise ModelError("%s failed with exit status %d:\n%s" % (command[0], done.returncode, done.stdout.rstrip()))
