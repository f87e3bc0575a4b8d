"""Three cameras before a checkerboard, and its pictures as they would take them."""
import cv2
import numpy as np
from rigs import look_at

from wholebody.runtime.multiview import Camera
from wholebody.runtime.multiview.board import Board

BOARD = Board(8, 5, 0.06)
WIDTH, HEIGHT = 640, 480
TRUE = [Camera(name, np.array([[focal, 0, 320.0], [0, focal, 240], [0, 0, 1]]), look_at(eye, (0, 0, 2.0)),
               np.array([-0.15, 0.03, 0.0, 0.0, 0.0]), (WIDTH, HEIGHT))
        for name, focal, eye in (("a", 560.0, (0.0, 0.0, 0.0)), ("b", 520.0, (0.9, 0.05, 0.3)),
                                 ("c", 600.0, (-0.9, -0.1, 0.25)))]


def board_motions(count, seed):
    """The board held here and there, tilted: (4, 4) each."""
    chance, motions = np.random.RandomState(seed), []
    for _ in range(count):
        motion = np.eye(4)
        motion[:3, :3] = cv2.Rodrigues(chance.uniform((-0.6, -0.5, -0.3), (0.6, 0.5, 0.3)))[0]
        middle = motion[:3, :3] @ np.array([BOARD.across - 1, BOARD.down - 1, 0]) * BOARD.square / 2
        motion[:3, 3] = chance.uniform((-0.35, -0.25, 1.4), (0.35, 0.25, 2.2)) - middle
        motions.append(motion)
    return motions


def picture_of(camera, motion):
    """The board as a camera sees it: every dark square a polygon, its sides bent by the lens."""
    scale = 4
    picture = np.full((HEIGHT * scale, WIDTH * scale), 205, np.uint8)

    def paint(x0, y0, x1, y1, grey):
        t = np.linspace(0, 1, 9)[:-1]
        sides = [(x0 + (x1 - x0) * t, y0 + 0 * t), (x1 + 0 * t, y0 + (y1 - y0) * t),
                 (x1 - (x1 - x0) * t, y1 + 0 * t), (x0 + 0 * t, y1 - (y1 - y0) * t)]
        flat = np.concatenate([np.stack([x, y, 0 * x, 0 * x + 1], axis=1) for x, y in sides])
        flat[:, :2] *= BOARD.square
        seen = camera.see((flat @ motion.T)[:, :3])
        cv2.fillPoly(picture, [np.rint(((seen + 0.5) * scale - 0.5) * 256).astype(np.int32)], grey, cv2.LINE_AA, 8)

    paint(-1.6, -1.6, BOARD.across + 0.6, BOARD.down + 0.6, 250)
    for row in range(-1, BOARD.down):
        for column in range(-1, BOARD.across):
            if (row + column) % 2 == 0:
                paint(column, row, column + 1, row + 1, 20)
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
