"""Levenberg-Marquardt for many points at once: where a point is, so that every camera sees it where it saw it."""
from typing import TYPE_CHECKING, Tuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

HUBER = 2.0          # pixels: an error beyond counts by its length, no longer by its square
_ROUNDS = 30
_LEAST_GAIN = 1e-6   # of the cost, relative: less ends the search for a point
_DAMPING, _FIRMER, _LOOSER = 1e-3, 10.0, 0.2


def refine(points: "npt.NDArray[np.float64]", pixels: "npt.NDArray[np.float64]", used: "npt.NDArray[np.bool_]",
           projections: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """Points (P, 3) moved to the least Huber cost of their pixels (P, V, 2), where used (P, V).

    A point is never moved to where its cost is greater.
    """
    best, damping = points.copy(), np.full(len(points), _DAMPING)
    left, jacobian = _residuals(best, pixels, used, projections)
    cost = _cost(left)
    going = np.isfinite(cost)
    for _ in range(_ROUNDS):
        if not going.any():
            break
        some = np.nonzero(going)[0]
        moved = best[some] + _step(left[some], jacobian[some], damping[some])
        new_left, new_jacobian = _residuals(moved, pixels[some], used[some], projections)
        new_cost = _cost(new_left)
        better = new_cost < cost[some]
        gain = np.where(better, (cost[some] - new_cost) / np.maximum(cost[some], 1e-12), 1.0)
        taken = some[better]
        best[taken], cost[taken] = moved[better], new_cost[better]
        left[taken], jacobian[taken] = new_left[better], new_jacobian[better]
        damping[some] = np.clip(damping[some] * np.where(better, _LOOSER, _FIRMER), 1e-12, 1e12)
        going[some] = (gain > _LEAST_GAIN) & (damping[some] < 1e9)
    return np.asarray(best)


def _step(left: "npt.NDArray[np.float64]", jacobian: "npt.NDArray[np.float64]",
          damping: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """What to add (P, 3)."""
    length = np.sqrt((left ** 2).sum(axis=2))
    weight = np.minimum(1.0, HUBER / np.maximum(length, 1e-12))[..., None]
    normal = np.einsum("pvci,pvcj->pij", jacobian * weight[..., None], jacobian)
    slope = np.einsum("pvci,pvc->pi", jacobian, weight * left)
    diagonal = np.maximum(np.einsum("pii->pi", normal), 1e-9)
    normal[:, [0, 1, 2], [0, 1, 2]] += damping[:, None] * diagonal
    return np.asarray(np.linalg.solve(normal, -slope[..., None])[..., 0])


def _residuals(points: "npt.NDArray[np.float64]", pixels: "npt.NDArray[np.float64]", used: "npt.NDArray[np.bool_]",
               projections: "npt.NDArray[np.float64]"
               ) -> "Tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]":
    """Seen minus measured (P, V, 2), zero where not used, and its derivative (P, V, 2, 3)."""
    seen = np.einsum("vij,pj->pvi", projections[:, :, :3], points) + projections[:, :, 3]
    depth = np.where(np.abs(seen[..., 2]) < 1e-12, 1e-12, seen[..., 2])
    where = seen[..., :2] / depth[..., None]
    slope = (projections[None, :, :2, :3] - where[..., None] * projections[None, :, 2:, :3]) / depth[..., None, None]
    return (np.where(used[..., None], where - pixels, 0.0), np.where(used[..., None, None], slope, 0.0))


def _cost(left: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """Huber's (P,)."""
    length = np.sqrt((left ** 2).sum(axis=2))
    return np.asarray(np.where(length <= HUBER, 0.5 * length ** 2, HUBER * (length - 0.5 * HUBER)).sum(axis=1))
