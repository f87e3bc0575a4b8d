"""The kernels compile for every board without a warning, and what is compiled is kept, found and checked."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import nvrtc
import pytest

from wholebody.errors import MissingPackage, ModelError
from wholebody.runtime.kernels import compiling

SM = (8, 7)
KERNELS = ("wb_paf_peaks", "wb_paf_scores", "wb_paf_pack", "wb_preprocess")
BOARDS = [("11.8", "53"), ("11.8", "62"), ("11.8", "72"), ("11.8", "87"), ("11.8", "90"), ("13.0", "87"),
          ("13.0", "110")]


def sources():
    return (compiling.HERE / "kernels.cu").read_text(encoding="utf-8")


@pytest.mark.parametrize("version, sm", BOARDS, ids=str)
def test_the_kernels_compile_for_every_board_without_a_warning(version, sm):
    library = nvrtc.load(version)
    options = [flag for flag in compiling.FLAGS if flag not in ("-cubin", "-O3")] + ["-arch=sm_" + sm]
    cubin, log = nvrtc.compile_cubin(library, sources(), compiling.HERE, options)
    assert cubin is not None, log
    assert [line for line in log.splitlines() if "deprecated" not in line] == []
    for kernel in KERNELS:
        assert (".text." + kernel).encode() in cubin


def test_a_mistake_in_a_kernel_is_told_by_nvrtc():
    cubin, log = nvrtc.compile_cubin(nvrtc.load("11.8"), sources() + "\nint broken = nobody;", compiling.HERE, [])
    assert cubin is None
    assert "nobody" in log


NVCC = """#!%s
import os, sys
if "--version" in sys.argv:
    print("nvcc: fake, release %s")
    sys.exit()
