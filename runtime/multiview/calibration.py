"""Cameras from pictures of a checkerboard: each one's lens by itself, then where they all stand, together."""
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from wholebody.errors import CameraError
from wholebody.packages import require
from wholebody.runtime.multiview.board import Board
from wholebody.runtime.multiview.cameras import Camera

if TYPE_CHECKING:
    import numpy.typing as npt

LEAST_PICTURES = 6  # with the whole board, of each camera
Corners = "Sequence[Optional[npt.NDArray[np.float64]]]"


class Calibrated(NamedTuple):
    """Cameras in the world of the first, and how well they fit what they saw."""

    cameras: List[Camera]
    errors: List[float]  # of each camera: root mean square distance, pixels
    used: List[int]      # of each camera: pictures with the board


class _Pose(NamedTuple):
    """A rotation vector and a translation."""

    turn: "npt.NDArray[np.float64]"
    move: "npt.NDArray[np.float64]"

    @property
    def matrix(self) -> "npt.NDArray[np.float64]":
        """(4, 4)."""
        full = np.eye(4)
        full[:3, :3], full[:3, 3] = require("cv2").Rodrigues(self.turn)[0], self.move
        return full

    @classmethod
    def of(cls, matrix: "npt.NDArray[np.float64]") -> "_Pose":
        return cls(require("cv2").Rodrigues(np.ascontiguousarray(matrix[:3, :3]))[0].ravel(), matrix[:3, 3].copy())


def calibrate(names: Sequence[str], sizes: Sequence[Tuple[int, int]], seen: Sequence[Any], board: Board) -> Calibrated:
    """Cameras from what each saw: seen[camera][moment] is the corners (n, 2) or None."""
    lenses = [_lens(name, size, corners, board) for name, size, corners in zip(names, sizes, seen)]
    boards = [[None if corners is None else _board_pose(lens, corners, board) for corners in views]
              for lens, views in zip(lenses, seen)]
    cameras = _chained(names, boards)
    where = _board_poses(cameras, boards)
    cameras, where = _adjusted(lenses, cameras, where, seen, board)
    placed = [lens._replace(extrinsics=camera.matrix[:3]) for lens, camera in zip(lenses, cameras)]
    errors = [_error(camera, where, views, board) for camera, views in zip(placed, seen)]
    return Calibrated(placed, errors, [sum(corners is not None for corners in views) for views in seen])


def _lens(name: str, size: Tuple[int, int], corners: Any, board: Board) -> Camera:
    cv2 = require("cv2")
    there = [np.asarray(one, np.float32).reshape(-1, 1, 2) for one in corners if one is not None]
    if len(there) < LEAST_PICTURES:
        raise CameraError("camera %s: the whole board of %dx%d inner corners is in %d of %d pictures, and %d or more "
                          "are needed, with the board near and far, tilted, and in every corner of the picture"
                          % (name, board.across, board.down, len(there), len(corners), LEAST_PICTURES))
    points = [np.asarray(board.points, np.float32).reshape(-1, 1, 3)] * len(there)
    _, intrinsics, distortion, _, _ = cv2.calibrateCamera(points, there, size, None, None)
    return Camera(name, intrinsics, np.eye(3, 4), np.asarray(distortion, np.float64).ravel()[:5], size)


def _board_pose(lens: Camera, corners: "npt.NDArray[np.float64]", board: Board) -> _Pose:
    cv2 = require("cv2")
    _, turn, move = cv2.solvePnP(board.points.reshape(-1, 1, 3), corners.reshape(-1, 1, 2), lens.intrinsics,
                                 lens.distortion)
    return _Pose(np.asarray(turn).ravel(), np.asarray(move).ravel())


