"""Every board as a whole: device tree, release, sysfs and programs as it has them, all of it read; then garbage of it.

The samples are written after the published forms of each release's files; no board has been asked for them.
"""
import json
import math
import os
import pathlib
import random
import stat

import pytest

from wholebody.jetson.boards import all_boards, board_here, board_of, jetpack_of
from wholebody.jetson.doctor_board import check_board, check_heat, check_memory, check_power
from wholebody.jetson.identity import Board, read_board
from wholebody.jetson.power import PowerMode, parse_clocks, parse_mode, read_clocks, read_mode, read_modes
from wholebody.jetson.tegrastats import parse_tegrastats
from wholebody.jetson.telemetry import read_sample, read_temperatures, read_throttling

HERE = pathlib.Path(__file__).parent / "samples"
SAMPLES = json.loads((HERE / "boards.json").read_text(encoding="utf-8"))
LINES = json.loads((HERE / "tegrastats.json").read_text(encoding="utf-8"))
NAMES = [sample["board"] for sample in SAMPLES]
WANTED = {"nano", "tx2", "xavier-nx", "agx-xavier", "orin-nano", "orin-nx", "agx-orin", "thor"}


def lay_out(root, files):
    """The files of a board below a root folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(root)


@pytest.fixture(params=SAMPLES, ids=NAMES)
def sample(request):
    return request.param


@pytest.fixture
def root(sample, tmp_path, monkeypatch):
    """The board's files, and its two programs on PATH."""
    for name in ("nvpmodel", "jetson_clocks"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / (name + ".txt")).write_text(sample[name])
        program = tmp_path / "bin" / name
        program.write_text('#!/bin/sh\n# A fake %s.\ncase "$1" in -q|--show) cat "%s/%s.txt";; *) exit 1;; esac\n'
                           % (name, tmp_path, name))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", "%s%s%s" % (tmp_path / "bin", os.pathsep, os.environ["PATH"]))
    return lay_out(tmp_path / "root", sample["files"])


def test_there_is_a_sample_of_every_board():
    assert set(NAMES) == WANTED
    assert {line["board"] for line in LINES} == WANTED
    assert {board.name for board in all_boards()} - {"orin-nano-super"} == WANTED


def test_the_board_is_named_with_its_release(sample, root):
    board, facts = read_board(root), board_here(root)
    assert facts is not None
    assert (facts.name, facts.sm) == (sample["board"], board.sm)
    assert (board.l4t, board.cuda) == (sample["says"]["l4t"], sample["says"]["cuda"])
    assert jetpack_of(board.l4t).jetpack == sample["says"]["jetpack"]
    found = check_board(board, root)
    assert (found.state, found.found.startswith(facts.title)) == ("ok", True)


def test_its_sensors_are_read_to_the_last_field(sample, root):
    read, says = read_sample(root), sample["says"]
    assert (read.gpu_load, read.gpu_mhz, read.hottest_c) == (says["gpu_load"], says["gpu_mhz"], says["hottest_c"])
    assert read.total_mw == pytest.approx(says["total_mw"])
    assert len(read.cores) == says["cores"]
    assert sum(core.mhz is None for core in read.cores) == sum(name.endswith("/online") for name in sample["files"])
    assert 0 < read.ram_used_mb < read.ram_total_mb
    assert 0 <= read.swap_used_mb <= read.swap_total_mb
    zones = [name for name in sample["files"] if "thermal_zone" in name and name.endswith("temp")]
    off = [name for name in zones if sample["files"][name].startswith("-256")]
    pmic = [name for name in sample["files"] if sample["files"][name].startswith("PMIC")]
    assert len(read_temperatures(root)) == len(zones) - len(off) - len(pmic)


def test_what_slows_it_down_is_told(sample, root):
    state = read_throttling(root)
    assert sorted(name for name, level in state.cooling.items() if level) == sorted(sample["says"]["throttled"])
    assert state.overcurrent == sample["says"].get("overcurrent", {})
    assert ("slowed down" in check_heat(root).found) == bool(sample["says"]["throttled"])


def test_modes_and_clocks_are_those_its_programs_say(sample, root):
    says = sample["says"]
    assert read_mode() == PowerMode(*says["mode"])
    assert read_modes(root) == [PowerMode(*mode) for mode in says["modes"]]
    clocks = read_clocks()
    assert {name: clocks[name] for name in says["clocks"]} == says["clocks"]
    assert check_power(True, root).state == ("ok" if says["mode"][1].startswith("MAXN") else "look")


