"""Building and finding the native library."""
import os
import shutil
import subprocess

import pytest

from wholebody.errors import MissingPackage, ModelError
from wholebody.runtime.native import build as build_module
from wholebody.runtime.native.build import FLAGS, build, find_compiler
from wholebody.runtime.native.library import HERE, find_library, load_library


@pytest.fixture
def compiler():
    try:
        return find_compiler()
    except MissingPackage as error:
        pytest.skip(str(error))


def test_the_sources_compile_without_a_warning_and_the_library_loads(compiler, tmp_path):
    for source in list(HERE.glob("*.cpp")) + list(HERE.glob("*.h")):
        shutil.copy(str(source), str(tmp_path))
    path = build("%s" % compiler, tmp_path)
    assert path == find_library(tmp_path) == tmp_path / "_wholebody.so"
    assert load_library(tmp_path).wb_paf_destroy(None) == 0
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
    sources = sorted(str(source) for source in tmp_path.glob("*.cpp"))
    done = subprocess.run([compiler, "-fsyntax-only", "-Werror"] + [f for f in FLAGS if f != "-shared"] + sources,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    assert done.returncode == 0, done.stdout


def test_c_can_read_the_header(compiler, tmp_path):
    program = tmp_path / "reader.c"
    program.write_text('#include "paf.h"\nint main(void) { return (int)sizeof(wb_paf_config) - 64; }\n')
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Werror", "-pedantic-errors", "-I", str(HERE), str(program),
                    "-o", str(tmp_path / "reader")], check=True)
    subprocess.run([str(tmp_path / "reader")], check=True)


def test_a_source_that_does_not_compile_leaves_the_old_library_and_shows_the_error(compiler, tmp_path):
    (tmp_path / "wrong.cpp").write_text("int f( { }\n")
    (tmp_path / "_wholebody.so").write_text("old")
    with pytest.raises(ModelError, match="(?s)failed with exit status .*wrong.cpp"):
        build(compiler, tmp_path)
    assert (tmp_path / "_wholebody.so").read_text() == "old"


def test_without_a_compiler_the_message_names_what_to_install(monkeypatch):
    monkeypatch.setattr(build_module.shutil, "which", lambda name: None)
    with pytest.raises(MissingPackage, match="apt install g\\+\\+"):
        find_compiler()


def test_the_newer_of_two_libraries_is_taken(tmp_path):
    assert find_library(tmp_path) is None
    for age, name in enumerate(["_wholebody.so", "_wholebody.abi3.so"]):
        (tmp_path / name).write_text("")
        os.utime(str(tmp_path / name), (1000 - age, 1000 - age))
    assert find_library(tmp_path) == tmp_path / "_wholebody.so"


def test_a_file_that_is_no_library_is_refused_with_the_way_to_build_one(tmp_path):
    (tmp_path / "_wholebody.so").write_text("no library")
    with pytest.raises(ModelError, match="cannot load .*python -m wholebody.runtime.native"):
        load_library(tmp_path)
