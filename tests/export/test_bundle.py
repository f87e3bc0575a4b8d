"""wb-export bundle: the folder, and the folder started by a Python that has neither this package nor PyTorch."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest
from system_packages import need_program
from tensorrt_setting import write_stick_network

from wholebody.cli.export import main
from wholebody.export.board_library import build_for_boards, cross_compilers, too_new
from wholebody.runtime.bundle.contents import NATIVE, read_bundle
from wholebody.runtime.native.library import HERE

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMON_DIR = subprocess.run(["git", "rev-parse", "--path-format=absolute", "--git-common-dir"], cwd=ROOT,
                            capture_output=True, encoding="utf-8").stdout.strip()
pytest.importorskip("onnxruntime", reason="asks the FP32 network: pip install onnxruntime")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("made") / "bundle"
    assert main(["bundle", "--board", "tx2", "-o", str(folder)]) == 0
    return folder


def old_python() -> str | None:
    """Python 3.6 with the packages of JetPack 4, as scripts/check-pythons makes it; None where there is none."""
    for base in (ROOT, pathlib.Path(COMMON_DIR or ROOT).parent):
        python = base / ".venvs" / "3.6" / "bin" / "python"
        if python.exists():
            return str(python)
    return None


def run_there(folder: pathlib.Path, python: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """As on a board: a bare environment, and nothing of this package but what is in the folder."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHON": python, "PYTHONNOUSERSITE": "1"}
    return subprocess.run([folder / "run", *words], cwd=folder.parent, env=env, capture_output=True, encoding="utf-8",
                          timeout=120)


class Started(NamedTuple):
    """A copy of the bundle after its first start, which has compiled the native library for this machine."""

    folder: pathlib.Path
    python: str
    said: str


@pytest.fixture(scope="module")
def started(made: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Started:
    need_program("g++", "g++")
    folder, python = tmp_path_factory.mktemp("started") / "bundle", old_python() or sys.executable
    shutil.copytree(made, folder)
    first = run_there(folder, python)
    assert first.returncode == 0, first.stderr
    return Started(folder, python, first.stderr)


def test_it_holds_the_device_side_and_nothing_else(made: pathlib.Path) -> None:
    names = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    assert {"run", "bundle.json", "model.onnx", "card.json", "gate/expected.json", "gate/000.jpg",
            "device/wholebody/cli/bundle_start.py", "device/wholebody/jetson/tables/boards.json",
            "device/wholebody/runtime/native/paf.h", "device/wholebody/runtime/kernels/kernels.cu",
            "device/wholebody/runtime/web/page/preview.html", "device/wholebody/data/skeletons/COCO_17.json"} <= names
    assert not [name for name in names if "/export/" in name or "/calibration/" in name or name.endswith(".pyc")]
    bundle = read_bundle(str(made))
    assert (bundle.board, bundle.engine, bundle.options) == ("tx2", "model-fp16-656x368.engine",
                                                            {"net_resolution": "656x368"})
    assert set(bundle.files) == names - {"bundle.json", NATIVE}


def test_it_starts_on_python_3_6_with_its_own_files_alone(started: Started) -> None:
    folder, python, said = started
    if old_python() is None:
        pytest.skip("needs Python 3.6 with NumPy, OpenCV and ONNX Runtime: scripts/check-pythons")
    assert "compiling the native library, once" in said
    assert "gate: agreement" in said
    second = run_there(folder, python, "--source", str(folder / "gate" / "002.jpg"), "--json")
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout)["people"] >= 3
    assert "compiling" not in second.stderr
    assert "asking the gate" not in second.stderr
    where = subprocess.run([python, "-c", "import wholebody; print(wholebody.__file__)"], capture_output=True,
                           encoding="utf-8", env={"PYTHONPATH": str(folder / "device")}).stdout
    assert where.startswith(str(folder))


