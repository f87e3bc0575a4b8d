"""What is known of each Jetson: arithmetic, memory, accelerators, power modes; and which one this is."""
import difflib
import json
import pathlib
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from wholebody.errors import WholebodyError

_TABLES = pathlib.Path(__file__).parent / "tables"


class BoardFacts(NamedTuple):
    """One row of tables/boards.json."""

    name: str                     # as users type it: orin-nx
    title: str
    chip: str                     # device tree's: tegra234
    parts: Tuple[str, ...]        # part numbers in the device tree's `compatible`
    words: Tuple[str, ...]        # of the device tree's `model`
    sm: str
    dla: int
    memory_gb: Tuple[int, ...]
    fp16_tflops: float            # dense
    int8_tops: Optional[float]    # None: INT8 is no faster than FP16
    gb_per_s: float
    modes: Tuple[str, ...]


def all_boards() -> List[BoardFacts]:
    """Every board of the table."""
    return [_row(row) for row in _table("boards")]


def board_named(name: str) -> BoardFacts:
    """The board a user names.

    >>> board_named("Orin-NX").int8_tops
    30.0
    """
    known = {board.name: board for board in all_boards()}
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, 1)
        raise WholebodyError("unknown board %r%s; known: %s"
                             % (name, "; did you mean %s?" % close[0] if close else "", ", ".join(known)))
    return known[wanted]


def board_of(model: str, compatible: str) -> Optional[BoardFacts]:
    """The board of a device tree; None when the table has none that fits.

    `Super` in the model tells an Orin Nano that runs at its higher clocks; then part numbers, then words, then the chip
    when only one board has it.

    >>> board_of("NVIDIA Orin NX Developer Kit", "nvidia,p3768-0000+p3767-0000 nvidia,tegra234").name
    'orin-nx'
    """
    chips = set(re.findall(r"tegra\d+", compatible))
    boards = [board for board in all_boards() if not chips or board.chip in chips]
    said = sorted(((len(word), board.name, board) for board in boards for word in board.words
                   if word.lower() in model.lower()), reverse=True)
    if said and not said[0][2].parts:
        return said[0][2]
    for board in boards:
        if any(part in compatible for part in board.parts):
            return board
    if said:
        return said[0][2]
    return boards[0] if chips and len(boards) == 1 else None


def board_here(root: str = "/") -> Optional[BoardFacts]:
    """The board that this runs on; None where it is none of the table."""
    return board_of(_said(root, "model"), _said(root, "compatible"))


def _said(root: str, name: str) -> str:
    try:
        return (pathlib.Path(root) / "proc/device-tree" / name).read_bytes().decode("utf-8", "replace").strip("\0 \n")
    except OSError:
        return ""


class JetPack(NamedTuple):
    """One row of tables/jetpacks.json."""

    l4t: str
    jetpack: str
    tensorrt: Optional[str]
    cuda: Optional[str]
    python: Optional[str]
    opencv: Optional[str]


def jetpack_of(l4t: str) -> Optional[JetPack]:
    """The JetPack that an L4T release came with, by the longest number that fits.

    >>> jetpack_of("35.4.1").jetpack
    '5.1.2'
    """
    fitting = [row for row in _table("jetpacks") if l4t == row["l4t"] or l4t.startswith(row["l4t"] + ".")]
    return JetPack(**max(fitting, key=lambda row: len(row["l4t"]))) if fitting else None


def _row(row: Dict[str, Any]) -> BoardFacts:
    facts: Dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return BoardFacts(**facts)


def _table(name: str) -> List[Dict[str, Any]]:
    rows: List[Dict[str, Any]] = json.loads((_TABLES / (name + ".json")).read_text(encoding="utf-8"))[name]
    return rows
