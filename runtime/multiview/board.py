"""A checkerboard in a picture: where its inner corners are, always counted from the same one."""
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import numpy as np

from wholebody.errors import CameraError
from wholebody.packages import require

if TYPE_CHECKING:
    import numpy.typing as npt


class Board(NamedTuple):
    """Inner corners across and down, and the side of a square in metres."""

    across: int
    down: int
    square: float

    @classmethod
    def parse(cls, corners: str, square: float) -> "Board":
        """CameraError where no board looks like that.

        >>> Board.parse("9x6", 0.025)
        Board(across=9, down=6, square=0.025)
        """
        across, _, down = corners.partition("x")
        if not (across.isdigit() and down.isdigit() and int(across) > 2 and int(down) > 2 and square > 0):
            raise CameraError("expected the board's inner corners as 9x6 and its squares in metres, got %s, %g"
                              % (corners, square))
        if (int(across) + int(down)) % 2 == 0:
            raise CameraError("a board of %s inner corners looks the same upside down: take one with an odd and an "
                              "even number, such as 9x6" % corners)
        return cls(int(across), int(down), square)

    @property
    def points(self) -> "npt.NDArray[np.float64]":
        """The corners (n, 3) in metres, on the board's own plane."""
        rows, columns = np.mgrid[:self.down, :self.across]
        return np.stack([columns.ravel(), rows.ravel(), np.zeros(rows.size)], axis=1) * self.square


def find_corners(picture: "npt.NDArray[np.uint8]", board: Board) -> "Optional[npt.NDArray[np.float64]]":
    """Corners (n, 2) in the order of `board.points`, or None where the board is not all in the picture."""
    cv2 = require("cv2")
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    corners = _search(cv2, grey, board)
    if corners is None:
        return None
    return corners if _first_square_is_dark(grey, corners.reshape(board.down, board.across, 2)) else corners[::-1]


def _search(cv2: Any, grey: "npt.NDArray[np.uint8]", board: Board) -> "Optional[npt.NDArray[np.float64]]":
    shape = (board.across, board.down)
    if hasattr(cv2, "findChessboardCornersSB"):  # since OpenCV 4.0: more forgiving
        found, corners = cv2.findChessboardCornersSB(grey, shape, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
    else:
        found, corners = cv2.findChessboardCorners(grey, shape, flags=cv2.CALIB_CB_ADAPTIVE_THRESH
                                                   | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK)
    if not found:
        return None
    grid = np.asarray(corners, np.float64).reshape(board.down, board.across, 2)
    squares = [float(np.linalg.norm(np.diff(grid, axis=axis), axis=2).min()) for axis in (0, 1)]
    window = int(np.clip(0.3 * min(squares), 2, 9))  # no other corner in it
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-3)
    finer = cv2.cornerSubPix(grey, np.asarray(corners, np.float32).reshape(-1, 1, 2), (window, window), (-1, -1),
                             criteria)
    return np.asarray(finer, np.float64).reshape(-1, 2)


def _first_square_is_dark(grey: "npt.NDArray[np.uint8]", corners: "npt.NDArray[np.float64]") -> bool:
    """Whether the squares like that between the first four corners are the dark ones.

    With an odd and an even number of corners the board turned by half a turn has them light.
    """
    middles = (corners[:-1, :-1] + corners[1:, :-1] + corners[:-1, 1:] + corners[1:, 1:]) / 4
    columns = np.clip(np.rint(middles[..., 0]).astype(int), 0, grey.shape[1] - 1)
    rows = np.clip(np.rint(middles[..., 1]).astype(int), 0, grey.shape[0] - 1)
    values = grey[rows, columns].astype(float)
    like_first = (np.add.outer(np.arange(values.shape[0]), np.arange(values.shape[1])) % 2) == 0
    return bool(values[like_first].mean() < values[~like_first].mean())
