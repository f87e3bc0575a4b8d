"""Which row goes with which column: the pairs whose values sum to the most."""
from typing import TYPE_CHECKING, List, Tuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def best_pairs(values: "npt.NDArray[np.float32]", least: float) -> List[Tuple[int, int]]:
    """Pairs (row, column) of values of at least `least`, each row and column once; their sum is the largest there is.

    A pair that competes with no other is taken at once; what is left goes through the Hungarian method.

    >>> best_pairs(np.array([[0.9, 0.8], [0.8, 0.1]], np.float32), 0.3)
    [(0, 1), (1, 0)]
    """
    allowed = values >= least
    alone = allowed & (allowed.sum(axis=1) == 1)[:, None] & (allowed.sum(axis=0) == 1)[None]
    pairs = [(int(row), int(column)) for row, column in zip(*np.nonzero(alone))]
    rows = np.nonzero(allowed.any(axis=1) & ~alone.any(axis=1))[0]
    columns = np.nonzero(allowed.any(axis=0) & ~alone.any(axis=0))[0]
    if len(rows) and len(columns):
        # What is not allowed is worth nothing, and is left out of the answer.
        worth = np.where(allowed, values, 0)[np.ix_(rows, columns)].astype(np.float64)
        for row, column in _hungarian(-worth):
            if allowed[rows[row], columns[column]]:
                pairs.append((int(rows[row]), int(columns[column])))
    return sorted(pairs)


def _hungarian(cost: "npt.NDArray[np.float64]") -> List[Tuple[int, int]]:
    """The assignment of least cost by shortest augmenting paths (Kuhn 1955, Munkres 1957; with potentials)."""
    if cost.shape[0] > cost.shape[1]:
        return [(row, column) for column, row in _hungarian(cost.T)]
    count, wide = cost.shape
    of_row, of_column = np.zeros(count + 1), np.zeros(wide + 1)  # potentials; column 0 is where a path begins
    row_of = np.zeros(wide + 1, np.int64)                        # 0 is none; rows count from 1
    for row in range(1, count + 1):
        row_of[0], at = row, 0
        shortest, came_from = np.full(wide + 1, np.inf), np.zeros(wide + 1, np.int64)
        used = np.zeros(wide + 1, bool)
        while row_of[at]:
            used[at] = True
            here = row_of[at]
            reduced = cost[here - 1] - of_row[here] - of_column[1:]
            better = ~used[1:] & (reduced < shortest[1:])
            shortest[1:][better], came_from[1:][better] = reduced[better], at
            following = 1 + int(np.argmin(np.where(used[1:], np.inf, shortest[1:])))
            step = shortest[following]
            of_row[row_of[used]] += step
            of_column[used] -= step
            shortest[~used] -= step
            at = following
        while at:
            before = came_from[at]
            row_of[at] = row_of[before]
            at = before
    return [(int(row_of[column]) - 1, column - 1) for column in range(1, wide + 1) if row_of[column]]
