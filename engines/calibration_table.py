"""A calibration table: what INT8 needs to know of one network, one preprocessing and one set of pictures, as JSON.

The same table serves builder flags (`set_dynamic_range`) and graphs (Q/DQ nodes). `graph_sha256` and `ranges` are all
that it must have; `wb-export calibrate` writes the rest.
"""
import hashlib
import json
import math
import pathlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from wholebody.card import ModelCard
from wholebody.errors import BuildError

TABLE_VERSION = 1


class CalibrationTable(NamedTuple):
    """Symmetric ranges: a tensor lies in -largest .. largest."""

    graph_sha256: str                             # of the network they were measured on
    ranges: Dict[str, float]                      # tensor -> largest magnitude
    sha256: str = ""                              # of the file
    preprocessing: Optional[Dict[str, Any]] = None  # how pictures became inputs; None where nobody noted it
    pictures: Optional[Dict[str, Any]] = None     # how many, their hash, and what was found in them
    method: str = ""                              # which of `statistics` the ranges are
    statistics: Dict[str, Dict[str, float]] = {}  # method -> tensor -> largest magnitude
    channels: Dict[str, List[float]] = {}         # weights -> largest magnitude in each output channel
    keep: Tuple[str, ...] = ()                    # nodes that do not compute in INT8


def preprocessing_of(card: ModelCard) -> Dict[str, Any]:
    """What a card says of its input, as JSON has it."""
    loaded: Dict[str, Any] = json.loads(json.dumps(card.input._asdict()))
    return loaded


def table_to_json(table: CalibrationTable) -> str:
    """The text of the file: the same for the same table."""
    data = dict(table._asdict(), wholebody_calibration=TABLE_VERSION)
    del data["sha256"]
    return json.dumps(data, indent=1, sort_keys=True) + "\n"


def read_table(path: str, graph_sha256: str, model: str, card: Optional[ModelCard] = None) -> CalibrationTable:
    """The table of a JSON file; BuildError when it is of another network or preprocessing, or damaged."""
    try:
        data = pathlib.Path(path).read_bytes()
        table = _table(json.loads(data.decode("utf-8")), hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise BuildError("cannot read calibration table %s: %s" % (path, error.strerror or error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError("%s is no calibration table: expected JSON with graph_sha256 and ranges: %s" % (path, error))
    if table.graph_sha256 != graph_sha256:
        raise BuildError("%s was measured on another network than %s (graph %s..., not %s...): calibrate this one"
                         % (path, model, table.graph_sha256[:12], graph_sha256[:12]))
    _check_preprocessing(table, path, model, card)
    bad = sorted(name for name, largest in table.ranges.items() if not 0 < largest < math.inf)
    if bad or not table.ranges:
        raise BuildError("%s has %s: calibrate again" % (path, "no range" if not table.ranges else
                                                         "a range that is not positive for %s" % bad[0]))
    return table


def _table(loaded: Any, sha256: str) -> CalibrationTable:
    version = loaded.get("wholebody_calibration", TABLE_VERSION)
    if version != TABLE_VERSION:
        raise ValueError("it is of version %r, expected %d" % (version, TABLE_VERSION))
    return CalibrationTable(
        str(loaded["graph_sha256"]), _numbers(loaded["ranges"]), sha256, loaded.get("preprocessing"),
        loaded.get("pictures"), str(loaded.get("method", "")),
        {method: _numbers(ranges) for method, ranges in loaded.get("statistics", {}).items()},
        {name: [float(value) for value in values] for name, values in loaded.get("channels", {}).items()},
        tuple(str(name) for name in loaded.get("keep", ())))


def _numbers(loaded: Any) -> Dict[str, float]:
    return {str(name): float(largest) for name, largest in loaded.items()}


def _check_preprocessing(table: CalibrationTable, path: str, model: str, card: Optional[ModelCard]) -> None:
    if card is None or table.preprocessing is None:
        return
    now, then = preprocessing_of(card), table.preprocessing
    for name, value in now.items():
        if then.get(name) != value:
            raise BuildError("%s was measured with another preprocessing than the card of %s says (%s %s, not %s): "
                             "calibrate again" % (path, model, name, then.get(name), value))
