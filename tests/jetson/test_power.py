"""nvpmodel and jetson_clocks as fake programs on PATH: modes are read, set, and put back whatever happens."""
import os
import stat

import pytest

from wholebody.errors import WholebodyError
from wholebody.jetson.power import (
    PowerMode,
    fixed_clocks,
    mode_named,
    parse_clocks,
    parse_mode,
    power_mode,
    read_clocks,
    read_mode,
    read_modes,
)

CONF = """
# POWER_MODEL DEFINITIONS
< POWER_MODEL ID=0 NAME=MAXN >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=MODE_10W >
< POWER_MODEL ID=2 NAME=15W >
< PM_CONFIG DEFAULT=2 >
"""
NVPMODEL = """#!/bin/sh
# A fake nvpmodel: keeps its mode in a file.
state="%(folder)s/mode"
case "$1" in
  -q) id=$(cat "$state"); echo "NV Fan Mode:quiet"
      name=$(sed -n "s/.*ID=$id NAME=\\([^ ]*\\).*/\\1/p" "%(folder)s/etc/nvpmodel.conf")
      echo "NV Power Mode: $name"; echo "$id";;
  -m) [ -e "%(folder)s/root" ] || { echo "NVPM ERROR: must be root"; exit 1; }
      [ -e "%(folder)s/deaf" ] || echo "$2" > "$state"; echo "set $2" >> "%(folder)s/log";;
esac
"""
CLOCKS = """#!/bin/sh
echo "$@" >> "%(folder)s/log"
[ "$1" = --show ] && echo "cpu0: Online=1 Governor=schedutil MinFreq=115200 CurrentFreq=1036800 IdleStates: WFI=1
GPU MinFreq=306000000 MaxFreq=918000000 CurrentFreq=612000000
EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=2133000000 FreqOverride=0"
exit 0
"""


@pytest.fixture
def board(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nvpmodel.conf").write_text(CONF)
    (tmp_path / "mode").write_text("2")
    (tmp_path / "root").write_text("")
    (tmp_path / "log").write_text("")
    for name, text in (("nvpmodel", NVPMODEL), ("jetson_clocks", CLOCKS)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text % {"folder": tmp_path})
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", "%s%s%s" % (tmp_path / "bin", os.pathsep, os.environ["PATH"]))
    return tmp_path


def log(board):
    return (board / "log").read_text().splitlines()


def test_the_mode_and_all_modes_are_read(board):
    assert read_mode() == PowerMode(2, "15W")
    assert read_modes(str(board)) == [PowerMode(0, "MAXN"), PowerMode(1, "MODE_10W"), PowerMode(2, "15W")]


@pytest.mark.parametrize("wanted, number", [("MAXN", 0), ("maxn", 0), ("0", 0), ("15w", 2), ("MODE_10W", 1)])
def test_a_mode_is_asked_for_by_name_or_number(board, wanted, number):
    with power_mode(wanted, str(board)) as mode:
        assert mode.id == number
        assert read_mode().id == number
    assert read_mode().id == 2
    assert log(board) == ([] if number == 2 else ["set %d" % number, "set 2"])


def test_the_mode_before_comes_back_after_an_error(board):
    with pytest.raises(ZeroDivisionError), power_mode("MAXN", str(board)):
        raise ZeroDivisionError
    assert read_mode().id == 2


def test_without_root_the_error_names_the_command(board):
    (board / "root").unlink()
    with pytest.raises(WholebodyError, match="nvpmodel -m 0: NVPM ERROR: must be root; as root: sudo nvpmodel -m 0"):
        with power_mode("MAXN", str(board)):
            pass


def test_a_mode_that_wants_a_restart_is_said(board):
    (board / "deaf").write_text("")
    with pytest.raises(WholebodyError, match=r"took mode MAXN \(0\) but is in 15W \(2\); it may want a restart"):
        with power_mode("MAXN", str(board)):
            pass


def test_a_mode_that_is_not_there_lists_those_that_are():
    with pytest.raises(WholebodyError, match=r"no power mode '30W'; it has: MAXN \(0\)"):
        mode_named("30W", [PowerMode(0, "MAXN")])


def test_clocks_are_fixed_and_restored(board):
    with fixed_clocks():
        pass
    said = log(board)
    assert [line.split()[0] if line else "" for line in said] == ["--store", "", "--restore"]
    assert said[0].split()[1] == said[2].split()[1]


def test_clocks_are_read_in_mhz(board):
    assert read_clocks() == {"cpu0": 1036.8, "GPU": 612.0, "EMC": 2133.0}


@pytest.mark.parametrize("text", ["", "\0\xff", "NV Power Mode:", "NV Power Mode: MAXN\nnone",
                                  "GPU CurrentFreq=" + "9" * 99])
def test_garbage_is_no_mode_and_no_clock(text):
    assert parse_mode(text) is None
    assert parse_clocks(text) == {}


def test_a_machine_without_the_programs_has_no_mode(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_mode() is None
    assert read_clocks() == {}
    assert read_modes(str(tmp_path)) == []
    with pytest.raises(WholebodyError, match="there is no jetson_clocks here: is this a Jetson"):
        with fixed_clocks():
            pass
