"""What is refused before a build, and with which advice."""
import pytest

from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.preflight import (
    affordable,
    available_mb,
    check_memory,
    check_precision,
    choose_workspace,
    memory_need,
)
from wholebody.engines.shapes import InputShape
from wholebody.errors import BuildError
from wholebody.jetson.identity import Board

SHAPE = InputShape("image", "float32", (1, 3, 368, 656), (1, 3, 368, 656), (2, 3, 368, 656))


def board(sm):
    return Board("Jetson", sm, "32.7.1", "10.2")


def test_the_estimate_is_weights_pixels_workspace_and_libraries():
    need = memory_need(100 << 20, [SHAPE], 512, own_kernels=False)
    assert (need.weights_mb, need.activations_mb, need.workspace_mb, need.libraries_mb) == (300, 236, 512, 700)
    assert need.total_mb == 1748
    assert memory_need(100 << 20, [SHAPE], 512, own_kernels=True).total_mb == 1448


def test_too_little_memory_is_answered_with_the_workspace_that_fits():
    need = memory_need(100 << 20, [SHAPE], 1024, own_kernels=False)
    check_memory(need, 3000, [SHAPE])
    check_memory(need, None, [SHAPE])
    with pytest.raises(BuildError, match=r"needs about 2260 MB .*, 2000 MB are free: --workspace 764, close"):
        check_memory(need, 2000, [SHAPE])
    with pytest.raises(BuildError, match="a size smaller than 656x368, add swap") as caught:
        check_memory(need, 900, [SHAPE])
    assert "--workspace" not in str(caught.value)


@pytest.mark.parametrize("spec, available, expected", [
    (BuildSpec(workspace_mb=77), 8000, 77), (BuildSpec(), 8000, 2000), (BuildSpec(), 100, 64),
    (BuildSpec(), 99999, 4096), (BuildSpec(), None, 1024)])
def test_the_workspace_is_the_users_or_a_quarter_of_what_is_free(spec, available, expected):
    assert choose_workspace(spec, available) == expected


def test_free_memory_is_read_from_meminfo(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable:  2048000 kB\n")
    assert available_mb(str(tmp_path)) == 2000
    assert available_mb(str(tmp_path / "proc")) is None


@pytest.mark.parametrize("sm", ["5.3", "6.2"])
def test_int8_on_nano_and_tx2_is_refused_and_fp16_offered(sm):
    with pytest.raises(BuildError, match="has no INT8 arithmetic .*build with --fp16"):
        check_precision(board(sm), BuildSpec("int8"))
    assert check_precision(board(sm), BuildSpec("fp16")) == []


@pytest.mark.parametrize("sm", ["6.1", "7.2", "8.7", "11.0", "unknown"])
def test_int8_is_let_pass_elsewhere(sm):
    assert check_precision(board(sm), BuildSpec("int8")) == []


def test_fp16_without_fast_fp16_is_a_note():
    assert "hardly be faster" in check_precision(board("6.1"), BuildSpec("fp16"))[0]


def test_a_target_elsewhere_is_not_judged_by_this_board():
    assert check_precision(board("6.2"), BuildSpec("int8", target="rtx:8.6")) == []


@pytest.mark.parametrize("available, own_kernels, workspace", [
    (None, False, None), (8000, False, None), (900, False, 190), (720, True, None), (500, True, 90), (200, True, 64)],
    ids=["nobody knows", "plenty", "less workspace", "no cuBLAS", "neither", "next to none"])
def test_a_build_takes_what_memory_affords(available, own_kernels, workspace):
    shapes = [InputShape("image", "float32", (1, 3, 64, 112), (1, 3, 64, 112), (1, 3, 64, 112))]
    fitted = affordable(BuildSpec("fp16"), 2 << 20, shapes, available)
    assert (fitted.own_kernels, fitted.workspace_mb) == (own_kernels, workspace)
    if available and available > 400 + 64 + 10:
        need = memory_need(2 << 20, shapes, choose_workspace(fitted, available), fitted.own_kernels)
        assert need.total_mb <= available


def test_a_workspace_that_was_asked_for_stays():
    shapes = [InputShape("image", "float32", (1, 3, 64, 112), (1, 3, 64, 112), (1, 3, 64, 112))]
    assert affordable(BuildSpec("fp16", workspace_mb=2048), 2 << 20, shapes, 600).workspace_mb == 2048
