"""The best pairs, against every assignment there is."""
import itertools

import numpy as np
import pytest

from wholebody.runtime.tracking.assignment import _hungarian, best_pairs


def best_by_trying(values, least):
    """The largest sum over pairs that are allowed, by trying all."""
    rows, columns = values.shape
    best = 0.0
    wide = np.full((rows, rows + columns), -1.0)  # a row may go with nobody
    wide[:, :columns] = values
    for chosen in itertools.permutations(range(rows + columns), rows):
        total = sum(wide[row, column] for row, column in enumerate(chosen)
                    if column < columns and wide[row, column] >= least)
        best = max(best, total)
    return best


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (1, 4), (2, 2), (3, 2), (3, 4), (4, 3)])
def test_pairs_have_the_largest_sum_there_is(shape):
    for seed in range(60):
        drawn = np.random.RandomState(seed)
        values = drawn.uniform(-0.2, 1, shape).astype(np.float32)
        if seed % 3 == 0:
            values = np.round(values, 1)  # ties
        pairs = best_pairs(values, 0.3)
        assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
        assert all(values[pair] >= 0.3 for pair in pairs)
        assert sum(values[pair] for pair in pairs) == pytest.approx(best_by_trying(values, 0.3), abs=1e-5)


def test_many_people_cost_what_scipy_says():
    optimize = pytest.importorskip("scipy.optimize", reason="a second opinion: pip install scipy")
    for seed, shape in enumerate([(50, 50), (30, 60), (60, 30), (1, 80)]):
        cost = np.random.RandomState(seed).uniform(0, 1, shape)
        rows, columns = optimize.linear_sum_assignment(cost)
        assert sum(cost[pair] for pair in _hungarian(cost)) == pytest.approx(cost[rows, columns].sum())


def test_values_that_are_no_numbers_are_paired_with_nobody():
    assert best_pairs(np.array([[np.nan, 0.5], [0.4, np.nan]], np.float32), 0.3) == [(0, 1), (1, 0)]
