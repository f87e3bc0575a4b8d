"""Rooflines and ranges against known figures; how frames are shared with an accelerator."""
import pytest

from wholebody.errors import WholebodyError
from wholebody.jetson.boards import all_boards, board_named
from wholebody.jetson.dla import best_split, dla_fps, dla_operations, dla_table, splits
from wholebody.jetson.published import figures, load_of, not_compared, published_table
from wholebody.jetson.roofline import Expectation, Load, build_seconds, expect, ram_mb, verdict

# Frames a second in FP16: BODY_25 at 656x368, BODY_135 at 480x480.
ROOFLINES = [("nano", 1.6, 0.9), ("tx2", 4.6, 2.4), ("xavier-nx", 21, 11), ("agx-xavier", 39, 21),
             ("orin-nano", 36, 19), ("orin-nano-super", 58, 31), ("orin-nx", 52, 28), ("agx-orin", 148, 78),
             ("thor", 497, 370)]


@pytest.mark.parametrize("name, body25, body135", ROOFLINES, ids=[row[0] for row in ROOFLINES])
def test_rooflines_are_those_that_are_known(name, body25, body135):
    board = board_named(name)
    for network, known in (("openpose-body25 656x368", body25), ("openpose-body135 480x480", body135)):
        found = expect(board, load_of(network)).roofline_fps
        assert (round(found, 1) if known < 10 else round(found)) == known


def test_the_cost_of_networks_is_that_of_their_papers():
    networks = published_table()["networks"]
    for name, gflop, millions in (("openpose-body25 656x368", 287.3, 26.2), ("openpose-body135 480x480", 543.4, 63.6),
                                  ("openpose-coco 656x368", 484.6, 52.3), ("trt-pose-resnet18 224x224", 15.6, 20.8)):
        assert round(networks[name]["gflop"], 1) == gflop
        assert round(networks[name]["parameters_millions"], 1) == millions


@pytest.mark.parametrize("figure", figures(), ids=["%s %s: %s" % (f.network, f.board, f.who) for f in figures()])
def test_a_published_figure_lies_in_the_expected_range_or_it_is_said_why_not(figure):
    assert figure.inside == (figure.why_outside == "")
    assert figure.fps < figure.expected.roofline_fps, "nothing is faster than its roofline"


def test_what_cannot_be_compared_has_its_reason():
    assert len(not_compared()) >= 4
    assert all(what and why for what, why in not_compared())


def test_every_board_has_a_range_below_its_roofline():
    for board in all_boards():
        for name in published_table()["networks"]:
            found = expect(board, load_of(name))
            assert found.fps[0] < found.fps[1] < found.roofline_fps
            assert found.fps[0] <= 1e3 / found.likely_ms <= found.fps[1]


@pytest.mark.parametrize("load, bound", [(Load(1e12, 1e6, 10), "arithmetic"), (Load(1e6, 1e9, 10), "memory"),
                                         (Load(1e6, 1e6, 200), "kernels")], ids=lambda value: str(value)[:10])
def test_what_most_of_the_time_goes_to_is_named(load, bound):
    assert expect(board_named("orin-nx"), load).bound == bound


def test_precisions_have_their_peaks():
    board, load = board_named("orin-nx"), Load(1e12, 1e6, 10)
    fp32, fp16, int8 = (expect(board, load, precision).roofline_ms for precision in ("fp32", "fp16", "int8"))
    assert fp32 == 2 * fp16 == 4 * int8
    with pytest.raises(WholebodyError, match="Jetson TX2 has no INT8 arithmetic"):
        expect(board_named("tx2"), load, "int8")


@pytest.mark.parametrize("fps, said", [(30, "yes"), (34, "perhaps"), (76, "perhaps"), (78, "no")])
def test_the_verdict_knows_both_ends(fps, said):
    assert verdict(Expectation(10.0, 13.0, 30.0, "memory"), fps) == said


def test_a_build_takes_longer_on_a_slower_board():
    load = load_of("openpose-body25 656x368")
    nano, orin = (build_seconds(expect(board_named(name), load), load.kernels) for name in ("nano", "agx-orin"))
    assert 10 < orin[0] < orin[1] < nano[1]
    assert nano[0] < nano[1] < 3600


def test_memory_is_that_of_the_smallest_variant_unless_told():
    assert ram_mb(board_named("tx2")) == 4 * 1024 - 1200
    assert ram_mb(board_named("tx2"), 8) == 8 * 1024 - 1200


def test_accelerators_are_known_for_the_boards_that_have_them():
    assert sorted(dla_table()["boards"]) == sorted(board.name for board in all_boards() if board.dla)
    assert dla_operations(board_named("agx-orin"), "int8") == 52e12
    assert dla_operations(board_named("agx-orin"), "fp16") is None, "not published"
    assert dla_operations(board_named("agx-xavier"), "fp16") == 5e12
    assert dla_operations(board_named("nano"), "int8") is None
    assert dla_operations(board_named("orin-nx"), "fp32") is None


def test_the_range_holds_what_nvidia_published_of_resnet_50():
    low, high = dla_fps(board_named("agx-orin"), 8.2e9, "int8")
    assert low < 2037 < high


def test_frames_are_shared_for_the_most_per_watt_that_is_fast_enough():
    gpu = Expectation(10.0, 12.5, 20.0, "arithmetic")   # 50 to 80 frames/s
    ways = splits(gpu, (20.0, 45.0))
    alone, both, accelerators = ways
    assert (alone.gpu_share, accelerators.gpu_share) == (1.0, 0.0)
    assert 0.6 < both.gpu_share < 0.75
    assert both.fps == (70.0, 125.0)
    assert 1 < both.fps_per_watt[0] < both.fps_per_watt[1] < accelerators.fps_per_watt[1]
    assert best_split(ways, 15) == accelerators
    assert best_split(ways, 60) == both
    assert best_split(ways, 71) is None