def spoilt(data, chance):
    """A text cut short, with bytes changed, doubled, or something else altogether."""
    data = bytearray(data.encode() if isinstance(data, str) else data)
    way = chance.randrange(5)
    if way == 0:
        return bytes(data[:chance.randrange(len(data) + 1)])
    if way == 1:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(80)))
    if way == 2:
        return bytes(data * chance.randrange(2, 4))
    if way == 3:
        return chance.choice((b"", b"\0", b"\xff\xfe" * 30, b"nan", b"-inf", b"9" * 4000, b"{}", b"[]", b"\n" * 50,
                              b"1e999", b"0x7f", b"\xf0\x9f\x92\xa9"))
    for _ in range(chance.randrange(1, 12)):
        if data:
            data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def sane(value):
    """Whether it is a number one may reckon with, or none."""
    return value is None or (math.isfinite(value) and value >= 0)


@pytest.mark.parametrize("seed", range(6))
def test_a_board_full_of_garbage_is_survived(tmp_path, seed):
    chance = random.Random(seed)
    for turn in range(10):
        sample = chance.choice(SAMPLES)
        files = {name: spoilt(data, chance) if chance.random() < 0.5 else data for name, data in sample["files"].items()
                 if chance.random() < 0.95}
        root = lay_out(tmp_path / str(turn), files)
        board, read = read_board(root), read_sample(root)
        assert isinstance(board, Board)
        assert all(isinstance(part, str) and part for part in board)
        board_here(root)
        for value in (read.ram_total_mb, read.swap_total_mb, read.gpu_mhz):
            assert sane(value)
        assert all(-40 <= degrees <= 150 for degrees in read.temperatures_c.values())
        assert all(core.mhz is None or math.isfinite(core.mhz) for core in read.cores)
        state = read_throttling(root)
        assert state.since(state) == []
        assert all(finding.state in ("ok", "look", "mend") for finding in
                   [check_board(board, root), check_heat(root)] + check_memory(root))
        assert all(isinstance(mode, PowerMode) for mode in read_modes(root))


@pytest.mark.parametrize("what", ["nvpmodel", "jetson_clocks", "tegrastats", "device tree", "release"])
def test_garbage_of_each_kind_is_survived(what):
    chance = random.Random(what)
    for _ in range(1500):
        sample = chance.choice(SAMPLES)
        if what == "nvpmodel":
            mode = parse_mode(spoilt(sample[what], chance).decode("utf-8", "replace"))
            assert mode is None or (mode.name and mode.id >= 0)
        elif what == "jetson_clocks":
            clocks = parse_clocks(spoilt(sample[what], chance).decode("utf-8", "replace"))
            assert all(sane(mhz) for mhz in clocks.values())
        elif what == "tegrastats":
            read = parse_tegrastats(spoilt(chance.choice(LINES)["line"], chance).decode("utf-8", "replace"))
            assert sane(read.gpu_load)
            assert sane(read.total_mw)
            assert all(sane(core.mhz) for core in read.cores)
        elif what == "device tree":
            model, compatible = (spoilt(sample["files"]["proc/device-tree/" + name], chance).decode("utf-8", "replace")
                                 for name in ("model", "compatible"))
            found = board_of(model, compatible)
            assert found is None or found in all_boards()
        else:
            jetpack_of(spoilt(sample["says"]["l4t"], chance).decode("utf-8", "replace"))


def test_files_that_are_folders_or_may_not_be_read_are_survived(tmp_path):
    sample = SAMPLES[NAMES.index("orin-nx")]
    root = tmp_path / "root"
    for name in sample["files"]:
        (root / name).mkdir(parents=True)
    assert read_board(str(root)) == Board()
    assert read_sample(str(root)).hottest_c is None
    assert read_throttling(str(root)).cooling == {}
    assert read_modes(str(root)) == []


@pytest.mark.parametrize("text", [
    "#!/bin/sh\nkill -9 $$\n", "#!/bin/sh\nprintf '\\377\\376'\n", "#!/bin/sh\nexit 255\n", "not a program",
    "#!/no/such/interpreter\n"], ids=["killed", "bytes", "refuses", "no program", "no interpreter"])
def test_programs_that_break_say_nothing(tmp_path, monkeypatch, text):
    for name in ("nvpmodel", "jetson_clocks"):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", "%s%s/usr/bin%s/bin" % (tmp_path, os.pathsep, os.pathsep))
    assert read_mode() is None
    assert read_clocks() == {}
