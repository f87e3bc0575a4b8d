"""Files are written whole or not at all, and never over another one unasked."""
import errno
import os
import pathlib
import stat
import subprocess
import sys

import pytest

from wholebody import files
from wholebody.errors import MissingPackage, OutputError
from wholebody.packages import install_command, require

SRC = pathlib.Path(files.__file__).resolve().parents[1]


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_under_its_name_when_the_block_ends(tmp_path):
    target = tmp_path / "out.mp4"
    with files.replace_when_done(target) as temporary:
        assert temporary.suffix == ".mp4"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert names(tmp_path) == ["out.mp4"]


def test_a_new_file_has_the_permissions_the_user_asked_for(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("old", [None, b"old"], ids=["nothing there", "a file there"])
def test_an_exception_leaves_what_was_there_and_nothing_half_written(tmp_path, error, old):
    target = tmp_path / "a.json"
    if old is not None:
        target.write_bytes(old)
    with pytest.raises(type(error)):  # noqa: PT012 - the middle of a block
        with files.replace_when_done(target, overwrite=True) as temporary:
            temporary.write_bytes(b"half")
            raise error
    assert names(tmp_path) == ([] if old is None else ["a.json"])
    assert old is None or target.read_bytes() == old


def test_an_existing_file_is_an_error_before_the_work_starts(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    started = []
    with pytest.raises(OutputError, match=r"a\.json exists; add --overwrite or name another file"):
        with files.replace_when_done(target):
            started.append(True)
    assert not started
    assert target.read_text() == "old"
    files.write_text(target, "new", overwrite=True)
    assert target.read_text() == "new"


def test_a_file_that_came_meanwhile_is_not_overwritten(tmp_path):
    target = tmp_path / "a.json"
    with pytest.raises(OutputError, match="exists"):  # noqa: PT012 - the end of the block
        with files.replace_when_done(target) as temporary:
            temporary.write_text("mine")
            target.write_text("theirs")
    assert target.read_text() == "theirs"
    assert names(tmp_path) == ["a.json"]


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "far" / "real.txt")
    files.write_text(tmp_path / "link.txt", "new", overwrite=True)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "far" / "real.txt").read_text() == "new"


@pytest.mark.parametrize(("path", "message"), [
    ("{tmp}/no/such/a.txt", "does not exist"),
    ("{tmp}/file/a.txt", "not a folder"),
    ("{tmp}", "it is a folder"),
    ("/dev/null", "not a regular file"),
    ("/proc/wholebody.txt", "cannot write /proc/wholebody.txt"),
    ("{tmp}/" + "n" * 300, "too long"),
], ids=["missing folder", "file as folder", "folder as file", "device", "proc", "long name"])
def test_a_path_that_cannot_be_written_is_one_line_with_the_path(tmp_path, path, message):
    (tmp_path / "file").write_text("")
    path = path.format(tmp=tmp_path)
    with pytest.raises(OutputError, match=message) as caught:
        files.write_text(path, "x", overwrite=True)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("number", "words"), [
    (errno.ENOSPC, "disk full: free some space"), (errno.EACCES, "no permission"), (errno.EROFS, "read-only disk"),
    (errno.EFBIG, "too large"), (errno.EIO, "run again"),
])
def test_an_error_of_the_system_says_what_to_do(number, words):
    error = files.output_error("a/b.json", OSError(number, os.strerror(number)))
    assert str(error).startswith("cannot write a/b.json: %s (" % os.strerror(number))
    assert words in str(error)


def test_an_error_while_writing_names_the_target_and_not_the_temporary_file(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*a\.json: No space left") as caught:
        with files.replace_when_done(tmp_path / "a.json") as temporary:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))
    assert ".wholebody-" not in str(caught.value)
    assert names(tmp_path) == []


def test_a_real_file_size_limit_leaves_nothing_behind(tmp_path):
    code = ("import resource, signal, sys; sys.path.insert(0, %r)\n"
            "from wholebody import files, errors\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "try: files.write_bytes(%r, b'x' * 5000)\n"
            "except errors.OutputError as error: print(error)\n") % (str(SRC), str(tmp_path / "a.bin"))
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8", check=True)
    assert "a.bin: File too large" in done.stdout
    assert names(tmp_path) == []


def test_a_real_full_disk_leaves_nothing_behind(full_disk):
    with pytest.raises(OutputError, match="disk full: free some space"):
        files.write_bytes(full_disk / "a.bin", b"x" * 500000)
    assert names(full_disk) == []


@pytest.fixture
def full_disk(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_folder_is_created_with_its_parents_and_may_exist(tmp_path):
    assert files.claim_folder(tmp_path / "a" / "b").is_dir()
    assert files.claim_folder(tmp_path / "a" / "b").is_dir()
    assert names(tmp_path / "a" / "b") == []


@pytest.mark.parametrize(("path", "message"), [
    ("{tmp}/file", "it is a file"), ("{tmp}/file/inside", "is a file, not a folder"),
    ("/proc/wholebody", "cannot create folder /proc/wholebody"), ("/proc/1", "cannot write in folder /proc/1"),
], ids=["a file", "inside a file", "new in proc", "proc"])
def test_a_folder_that_cannot_be_used_is_one_line(tmp_path, path, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=message) as caught:
        files.claim_folder(path.format(tmp=tmp_path))
    assert "\n" not in str(caught.value)


def test_check_target_tries_and_leaves_nothing(tmp_path):
    files.check_target(tmp_path / "a.json")
    assert names(tmp_path) == []
    with pytest.raises(OutputError, match="does not exist"):
        files.check_target(tmp_path / "no" / "a.json")


@pytest.mark.parametrize(("machine", "module", "extra", "command"), [
    ("x86_64", "cv2", None, "pip install opencv-python-headless"),
    ("aarch64", "cv2", None, "sudo apt install python3-opencv"),
    ("x86_64", "av", "video", "pip install 'wholebody[video]'"),
    ("aarch64", "av", "video", "pip install 'wholebody[video]'"),
])
def test_a_missing_package_names_the_command_that_installs_it(monkeypatch, machine, module, extra, command):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackage) as caught:
        require(module, extra)
    assert str(caught.value) == "%s is not installed. Install it: %s" % (module, command)


def test_a_package_whose_library_is_missing_says_which(monkeypatch, tmp_path):
    (tmp_path / "broken_pkg.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingPackage, match=r"broken_pkg does not load: libGL\.so\.1"):
        require("broken_pkg")
    assert install_command("broken_pkg") == "pip install broken_pkg"
