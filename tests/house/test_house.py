"""The house itself: its public face, the size of its files, its scripts and its words."""
import pathlib
import re
import subprocess

import pytest
from system_packages import need_program

import wholebody

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                         capture_output=True, encoding="utf-8").stdout.splitlines()
CODE = [name for name in TRACKED if re.search(r"\.(py|cpp|h|cu)$", name) and (ROOT / name).is_file()]
SCRIPTS = [".ci/run"] + [name for name in TRACKED if name.startswith("scripts/") and not name.endswith(".txt")]


def test_the_public_face_is_open_and_the_version() -> None:
    assert wholebody.__all__ == ["open", "__version__"]


@pytest.mark.parametrize("name", CODE)
def test_a_file_has_at_most_400_lines(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"])
def test_a_reader_finds_the_usual_pages(name: str) -> None:
    assert (ROOT / name).stat().st_size > 300


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_passes_shellcheck(name: str) -> None:
    shellcheck = need_program("shellcheck", "shellcheck")
    done = subprocess.run([shellcheck, "--shell=bash", "-x", "--source-path=SCRIPTDIR", name], cwd=ROOT,
                          capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [n for n in TRACKED if n.endswith(".md")])
def test_a_link_in_a_page_leads_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert ((ROOT / name).parent / target).exists(), f"{name} links to {target}"