def _chained(names: Sequence[str], boards: "Sequence[Sequence[Optional[_Pose]]]") -> List[_Pose]:
    """World to camera of each, the first being the world: through boards that two cameras saw at once."""
    known: Dict[int, "npt.NDArray[np.float64]"] = {0: np.eye(4)}
    while len(known) < len(boards):
        shared = [(sum(a is not None and b is not None for a, b in zip(boards[old], boards[new])), old, new)
                  for old in known for new in range(len(boards)) if new not in known]
        count, old, new = max(shared)
        if not count:
            lost = ", ".join(name for number, name in enumerate(names) if number not in known)
            raise CameraError("no picture shows the board to %s and to one of the other cameras at the same moment: "
                              "hold it where two cameras see it" % lost)
        steps = [b.matrix @ np.linalg.inv(a.matrix) for a, b in zip(boards[old], boards[new])
                 if a is not None and b is not None]
        known[new] = _middle(steps) @ known[old]
    return [_Pose.of(known[number]) for number in range(len(boards))]


def _middle(steps: "Sequence[npt.NDArray[np.float64]]") -> "npt.NDArray[np.float64]":
    """The one of several rigid motions that is nearest to all others."""
    apart = [sum(float(np.linalg.norm(a - b)) for b in steps) for a in steps]
    return steps[int(np.argmin(apart))]


def _board_poses(cameras: Sequence[_Pose], boards: "Sequence[Sequence[Optional[_Pose]]]") -> "Dict[int, _Pose]":
    """Board to world at each moment that somebody saw it."""
    where: Dict[int, _Pose] = {}
    for camera, views in zip(cameras, boards):
        for moment, pose in enumerate(views):
            if pose is not None and moment not in where:
                where[moment] = _Pose.of(np.linalg.inv(camera.matrix) @ pose.matrix)
    return where


def _adjusted(lenses: Sequence[Camera], cameras: Sequence[_Pose], where: Dict[int, _Pose], seen: Sequence[Any],
              board: Board) -> Tuple[List[_Pose], Dict[int, _Pose]]:
    """All cameras but the first and all boards moved together until what was seen fits best (SciPy)."""
    optimize, sparse = require("scipy.optimize", "eval"), require("scipy.sparse", "eval")
    moments = sorted(where)
    start = np.concatenate([np.concatenate(pose) for pose in list(cameras[1:]) + [where[m] for m in moments]])
    looks = [(number, place) for number, views in enumerate(seen) for place, moment in enumerate(moments)
             if views[moment] is not None]

    def unpacked(numbers: "npt.NDArray[np.float64]") -> "Tuple[List[_Pose], List[_Pose]]":
        poses = [_Pose(row[:3], row[3:]) for row in numbers.reshape(-1, 6)]
        return [cameras[0]] + poses[:len(cameras) - 1], poses[len(cameras) - 1:]

    def residuals(numbers: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
        placed, boards = unpacked(numbers)
        return np.concatenate([
            (_see(lenses[number], placed[number].matrix @ boards[place].matrix, board)
             - seen[number][moments[place]]).ravel() for number, place in looks])

    size = 2 * len(board.points)
    pattern = sparse.lil_matrix((len(looks) * size, start.size), dtype=int)
    for row, (number, place) in enumerate(looks):
        columns = [len(cameras) - 1 + place] + ([number - 1] if number else [])
        for column in columns:
            pattern[row * size:(row + 1) * size, 6 * column:6 * column + 6] = 1
    found = optimize.least_squares(residuals, start, jac_sparsity=pattern, loss="huber", f_scale=1.0, x_scale="jac",
                                   max_nfev=60)
    placed, boards = unpacked(found.x)
    return placed, dict(zip(moments, boards))


def _see(lens: Camera, motion: "npt.NDArray[np.float64]", board: Board) -> "npt.NDArray[np.float64]":
    return lens._replace(extrinsics=motion[:3]).see(board.points)


def _error(camera: Camera, where: Dict[int, _Pose], views: Any, board: Board) -> float:
    full = np.eye(4)
    full[:3] = camera.extrinsics
    squares = [((_see(camera, full @ where[moment].matrix, board) - corners) ** 2).sum(axis=1)
               for moment, corners in enumerate(views) if corners is not None]
    return float(np.sqrt(np.concatenate(squares).mean()))
