"""Which reader takes a file, and files that are none."""
import os

import pytest

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.reading import read_checkpoint


@pytest.mark.parametrize("name", ["net.onnx", "net", "net.tar.gz"])
def test_an_unknown_kind_is_refused_with_those_that_are_known(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"unknown kind of checkpoint .*known: \.caffemodel, \.pth"):
        read_checkpoint(str(tmp_path / name))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read checkpoint .*no\.pth: No such file"):
        read_checkpoint(str(tmp_path / "no.pth"))


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="it is not a regular file"):
        read_checkpoint(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "net.caffemodel")
    with pytest.raises(CheckpointError, match="it is not a regular file"):
        read_checkpoint(str(tmp_path / "net.caffemodel"))
