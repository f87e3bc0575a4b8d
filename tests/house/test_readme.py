"""What README says is run, in its order, in a folder where only the demo was run before."""
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "assets"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BIN = pathlib.Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("wb-")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the reader stands: the repository's examples, and what the demo left."""
    pytest.importorskip("av", reason="the demo draws a video: pip install '.[video]'")
    folder = tmp_path_factory.mktemp("reader")
    (folder / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run([sys.executable, ROOT / "examples" / "demo.py", "demo-output"], cwd=folder,
                          capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    assert "20 drawn" in done.stdout
    if SHARED.is_dir():
        (folder / "human-pose-estimation-0001.onnx").symlink_to(
            SHARED / "weights" / "human-pose-estimation-0001.fp32.onnx")
        (folder / "photo.jpg").symlink_to(next(iter(sorted((SHARED / "images" / "coco_val2017").glob("*.jpg")))))
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works(folder: pathlib.Path, command: str) -> None:
    words = shlex.split(command)
    foreign = {"human-pose-estimation-0001.onnx", "omz.onnx", "photo.jpg"}
    if foreign & set(words) and not (folder / "photo.jpg").exists():
        pytest.skip("needs a network and a photograph from ../shared, which is missing")
    done = subprocess.run([BIN / words[0], *words[1:]], cwd=folder, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_python_of_the_readme_works(folder: pathlib.Path) -> None:
    code, = blocks("python")
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 people"), done.stdout


@pytest.mark.parametrize("page", PAGES, ids=[p.name for p in PAGES])
def test_a_flag_that_a_page_names_exists(page: pathlib.Path) -> None:
    known: set[str] = set()
    verbs = ("card", "onnx", "calibrate", "build", "inspect", "verify", "bundle", "plan")
    for words in (["wb-run"], ["wb-eval"], ["wb-eval", "compare"], ["wb-doctor"], ["wb-export"],
                  ["wb-cameras", "calibrate"], ["wb-cameras", "show"],
                  *(["wb-export", verb] for verb in verbs)):
        help_text = subprocess.run([BIN / words[0], *words[1:], "-h"], capture_output=True, encoding="utf-8").stdout
        known |= set(re.findall(r"--[a-z0-9-]+", help_text))
    profile = [sys.executable, "-m", "wholebody.cli.profile", "-h"]
    known |= set(re.findall(r"--[a-z0-9-]+", subprocess.run(profile, capture_output=True, encoding="utf-8").stdout))
    known |= {"--long"}  # of scripts/test
    known |= {"--again", "--ignore-gate"}  # of a bundle's run
    known |= {"--sm", "--output"}  # of python -m wholebody.runtime.kernels
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", page.read_text(encoding="utf-8")))
    assert named <= known
