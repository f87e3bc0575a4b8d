"""Which board this is, from the files of a root folder."""
import pytest

from wholebody.jetson.identity import UNKNOWN, Board, read_board

L4T = "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, DATE: Tue Aug  1 19:57:35 UTC 2023\n"
BOARDS = [
    ("NVIDIA Jetson Nano Developer Kit", "nvidia,jetson-nano\0nvidia,tegra210\0", "5.3"),
    ("quill", "nvidia,quill\0nvidia,tegra186\0", "6.2"),
    ("Jetson-AGX", "nvidia,galen\0nvidia,tegra194\0", "7.2"),
    ("NVIDIA Jetson AGX Orin Developer Kit", "nvidia,p3737-0000+p3701-0000\0nvidia,tegra234\0", "8.7"),
    ("NVIDIA Jetson AGX Thor Developer Kit", "nvidia,p4071-0000\0nvidia,tegra264\0", "11.0"),
]


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("model, compatible, sm", BOARDS, ids=[board[0] for board in BOARDS])
def test_a_board_is_known_by_its_device_tree(tmp_path, model, compatible, sm):
    write(tmp_path, "proc/device-tree/model", model + "\0")
    write(tmp_path, "proc/device-tree/compatible", compatible)
    write(tmp_path, "etc/nv_tegra_release", L4T)
    write(tmp_path, "usr/local/cuda/version.json", '{"cuda": {"version": "11.4.19"}}')
    board = read_board(str(tmp_path))
    assert board == Board(model, sm, "35.4.1", "11.4.19")
    assert board.is_jetson
    assert str(board) == "%s (sm_%s)" % (model, sm.replace(".", ""))


def test_cuda_10_says_its_version_in_a_text_file(tmp_path):
    write(tmp_path, "usr/local/cuda/version.txt", "CUDA Version 10.2.300\n")
    assert read_board(str(tmp_path)).cuda == "10.2.300"


@pytest.mark.parametrize("files", [{}, {"proc/device-tree/compatible": "acme,unheard-of\0", "etc/nv_tegra_release": "?",
                                        "usr/local/cuda/version.json": "{", "proc/device-tree/model": ""}])
def test_what_a_machine_does_not_say_is_unknown(tmp_path, files):
    for name, text in files.items():
        write(tmp_path, name, text)
    assert read_board(str(tmp_path)) == Board()
    assert str(Board()) == UNKNOWN


def test_this_machine_is_read_without_an_error():
    assert isinstance(read_board(), Board)
