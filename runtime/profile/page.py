"""A profile as one page of HTML: no request leaves it, its charts tell their numbers, and it prints."""
import json
import pathlib
from typing import Any, Dict, Sequence

from wholebody.runtime.profile.comparing import Change
from wholebody.runtime.profile.history import Trend, trend_points, trend_table
from wholebody.runtime.profile.tables import layer_tables, sweep_table
from wholebody.runtime.profile.words import lines_of, rows_of

_ALL = 10 ** 6
_PAGE = pathlib.Path(__file__).parent / "page.html"


def page(told: Dict[str, Any], changes: Sequence[Change] = (), trends: Sequence[Trend] = ()) -> str:
    """The whole file."""
    history = [dict(trend_table(trend)._asdict(), points=trend_points(trend)) for trend in trends]
    data = json.dumps({"told": told, "rows": [[cell.strip() for cell in row] for row in rows_of(told)],
                       "lines": lines_of(told),
                       "layers": [table._asdict() for table in layer_tables(told, _ALL)],
                       "sweep": [table._asdict() for table in sweep_table(told)],
                       "changes": [change._asdict() for change in changes], "history": history})
    # Inside a script element "<" could end it; as an escape it is the same JSON.
    return _PAGE.read_text(encoding="utf-8").replace("@@DATA@@", data.replace("<", "\\u003c"))
