"""Power modes (nvpmodel) and fixed clocks (jetson_clocks): read, set, and put back as they were."""
import contextlib
import pathlib
import re
import subprocess
import tempfile
from typing import Dict, Iterator, List, NamedTuple, Optional

from wholebody.errors import WholebodyError

CONFIGURATION = "etc/nvpmodel.conf"
_SECONDS = 30


class PowerMode(NamedTuple):
    """One of nvpmodel's modes."""

    id: int
    name: str

    def __str__(self) -> str:
        return "%s (%d)" % (self.name, self.id)


def read_mode() -> Optional[PowerMode]:
    """The mode the board is in; None where there is no nvpmodel or it does not say."""
    return parse_mode(_output(["nvpmodel", "-q"]))


def parse_mode(text: str) -> Optional[PowerMode]:
    """From what `nvpmodel -q` prints: a line with the name, then one with the id.

    >>> parse_mode("NV Fan Mode:quiet\\nNV Power Mode: MAXN\\n0\\n")
    PowerMode(id=0, name='MAXN')
    """
    found = re.search(r"NV Power Mode: *([^\s]+)\s+(\d{1,4})\b", text)
    return PowerMode(int(found.group(2)), found.group(1)) if found else None


def read_modes(root: str = "/") -> List[PowerMode]:
    """Every mode the board has, from nvpmodel's own file."""
    try:
        text = (pathlib.Path(root) / CONFIGURATION).read_bytes().decode("utf-8", "replace")
    except OSError:
        return []
    found = re.findall(r"<\s*POWER_MODEL\s+ID=(\d{1,4})\s+NAME=(\S+?)\s*>", text)
    return sorted({PowerMode(int(number), name) for number, name in found})


def mode_named(wanted: str, modes: List[PowerMode]) -> PowerMode:
    """The mode a user asks for, by id or name.

    >>> mode_named("15w", [PowerMode(0, "MAXN"), PowerMode(2, "15W")]).id
    2
    """
    for mode in modes:
        if wanted.strip().upper() in (str(mode.id), mode.name.upper(), "MODE_" + mode.name.upper()):
            return mode
    raise WholebodyError("this board has no power mode %r; it has: %s"
                         % (wanted, ", ".join(str(mode) for mode in modes) or "none that can be read"))


@contextlib.contextmanager
def power_mode(wanted: str, root: str = "/") -> Iterator[PowerMode]:
    """In this mode for as long as the block runs, then back in the one before."""
    before, mode = read_mode(), mode_named(wanted, read_modes(root))
    if before is None:
        raise WholebodyError("nvpmodel does not say which power mode this is, so it could not be put back; "
                             "try: sudo nvpmodel -q")
    if mode.id == before.id:
        yield mode
        return
    _set(mode)
    try:
        yield mode
    finally:
        _set(before)


def _set(mode: PowerMode) -> None:
    _run(["nvpmodel", "-m", str(mode.id)])
    now = read_mode()
    if now is None or now.id != mode.id:
        raise WholebodyError("nvpmodel took mode %s but is in %s; it may want a restart: sudo nvpmodel -m %d"
                             % (mode, now, mode.id))


@contextlib.contextmanager
def fixed_clocks() -> Iterator[None]:
    """At the mode's highest clocks for as long as the block runs; jetson_clocks keeps what was and puts it back."""
    with tempfile.TemporaryDirectory() as folder:
        kept = str(pathlib.Path(folder) / "clocks")
        _run(["jetson_clocks", "--store", kept])
        try:
            _run(["jetson_clocks"])
            yield
        finally:
            _run(["jetson_clocks", "--restore", kept])


def read_clocks() -> Dict[str, float]:
    """MHz by clock as `jetson_clocks --show` prints them (root only); empty where it prints none."""
    return parse_clocks(_output(["jetson_clocks", "--show"]))


def parse_clocks(text: str) -> Dict[str, float]:
    """From jetson_clocks' lines, such as `GPU MinFreq=318750000 MaxFreq=1377000000 CurrentFreq=318750000`.

    >>> parse_clocks("GPU MinFreq=306000000 MaxFreq=918000000 CurrentFreq=306000000")
    {'GPU': 306.0}
    """
    clocks = {}
    for line in text.splitlines():
        found = re.match(r"\s*(\w+?):? .*?CurrentFreq=(\d{1,12})\b", line)
        if found:  # CPUs in kHz, all others in Hz
            clocks[found.group(1)] = int(found.group(2)) / (1e3 if found.group(1).startswith("cpu") else 1e6)
    return clocks


def _run(command: List[str]) -> str:
    """Runs a board's own program; what it complains of is one line."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=_SECONDS, check=False)
    except FileNotFoundError:
        raise WholebodyError("there is no %s here: is this a Jetson?" % command[0])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WholebodyError("%s: %s" % (" ".join(command), error))
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise WholebodyError("%s: %s; as root: sudo %s" % (
            " ".join(command), " ".join(said.split())[:200] or "exit status %d" % done.returncode, " ".join(command)))
    return said


def _output(command: List[str]) -> str:
    """What a program prints; nothing where it is not there or refuses."""
    try:
        return _run(command)
    except WholebodyError:
        return ""