with open(os.environ["FAKE_NVCC_LOG"], "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if os.environ.get("FAKE_NVCC_FAILS"):
    print("ptxas warning: strange")
    print("kernels.cu(7): error: identifier nobody is undefined")
    sys.exit(2)
with open(sys.argv[sys.argv.index("-o") + 1], "wb") as out:
    out.write(b"cubin of " + " ".join(word for word in sys.argv if word.startswith("-arch")).encode())
"""


@pytest.fixture
def nvcc(tmp_path, monkeypatch):
    """A fake nvcc on the PATH, which notes what it is asked for; nothing else is there."""
    program = tmp_path / "bin" / "nvcc"
    program.parent.mkdir()

    def write(version="12.6"):
        program.write_text(NVCC % (sys.executable, version))
        program.chmod(0o755)
    write()
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_NVCC_LOG", str(tmp_path / "log"))
    for name in ("CUDA_HOME", compiling.VARIABLE, "FAKE_NVCC_FAILS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compiling, "NVCC_PLACES", ())
    monkeypatch.setattr(compiling, "PREBUILT", tmp_path / "none")
    return write


def calls(tmp_path):
    log = tmp_path / "log"
    return log.read_text().splitlines() if log.exists() else []


def test_kernels_are_compiled_once_for_each_gpu_and_compiler(nvcc, tmp_path):
    assert compiling.kernels_for(SM) == b"cubin of -arch=sm_87"
    assert compiling.kernels_for(SM) == b"cubin of -arch=sm_87"
    assert len(calls(tmp_path)) == 1
    assert "-fmad=false" in calls(tmp_path)[0]
    assert "-std=c++14" in calls(tmp_path)[0]
    assert compiling.kernels_for((7, 2)) == b"cubin of -arch=sm_72"
    nvcc(version="13.0")
    compiling.kernels_for(SM)
    assert len(calls(tmp_path)) == 3
    assert len(list((tmp_path / "cache").rglob("*.cubin"))) == 3


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"x" + data[1:]],
                         ids=["shorter", "empty", "changed"])
def test_a_damaged_file_of_the_cache_is_made_again(damage, nvcc, tmp_path, caplog):
    compiling.kernels_for(SM)
    path, = (tmp_path / "cache").rglob("*.cubin")
    path.write_bytes(damage(path.read_bytes()))
    assert compiling.kernels_for(SM) == b"cubin of -arch=sm_87"
    assert "is damaged: compiling the kernels again" in caplog.text
    assert len(calls(tmp_path)) == 2


def test_a_cache_that_cannot_be_written_is_no_hindrance(nvcc, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compiling.kernels_for(SM) == b"cubin of -arch=sm_87"
    assert "the compiled kernels are not kept" in caplog.text


def test_a_compiler_that_fails_is_told_in_one_line(nvcc, monkeypatch):
    monkeypatch.setenv("FAKE_NVCC_FAILS", "1")
    with pytest.raises(ModelError) as caught:
        compiling.kernels_for(SM)
    assert str(caught.value).endswith("cannot compile the kernels for sm_87 (exit status 2): kernels.cu(7): error: "
                                      "identifier nobody is undefined")


@pytest.mark.parametrize("place", ["CUDA_HOME", "usual"])
def test_nvcc_is_found_beside_the_path_too(place, nvcc, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    if place == "CUDA_HOME":
        monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    else:
        monkeypatch.setattr(compiling, "NVCC_PLACES", (str(tmp_path / "bin" / "nvcc"),))
    assert compiling.find_nvcc() == compiling.Compiler(str(tmp_path / "bin" / "nvcc"), "nvcc: fake, release 12.6")


def test_without_nvcc_the_error_says_what_to_do(nvcc, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingPackage) as caught:
        compiling.kernels_for(SM)
    assert "no CUDA compiler: nvcc is neither on the PATH nor in $CUDA_HOME/bin" in str(caught.value)
    assert "install CUDA" in str(caught.value)
    assert "WHOLEBODY_CUBINS" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_prebuilt_kernels_are_taken_before_a_compiler(nvcc, tmp_path, monkeypatch):
    folder = tmp_path / "cubins"
    folder.mkdir()
    compiling.write_cubin(folder / compiling.prebuilt_name(SM), b"prebuilt")
    monkeypatch.setenv(compiling.VARIABLE, str(folder))
    assert compiling.kernels_for(SM) == b"prebuilt"
    assert compiling.kernels_for((7, 2)) == b"cubin of -arch=sm_72", "none of it for this GPU: nvcc makes them"
    monkeypatch.delenv(compiling.VARIABLE)
    monkeypatch.setattr(compiling, "PREBUILT", folder)
    assert compiling.kernels_for(SM) == b"prebuilt"


def test_prebuilt_kernels_of_other_sources_are_refused_with_the_command_that_makes_them(nvcc, tmp_path, monkeypatch):
    compiling.write_cubin(tmp_path / "wholebody-sm_87-0123456789abcdef.cubin", b"old")
    monkeypatch.setenv(compiling.VARIABLE, str(tmp_path))
    with pytest.raises(ModelError, match="was compiled from other kernel sources than these") as caught:
        compiling.kernels_for(SM)
    assert str(caught.value).endswith("python -m wholebody.runtime.kernels --sm 8.7 --output %s" % tmp_path)


def test_damaged_prebuilt_kernels_are_refused(nvcc, tmp_path, monkeypatch):
    (tmp_path / compiling.prebuilt_name(SM)).write_bytes(b"half of it")
    monkeypatch.setenv(compiling.VARIABLE, str(tmp_path))
    with pytest.raises(ModelError, match="is damaged; copy it again, or delete it"):
        compiling.kernels_for(SM)


def test_the_hash_is_of_every_source(tmp_path):
    for path in list(compiling.HERE.glob("*.cu")) + list(compiling.HERE.glob("*.h")):
        shutil.copy(str(path), str(tmp_path / path.name))
    assert compiling.source_hash(tmp_path) == compiling.source_hash()
    seen = {compiling.source_hash()}
    for path in sorted(tmp_path.iterdir()):
        path.write_text(path.read_text() + "// more\n")
        seen.add(compiling.source_hash(tmp_path))
    assert len(seen) == 1 + len(list(tmp_path.iterdir()))


def command(*words):
    environment = dict(os.environ, PYTHONPATH=str(pathlib.Path(__file__).resolve().parents[3] / "src"))
    return subprocess.run([sys.executable, "-m", "wholebody.runtime.kernels"] + list(words), env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


def test_the_command_makes_what_the_folder_is_asked_for(nvcc, tmp_path, monkeypatch):
    done = command("--sm", "8.7", "--output", str(tmp_path / "made"))
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv(compiling.VARIABLE, str(tmp_path / "made"))
    assert pathlib.Path(done.stdout.strip()).name == compiling.prebuilt_name(SM)
    assert compiling.kernels_for(SM) == b"cubin of -arch=sm_87"
    assert len(calls(tmp_path)) == 1


@pytest.mark.parametrize("words, status, message", [
    (("--sm", "orin"), 2, "expected a compute capability such as 8.7, got 'orin'"), ((), 2, "--sm")],
    ids=["name", "none"])
def test_the_command_says_what_it_expects(words, status, message):
    done = command(*words)
    assert done.returncode == status
    assert message in done.stderr


@pytest.mark.skipif(not os.path.exists("/usr/local/cuda/bin/nvcc"), reason="no nvcc in /usr/local/cuda")
def test_a_real_nvcc_makes_a_cubin_without_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiling, "FLAGS", compiling.FLAGS + ("-Werror", "all-warnings"))
    version = re.search(r"release (\d+)", compiling.find_nvcc().version)
    cubin = compiling.kernels_for((8, 7))
    assert version
    assert cubin[:4] == b"\x7fELF"
    assert all((".text." + kernel).encode() in cubin for kernel in KERNELS)
