"""What all commands share: help without heavy packages, exit codes, one line for an error."""
import os
import subprocess
import sys

import pytest

from wholebody.cli import export, run
from wholebody.errors import ModelError

HEAVY = ("cv2", "onnxruntime", "torch", "onnx", "av", "pycuda", "tensorrt")
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in %r:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Blocker())
"""
COMMANDS = [("wholebody.cli.run", []), ("wholebody.cli.export", []), ("wholebody.cli.export", ["card"])]


def python(code, stdout=subprocess.PIPE):
    return subprocess.run([sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE,
                          encoding="utf-8", env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))


@pytest.mark.parametrize("module, words", COMMANDS, ids=[" ".join([m.split(".")[-1]] + w) for m, w in COMMANDS])
def test_help_needs_numpy_alone(module, words):
    done = python(BLOCKER % (HEAVY,) + "import %s as command; command.main(%r + ['-h'])" % (module, words))
    assert done.returncode == 0, done.stderr
    assert "usage: wb-" in done.stdout
    assert "exit codes: 0 ok, 1 run error, 2 usage" in done.stdout


def test_importing_wholebody_loads_nothing_heavy_and_takes_no_time():
    done = python("import sys, time; start = time.perf_counter(); import wholebody; "
                  "print(time.perf_counter() - start); print(sorted(m for m in sys.modules if m in %r))"
                  % (HEAVY + ("numpy",),))
    seconds, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    assert float(seconds) < 0.2


@pytest.mark.parametrize("main", [run.main, export.main], ids=["wb-run", "wb-export"])
@pytest.mark.parametrize("words, code", [(["--version"], 0), ([], 2), (["--nonsense"], 2)])
def test_usage_errors_exit_with_2(main, words, code, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(words)
    assert leaving.value.code == code
    said = capsys.readouterr()
    assert said.out.startswith("wholebody ") if code == 0 else said.err.count("\n") == 1


@pytest.mark.parametrize("words, answer", [
    (["--engine", "m", "--source", "s", "--ovrlay", "x"], "did you mean --overlay?"),
    (["--engine", "m", "--source", "s", "--number-people-mx=3"], "did you mean --number-people-max?"),
    (["--engine", "m", "--source", "s", "more"], "unknown argument more; see wb-run -h"),
    (["--engine", "m", "--source", "s", "--net-resolution", "big"], "expected a resolution such as -1x368"),
    (["--engine", "m", "--source", "s", "--net-resolution", "-1x-1"], "at most one -1, got '-1x-1'"),
    (["--engine", "m", "--source", "s", "--net-resolution", "8x8"], "expected sides of 16 to 16384 pixels"),
    (["--engine", "m", "--source", "s", "--threads", "-3"], "expected a whole number from 0 to 999"),
    (["--engine", "m", "--source", "s", "--threads", "9" * 5000], "expected a whole number from 0 to 999"),
    (["--engine", "m", "--source", "s", "--number-people-max", "\u00b2"], "expected -1 (all) or a number"),
    (["--engine", "m", "--source", "s", "--number-people-max", "-2"], "expected -1 (all) or a number"),
    (["--engine", "m", "--source", "s", "--heatmaps-scale", "4"], "invalid choice: 4"),
    (["--engine", "m"], "required: --source"),
    (["--engine", "m", "--source", "s", "--keypoint-scale", "5"], "expected 0 to 4 or one of input"),
    (["--engine", "m", "--source", "s", "--number-people-max", "0"], "expected -1 (all) or a number"),
    (["--engine", "m", "--source", "s", "--heatmaps-add", "part"], "expected some of parts,background,pafs")])
def test_a_misspelt_flag_or_value_is_answered_with_the_right_one(words, answer, capsys):
    with pytest.raises(SystemExit) as leaving:
        run.main(words)
    assert leaving.value.code == 2
    said = capsys.readouterr().err
    assert answer in said
    assert said.count("\n") == 1


def test_verbose_shows_where_an_error_came_from(capsys):
    words = ["--engine", "missing.onnx", "--source", "missing.png"]
    assert run.main(words) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert run.main(words + ["-v"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.splitlines()[-1].startswith("wb-run: error: ")


@pytest.mark.parametrize("error, code, line", [
    (ModelError("no"), 1, "wb-run: error: no\n"), (KeyboardInterrupt(), 130, "wb-run: interrupted\n"),
    (OSError(5, "gone"), 1, "wb-run: error: [Errno 5] gone\n"),
    (ModelError("no\nwhere"), 1, "wb-run: error: no where\n"),
    (ValueError("odd"), 1, "wb-run: error: ValueError: odd; this is a fault of wholebody: run again with -v and report "
     "what it says\n"),
    (MemoryError(), 1, "wb-run: error: out of memory; try a smaller --net-resolution\n")],
    ids=["ours", "Ctrl-C", "of the system", "two lines", "a fault of ours", "memory"])
def test_an_error_is_one_line_and_a_code(error, code, line, capsys, monkeypatch):
    def fail(_):
        raise error
    monkeypatch.setattr(run, "_run", fail)
    assert run.main(["--engine", "m", "--source", "s"]) == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("words", [["-q", "card", "net.onnx"], ["card", "-q", "net.onnx"]], ids=["before", "after"])
def test_quiet_holds_before_and_after_a_subcommand(words, monkeypatch):
    seen = []
    monkeypatch.setattr(export, "_run", lambda args: seen.append(args.quiet) or 0)
    assert export.main(words) == 0
    assert seen == [True]


PRINT = "import sys; from wholebody.cli import run; run._run = lambda args: print('x' * %d) or 0; " \
        "sys.exit(run.main(['--engine', 'm', '--source', 's']))"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
@pytest.mark.parametrize("length", [10, 100000], ids=["little", "much"])
def test_a_full_disk_behind_stdout_is_one_line_and_1(length):
    with open("/dev/full", "w") as full:
        done = python(PRINT % length, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "wb-run: error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("length", [10, 100000], ids=["little", "much"])
def test_a_reader_of_stdout_who_has_gone_is_told_nothing(length):
    reading, writing = os.pipe()
    os.close(reading)
    done = python(PRINT % length, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_names_of_the_scales_are_those_of_the_runtime():
    from wholebody.runtime import keypoint_scale
    assert run.SCALES == keypoint_scale.SCALES
