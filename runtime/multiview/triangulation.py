"""Where a point is that several cameras see: OpenPose's rules, for all points of everybody at once."""
from typing import TYPE_CHECKING, NamedTuple, Sequence

import numpy as np

from wholebody.runtime.multiview.refinement import refine

if TYPE_CHECKING:
    import numpy.typing as npt

_MOST_ERROR, _AT_AREA = 25.0, 1310720.0  # pixels, in a picture of 1280x1024
_SUSPECT = 0.5       # of the most error: from here a camera is tried without
_LEAVING_GAINS = 0.9  # the error without a camera, relative, below which it is left out
_TO_LEAVE_ONE = 4    # cameras
_OUTLIER = 5.0       # times the mean error of all points


class TriangulationOptions(NamedTuple):
    """OpenPose's numbers."""

    least_views: int = 0       # that must see a point; 0 is all but one, of two to four
    least_score: float = 0.35  # of a keypoint
    margin: float = 8.0        # pixels inside the frame
    refined: bool = True       # by Levenberg-Marquardt


class Triangulated(NamedTuple):
    """P points. What was not found has a zero position and an error of infinity."""

    points: "npt.NDArray[np.float64]"  # (P, 3) metres
    errors: "npt.NDArray[np.float64]"  # (P,) mean distance between seen and measured, pixels
    used: "npt.NDArray[np.bool_]"      # (P, V) cameras that it was made from
    left_out: "npt.NDArray[np.bool_]"  # (P, V) cameras that saw it and did not agree with the others


def least_views(cameras: int, asked: int = 0) -> int:
    """How many cameras must see a point.

    >>> [least_views(n) for n in (2, 3, 4, 5, 8)]
    [2, 2, 3, 4, 4]
    """
    return asked or max(2, min(4, cameras - 1))


def most_error(sizes: Sequence[Sequence[int]]) -> float:
    """Beyond it, in pixels, a point is not believed; grows with the pictures' sides."""
    return _MOST_ERROR * float(np.sqrt(np.mean([width * height for width, height in sizes]) / _AT_AREA))


def triangulate(pixels: "npt.NDArray[np.float64]", seen: "npt.NDArray[np.bool_]",
                projections: "npt.NDArray[np.float64]", limit: float,
                options: TriangulationOptions = TriangulationOptions()) -> Triangulated:
    """Points from undistorted pixels (P, V, 2), seen (P, V) or not, by cameras (V, 3, 4); errors stay below `limit`."""
    views, least = len(projections), least_views(len(projections), options.least_views)
    pixels = np.where(seen[..., None], pixels, 0.0)
    points, errors, used = np.zeros((len(pixels), 3)), np.full(len(pixels), np.inf), seen.copy()
    some = np.nonzero(seen.sum(axis=1) >= least)[0]
    points[some] = from_lines(pixels[some], seen[some], projections)
    errors[some] = reprojection_error(points[some], pixels[some], used[some], projections)
    for _ in range(max(0, views - _TO_LEAVE_ONE + 1)):
        doubtful = (errors > _SUSPECT * limit) & np.isfinite(errors)
        suspects = np.nonzero(doubtful & (used.sum(axis=1) >= _TO_LEAVE_ONE))[0]
        if not suspects.size or not _leave_one_out(suspects, points, errors, used, pixels, projections):
            break
    if options.refined and some.size:
        points[some] = refine(points[some], pixels[some], used[some], projections)
        errors[some] = reprojection_error(points[some], pixels[some], used[some], projections)
    kept = np.isfinite(errors) & (errors < limit) & in_front(points, used, projections)
    if kept.any():
        kept &= errors < max(_OUTLIER * float(errors[kept].mean()), 1.0)
    return Triangulated(np.where(kept[:, None], points, 0.0), np.where(kept, errors, np.inf), used & kept[:, None],
                        seen & ~used & kept[:, None])


def from_lines(pixels: "npt.NDArray[np.float64]", used: "npt.NDArray[np.bool_]",
               projections: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """The linear answer (P, 3): the null vector of x P3 - P1 and y P3 - P2 of every camera."""
    rows = pixels[..., None] * projections[None, :, 2:3] - projections[None, :, :2]
    rows = np.where(used[..., None, None], rows, 0.0).reshape(len(pixels), 2 * len(projections), 4)
    null = np.linalg.svd(rows, full_matrices=False)[2][:, -1] if len(rows) else np.zeros((0, 4))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(null[:, :3] / null[:, 3:])


def reprojection_error(points: "npt.NDArray[np.float64]", pixels: "npt.NDArray[np.float64]",
                       used: "npt.NDArray[np.bool_]", projections: "npt.NDArray[np.float64]"
                       ) -> "npt.NDArray[np.float64]":
    """Mean distance (P,) over the cameras used, pixels; infinity where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = np.einsum("vij,pj->pvi", projections[:, :, :3], points) + projections[:, :, 3]
        distance = np.sqrt(((seen[..., :2] / seen[..., 2:] - pixels) ** 2).sum(axis=2))
        mean = np.where(used, distance, 0.0).sum(axis=1) / used.sum(axis=1)
    return np.where(np.isfinite(mean), mean, np.inf)


def in_front(points: "npt.NDArray[np.float64]", used: "npt.NDArray[np.bool_]",
             projections: "npt.NDArray[np.float64]") -> "npt.NDArray[np.bool_]":
    """Which points (P,) lie before every camera that was used."""
    depth = np.einsum("vj,pj->pv", projections[:, 2, :3], points) + projections[:, 2, 3]
    return np.asarray(((depth > 0) | ~used).all(axis=1))


def _leave_one_out(suspects: "npt.NDArray[np.int64]", points: "npt.NDArray[np.float64]",
                   errors: "npt.NDArray[np.float64]", used: "npt.NDArray[np.bool_]",
                   pixels: "npt.NDArray[np.float64]", projections: "npt.NDArray[np.float64]") -> bool:
    """Try each suspect without each of its cameras and keep the best; whether any gained by it."""
    views = len(projections)
    fewer = np.repeat(used[None, suspects], views, axis=0)  # (V, S, V): trial, suspect, camera
    fewer[np.arange(views), :, np.arange(views)] = False
    there = np.stack([from_lines(pixels[suspects], trial, projections) for trial in fewer])
    error = np.stack([reprojection_error(points_, pixels[suspects], trial, projections)
                      for points_, trial in zip(there, fewer)])
    error[~used[suspects].T] = np.inf  # nothing was left out in these trials
    best, each = np.argmin(error, axis=0), np.arange(len(suspects))
    gains = error[best, each] < _LEAVING_GAINS * errors[suspects]
    taken, trial_of, place = suspects[gains], best[gains], each[gains]
    points[taken], errors[taken] = there[trial_of, place], error[trial_of, place]
    used[taken] = fewer[trial_of, place]
    return bool(gains.any())