def test_a_file_that_was_cut_short_stops_it(made: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(made, folder)
    (folder / "model.onnx").write_bytes(b"")
    done = run_there(folder, sys.executable)
    assert (done.returncode, "model.onnx is not as it was made" in done.stderr) == (1, True)


def test_a_gate_that_says_no_stops_it_unless_it_is_ignored(started: Started, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(started.folder, folder)
    told = json.loads((folder / "bundle.json").read_text())
    told["least_agreement"] = 1.1
    (folder / "bundle.json").write_text(json.dumps(told))
    done = run_there(folder, started.python)
    assert done.returncode == 3, done.stderr
    assert "too little; least in" in done.stderr
    assert run_there(folder, started.python, "--ignore-gate").returncode == 0


def test_the_library_asks_for_nothing_that_jetpack_4_lacks(made: pathlib.Path) -> None:
    if not list(cross_compilers()):
        pytest.skip("needs a compiler for aarch64: sudo apt install g++-aarch64-linux-gnu")
    data = (made / NATIVE).read_bytes()
    assert data[18:20] == b"\xb7\x00"  # EM_AARCH64
    assert too_new(data) == ""
    assert too_new(data + b"\0GLIBC_2.34\0") == "it asks for GLIBC 2.34, which JetPack 4 does not have"


def test_the_library_finds_under_qemu_whom_ours_finds(made: pathlib.Path, started: Started,
                                                      tmp_path: pathlib.Path) -> None:
    cross = need_program("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu")
    qemu = need_program("qemu-aarch64-static", "qemu-user-static")
    ours = need_program("g++", "g++")
    exercise = [str(ROOT / "tests/native/paf_exercise.cpp"), "-std=c++14", "-O2",
                "-ffp-contract=off", "-I", str(HERE)]
    there, here = tmp_path / "there", tmp_path / "here"
    subprocess.run([cross, *exercise, str(made / NATIVE), "-o", str(there)], check=True)
    subprocess.run([ours, *exercise, str(started.folder / NATIVE), "-o", str(here)], check=True)
    emulated = [qemu, "-L", "/usr/aarch64-linux-gnu", "-E", f"LD_LIBRARY_PATH={(made / NATIVE).parent}", str(there)]
    found = subprocess.run([*emulated, "print", "12", "3"], capture_output=True, encoding="utf-8", timeout=120)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("case") == 12
    assert found.stdout == subprocess.run([here, "print", "12", "3"], capture_output=True, encoding="utf-8",
                                          env={"LD_LIBRARY_PATH": str((started.folder / NATIVE).parent)}).stdout
    strange = subprocess.run([*emulated, "fuzz", "2", "5"], capture_output=True, encoding="utf-8", timeout=60)
    assert strange.returncode == 0, strange.stderr


def test_without_a_cross_compiler_the_board_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr("wholebody.export.board_library.cross_compilers", lambda: iter(()))
    assert "sudo apt install g++-aarch64-linux-gnu" in build_for_boards(tmp_path / "x.so")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no such thing\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("wholebody.export.board_library.cross_compilers", lambda: iter([[str(broken)]]))
    assert build_for_boards(tmp_path / "x.so").endswith("broken failed: no such thing")


@pytest.mark.parametrize("words, code, message", [
    (["--board", "tx3"], 1, "unknown board 'tx3'; did you mean tx2?"),
    (["--board", "tx2", "--int8"], 1, "has no INT8 arithmetic"),
    (["--board", "tx2", "--size", "650x368"], 1, "sides that 8 divides"),
    (["--board", "tx2", "--images", "empty"], 1, "there are no pictures in empty"),
    (["--board", "tx2", "--images", "nowhere"], 1, "cannot read the pictures of nowhere"),
    (["--board", "tx2", "--calibration", "x.json"], 2, "--calibration goes with --int8"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_a_board_or_a_network_cannot_do_is_refused_here(
        words: list[str], code: int, message: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wholebody.export.bundle.build_for_boards", lambda output: "not now")
    (tmp_path / "empty").mkdir()
    write_stick_network(tmp_path)
    try:
        found = main(["bundle", "net.onnx", "-o", "out", *words])
    except SystemExit as stop:
        found = stop.code
    assert (found, message in capsys.readouterr().err) == (code, True)
    assert sorted(os.listdir(tmp_path)) == ["empty", "net.onnx"], "nothing is left behind"


def test_pictures_without_people_make_no_gate(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    cv2 = pytest.importorskip("cv2")
    import numpy as np
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wholebody.export.bundle.build_for_boards", lambda output: "not now")
    (tmp_path / "pictures").mkdir()
    cv2.imwrite("pictures/grey.png", np.full((64, 112, 3), 0, np.uint8))
    write_stick_network(tmp_path)
    assert main(["bundle", "net.onnx", "--board", "tx2", "-o", "out", "--images", "pictures"]) == 1
    assert "finds nobody in pictures: a gate needs people" in capsys.readouterr().err


def test_only_a_bundle_is_replaced_and_only_when_asked(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    cv2 = pytest.importorskip("cv2")
    from sticks import draw_sticks
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wholebody.export.bundle.build_for_boards", lambda output: "not now")
    (tmp_path / "pictures").mkdir()
    cv2.imwrite("pictures/four.png", draw_sticks(4))
    write_stick_network(tmp_path)
    words = ["bundle", "net.onnx", "--board", "orin-nx", "-o", "out", "--images", "pictures"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "compiled there" in said
    assert "Note: the board compiles the native library when it starts first: not now" in said
    assert main(words) == 1
    assert "add --overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gate"]["people"] == 4
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    assert main([*words[:-4], "-o", "mine", "--overwrite"]) == 1
    assert "exists and is no bundle" in capsys.readouterr().err
