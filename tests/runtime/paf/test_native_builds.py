"""The native decoder by other compilers, under sanitizers and on another machine's instruction set."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from wholebody.runtime.native.build import FLAGS
from wholebody.runtime.native.library import HERE

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXERCISE = ROOT / "tests" / "native" / "paf_exercise.cpp"
PACKAGES = {"g++-11": "g++-11", "g++-12": "g++-12", "clang++": "clang", "qemu-aarch64-static": "qemu-user-static",
            "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu"}
CASES = "12"


def need(program):
    if shutil.which(program) is None:
        pytest.skip("%s is not installed; sudo apt install %s" % (program, PACKAGES[program]))


def build(command, output, *more):
    flags = [flag for flag in FLAGS if flag not in ("-shared", "-fPIC")]
    sources = [str(EXERCISE)] + sorted(str(path) for path in HERE.glob("*.cpp"))
    done = subprocess.run(command + flags + list(more) + ["-Werror", "-I", str(HERE)] + sources + ["-o", str(output)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    return str(output)


def people(command):
    """What the exercise prints of its drawn crowds."""
    return subprocess.run(command + ["print", CASES, "3"], stdout=subprocess.PIPE, encoding="utf-8",
                          check=True).stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed; sudo apt install g++")
    return build(["g++"], tmp_path_factory.mktemp("ours") / "exercise")


@pytest.fixture(scope="module")
def ours(program):
    found = people([program])
    assert found.count("case") == int(CASES)
    assert len(found.splitlines()) > 10 * int(CASES)
    return found


@pytest.mark.parametrize("compiler", ["g++-11", "g++-12", "clang++"])
def test_other_compilers_take_the_sources_without_a_warning_and_give_the_same_bytes(compiler, ours, tmp_path):
    need(compiler)
    assert people([build([compiler], tmp_path / "exercise")]) == ours


def test_plain_instructions_give_the_bytes_of_the_widest(ours, tmp_path):
    # -mno-avx2 does not undo the clones; without them the loader has nothing to choose.
    assert people([build(["g++"], tmp_path / "exercise", "-DWB_CLONES=", "-mno-avx")]) == ours


def test_neon_gives_the_same_bytes(ours, tmp_path):
    need("aarch64-linux-gnu-g++")
    need("qemu-aarch64-static")
    static = build(["aarch64-linux-gnu-g++"], tmp_path / "exercise", "-static")
    assert people(["qemu-aarch64-static", static]) == ours


def test_a_second_frame_allocates_nothing_and_a_decoder_holds_less_than_ten_megabytes(program):
    lines = subprocess.run([program, "memory", "40", "5"], stdout=subprocess.PIPE, encoding="utf-8",
                           check=True).stdout.splitlines()
    assert len(lines) == 40
    for line in lines:
        words = line.split()
        assert int(words[4]) == 0, line
        assert 0 < int(words[6]) < 10e6, line


@pytest.mark.long
def test_the_library_for_boards_asks_for_no_newer_c_library_than_jetpack_4_has(tmp_path):
    pytest.importorskip("ziglang", reason="ziglang, a cross compiler, is not installed; pip install ziglang")
    library = tmp_path / "_wholebody.so"
    command = [sys.executable, "-m", "ziglang", "c++", "-target", "aarch64-linux-gnu.2.27"] + list(FLAGS)
    subprocess.run(command + sorted(str(path) for path in HERE.glob("*.cpp")) + ["-o", str(library)], check=True)
    wanted = {word.strip(b"\0") for word in library.read_bytes().replace(b"\0", b"\0 ").split() if
              word.startswith(b"GLIBC_2.")}
    assert wanted
    assert all(int(name.rstrip(b"\0").split(b".")[1]) <= 27 for name in wanted), wanted


def test_a_minute_of_strange_maps_under_sanitizers_finds_nothing():
    if shutil.which("g++") is None or not sys.platform.startswith("linux"):
        pytest.skip("needs g++ on Linux; sudo apt install g++")
    seconds = "60" if os.environ.get("CI") else "8"
    done = subprocess.run([str(ROOT / "scripts" / "fuzz-native"), seconds, "1"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    assert "nothing found" in done.stdout
