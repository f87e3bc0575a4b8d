"""Times as they are told: percentiles, never a mean, and between what the median lies."""
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_RESAMPLES = 1000
NEIGHBOURS = 3      # blocks drawn together: what disturbs a machine for a while disturbs several in a row


def drawn_medians(blocks: Sequence[float], seed: int, neighbours: int = NEIGHBOURS) -> "npt.NDArray[np.float64]":
    """Medians of the blocks drawn again and again, so many neighbours together (circular block bootstrap)."""
    values = np.asarray(blocks, np.float64)
    random = np.random.RandomState(seed)
    length = max(1, min(neighbours, len(values) // 3))  # longer ones would be nearly the same in every draw
    draws = -(-len(values) // length)
    starts = random.randint(0, len(values), (_RESAMPLES, draws))
    places = (starts[..., None] + np.arange(length)).reshape(_RESAMPLES, -1)[:, :len(values)] % len(values)
    return np.asarray(np.median(values[places], axis=1))


def interval(blocks: Sequence[float]) -> Tuple[float, float]:
    """Between what the median lies, 95 times of 100, told from the blocks' own medians.

    >>> interval([1.0, 2.0, 9.0])
    (1.0, 9.0)
    """
    low, high = np.percentile(drawn_medians(blocks, 0), [2.5, 97.5])
    return float(low), float(high)


def half_width(blocks: Sequence[float]) -> float:
    """Half of that interval as a part of the median; infinite of fewer than three blocks.

    >>> half_width([1.0, 1.0])
    inf
    """
    if len(blocks) < 3:
        return float("inf")
    low, high = interval(blocks)
    return (high - low) / 2 / max(float(np.median(blocks)), 1e-12)


def timing(blocks: Sequence[Sequence[float]]) -> Dict[str, Any]:
    """Of milliseconds, block after block: percentiles of all, and the blocks' medians with the interval they give.

    >>> timing([[1.0, 2.0, 3.0]])["p50"]
    2.0
    """
    kept = [block for block in blocks if len(block)]
    values = np.concatenate([np.asarray(block, np.float64) for block in kept])
    medians = [float(np.median(block)) for block in kept]
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    low, high = interval(medians)
    return {"count": int(len(values)), "p50": _rounded(p50), "p95": _rounded(p95), "p99": _rounded(p99),
            "low": _rounded(low), "high": _rounded(high), "blocks": [_rounded(median) for median in medians]}


def in_blocks(values: Sequence[float], count: int) -> "List[List[float]]":
    """One stretch of values cut into `count` pieces, fewer where there are not as many.

    >>> in_blocks([1, 2, 3, 4, 5], 2)
    [[1, 2, 3], [4, 5]]
    """
    pieces = np.array_split(np.arange(len(values)), max(1, min(count, len(values))))
    return [[values[place] for place in piece] for piece in pieces]


def drift(blocks: Sequence[float]) -> float:
    """How much slower the last third is than the first, as a part; 0 where their blocks overlap.

    >>> drift([1.0] * 3 + [1.1] * 3 + [1.2] * 3)
    0.2
    >>> drift([1.0, 1.3, 1.1, 1.2, 1.0, 1.2])
    0.0
    """
    third = len(blocks) // 3
    if third < 2:
        return 0.0
    first, last = sorted(blocks[:third]), sorted(blocks[-third:])
    if first[-1] >= last[0] and last[-1] >= first[0]:
        return 0.0
    return round(float(np.median(last) / np.median(first)) - 1, 4)


def _rounded(value: Any) -> float:
    return round(float(value), 4)
