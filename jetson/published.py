"""Published figures beside what is expected: the test of the rooflines, and the answer to 'is my board slow?'."""
import json
import pathlib
from typing import Any, Dict, List, NamedTuple, Tuple

from wholebody.jetson.boards import board_named
from wholebody.jetson.roofline import Expectation, Load, expect

_TABLE = pathlib.Path(__file__).parent / "tables" / "published.json"


class Figure(NamedTuple):
    """A figure that somebody published, and what we expect there."""

    network: str
    size: str                   # WxH
    board: str
    precision: str
    fps: float
    who: str
    why_outside: str            # why it need not lie in the range; "" where it must
    expected: Expectation

    @property
    def inside(self) -> bool:
        """Whether it lies in the expected range."""
        low, high = self.expected.fps
        return low <= self.fps <= high


def published_table() -> Dict[str, Any]:
    """tables/published.json."""
    table: Dict[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table


def load_of(network: str) -> Load:
    """The cost of a network of the table, by its name and size."""
    row = published_table()["networks"][network]
    return Load(1e9 * row["gflop"], 1e6 * row["moved_millions"], row["kernels"])


def figures() -> List[Figure]:
    """Every figure of a network whose cost is known, on a board of the table."""
    rows = []
    for row in published_table()["figures"]:
        expected = expect(board_named(row["board"]), load_of(row["network"]), row["precision"])
        name, size = row["network"].rsplit(" ", 1)
        fps = float(row["fps"]) if "fps" in row else 1e3 / float(row["ms"])
        rows.append(Figure(name, size, row["board"], row["precision"], fps, row["who"], row.get("why_outside", ""),
                           expected))
    return rows


def not_compared() -> List[Tuple[str, str]]:
    """Figures with nothing to hold them against, and why."""
    return [(str(row["what"]), str(row["why"])) for row in published_table()["not_compared"]]
