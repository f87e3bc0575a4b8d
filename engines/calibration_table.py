"""A calibration table: the largest magnitude of each tensor, for INT8 by builder flags."""
import hashlib
import json
import math
import pathlib
from typing import Dict, NamedTuple

from wholebody.errors import BuildError


class CalibrationTable(NamedTuple):
    """Symmetric ranges: a tensor lies in -largest .. largest."""

    graph_sha256: str           # of the network they were measured on
    ranges: Dict[str, float]    # tensor -> largest magnitude
    sha256: str                 # of the file


def read_table(path: str, graph_sha256: str, model: str) -> CalibrationTable:
    """The table of a JSON file; BuildError when it is of another network or damaged."""
    try:
        data = pathlib.Path(path).read_bytes()
        loaded = json.loads(data.decode("utf-8"))
        table = CalibrationTable(str(loaded["graph_sha256"]),
                                 {str(name): float(largest) for name, largest in loaded["ranges"].items()},
                                 hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise BuildError("cannot read calibration table %s: %s" % (path, error.strerror or error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError("%s is no calibration table: expected JSON with graph_sha256 and ranges: %s" % (path, error))
    if table.graph_sha256 != graph_sha256:
        raise BuildError("%s was measured on another network than %s (graph %s..., not %s...): calibrate this one"
                         % (path, model, table.graph_sha256[:12], graph_sha256[:12]))
    bad = sorted(name for name, largest in table.ranges.items() if not 0 < largest < math.inf)
    if bad or not table.ranges:
        raise BuildError("%s has %s: calibrate again" % (path, "no range" if not table.ranges else
                                                         "a range that is not positive for %s" % bad[0]))
    return table
