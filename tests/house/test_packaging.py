"""What pyproject.toml lists is what the folders hold, and a wheel holds nothing else."""
import pathlib
import subprocess
import sys
import zipfile

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="tomllib came with Python 3.11")

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("jetson", "engines", "runtime", "calibration", "export")


def test_the_package_list_equals_the_folders() -> None:
    found = {"wholebody", "wholebody.cli"}
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join(("wholebody", *init.parent.relative_to(ROOT).parts)))
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_the_native_sources_are_all_compiled() -> None:
    extension = PROJECT["tool"]["setuptools"]["ext-modules"][0]
    assert sorted(extension["sources"]) == sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("runtime/native/*.cpp"))
    assert sorted(extension["depends"]) == sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("runtime/native/*.h"))


def test_nothing_at_the_root_shadows_the_package() -> None:
    assert not (ROOT / "wholebody").exists()
    assert not (ROOT / "setup.py").exists()
    for folder in FOLDERS:
        link = ROOT / "src/wholebody" / folder
        assert link.is_symlink()
        assert link.resolve() == ROOT / folder


def test_a_wheel_holds_the_package_and_its_data_and_nothing_else(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "source"
    tracked = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                             check=True, capture_output=True, encoding="utf-8").stdout.split("\0")
    for name in filter(None, tracked):
        path = ROOT / name
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif path.is_file():
            target.write_bytes(path.read_bytes())
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
                    "-w", str(tmp_path), str(source)], check=True)
    wheel, = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    version = PROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert version == "wholebody.__version__"
    assert {name.split("/")[0].split("-")[0] for name in names} == {"wholebody"}
    assert "abi3" in wheel.name or "none" in wheel.name, "one wheel serves every Python"
    for folder, pattern in (("src/wholebody/data/skeletons", "*.json"), ("export/presets", "*.json"),
                            ("src/wholebody/data/models", "*.onnx"), ("runtime/kernels", "*.cu"),
                            ("runtime/kernels", "*.h"), ("runtime/web/page", "*.html"), ("runtime/web/page", "*.css"),
                            ("runtime/web/page", "*.js")):
        for path in (ROOT / folder).glob(pattern):
            assert any(name.endswith(f"{path.parent.name}/{path.name}") for name in names), path
    target = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(target)
    code = "import wholebody, wholebody.skeletons as s, wholebody.runtime.paf, wholebody.export.presets as p; " \
           "print(len(s.skeleton_names()), len(p.preset_names()), wholebody.__file__)"
    path = f"import sys; sys.path[:0] = [{str(target)!r}, *{sys.path!r}[1:]]; "
    out = subprocess.run([sys.executable, "-S", "-c", path + code], check=True, capture_output=True, encoding="utf-8",
                         cwd=tmp_path).stdout
    assert str(target) in out
    assert out.split()[:2] == [str(len(list((ROOT / "src/wholebody/data/skeletons").glob("*.json")))),
                               str(len(list((ROOT / "export/presets").glob("*.json"))))]
