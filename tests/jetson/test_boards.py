"""Every board is named right from its device tree; what is unheard of is None."""
import pytest

from wholebody.errors import WholebodyError
from wholebody.jetson.boards import all_boards, board_named, board_of, jetpack_of

TREES = [
    ("nano", "NVIDIA Jetson Nano Developer Kit",
     "nvidia,p3449-0000-b00+p3448-0000-b00 nvidia,jetson-nano nvidia,tegra210"),
    ("nano", "NVIDIA Jetson Nano 2GB Developer Kit",
     "nvidia,p3542-0000+p3448-0003 nvidia,jetson-nano-2gb nvidia,tegra210"),
    ("tx2", "quill", "nvidia,quill nvidia,tegra186"),
    ("tx2", "NVIDIA Jetson TX2 NX Developer Kit", "nvidia,p3509-0000+p3636-0001 nvidia,tegra186"),
    ("xavier-nx", "NVIDIA Jetson Xavier NX Developer Kit", "nvidia,p3449-0000+p3668-0000 nvidia,tegra194"),
    ("agx-xavier", "Jetson-AGX", "nvidia,galen nvidia,tegra194"),
    ("agx-xavier", "NVIDIA Jetson AGX Xavier Developer Kit",
     "nvidia,p2972-0000 nvidia,p2822-0000+p2888-0004 nvidia,tegra194"),
    ("orin-nano", "NVIDIA Orin Nano Developer Kit", "nvidia,p3768-0000+p3767-0005 nvidia,p3767-0005 nvidia,tegra234"),
    ("orin-nano", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit",
     "nvidia,p3768-0000+p3767-0003 nvidia,tegra234"),
    ("orin-nano-super", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
     "nvidia,p3768-0000+p3767-0005-super nvidia,p3767-0005 nvidia,tegra234"),
    ("orin-nx", "NVIDIA Orin NX Developer Kit", "nvidia,p3768-0000+p3767-0000 nvidia,p3767-0000 nvidia,tegra234"),
    ("orin-nx", "a carrier of somebody else's", "acme,carrier+p3767-0001 nvidia,tegra234"),
    ("agx-orin", "NVIDIA Jetson AGX Orin Developer Kit", "nvidia,p3737-0000+p3701-0005 nvidia,tegra234"),
    ("thor", "NVIDIA Jetson AGX Thor Developer Kit", "nvidia,p3971-0089+p3834-0008 nvidia,p3834-0008 nvidia,tegra264"),
    ("thor", "a carrier without a part number", "acme,carrier nvidia,tegra264"),
]


@pytest.mark.parametrize("name, model, compatible", TREES, ids=["%s: %s" % tree[:2] for tree in TREES])
def test_a_board_is_named_by_its_device_tree(name, model, compatible):
    for separator in (" ", "\0"):
        board = board_of(model, compatible.replace(" ", separator))
        assert board is not None
        assert board.name == name


@pytest.mark.parametrize("model, compatible", [("", ""),
                                               ("Raspberry Pi 5 Model B", "raspberrypi,5-model-b brcm,bcm2712"),
                                               ("unknown", "nvidia,tegra234"), ("x", "nvidia,tegra999")])
def test_what_the_table_does_not_have_is_no_board(model, compatible):
    assert board_of(model, compatible) is None


def test_every_row_is_whole():
    boards = all_boards()
    assert len({board.name for board in boards}) == len(boards) == 9
    for board in boards:
        assert board.fp16_tflops > 0
        assert board.gb_per_s > 0
        assert board.memory_gb == tuple(sorted(board.memory_gb))
        assert board_named(board.name.upper().replace("-", "_")) == board
        assert (board.int8_tops is None) == (board.sm in ("5.3", "6.2")), "fast INT8 came with sm_61 and sm_70, not 62"


def test_a_board_that_is_misspelt_is_answered_with_the_nearest():
    with pytest.raises(WholebodyError, match="unknown board 'orin-xn'; did you mean orin-nx.; known: nano, tx2"):
        board_named("orin-xn")


@pytest.mark.parametrize("l4t, jetpack, tensorrt", [("32.7.4", "4.6.x", "8.2.1"), ("35.4.1", "5.1.2", "8.5.2"),
                                                    ("36.4.3", "6.1 or 6.2", "10.3.0"), ("38.2.0", "7.x", "10.13")])
def test_the_release_tells_the_jetpack(l4t, jetpack, tensorrt):
    found = jetpack_of(l4t)
    assert found is not None
    assert (found.jetpack, found.tensorrt) == (jetpack, tensorrt)


@pytest.mark.parametrize("l4t", ["unknown", "", "3", "351.0", "99.1"])
def test_a_release_that_is_not_in_the_table_has_none(l4t):
    assert jetpack_of(l4t) is None
