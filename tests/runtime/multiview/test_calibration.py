"""Cameras from drawn pictures of a checkerboard: what was drawn is found again."""
import numpy as np
import pytest
from boards import BOARD, HEIGHT, TRUE, WIDTH, board_motions, picture_of

from wholebody.errors import CameraError
from wholebody.runtime.multiview.board import Board, find_corners
from wholebody.runtime.multiview.calibration import calibrate

pytest.importorskip("scipy.optimize", reason="what places all cameras together: pip install scipy")
@pytest.fixture(name="seen", scope="module")
def _seen():
    """Of three cameras, the corners in twelve pictures each."""
    motions = board_motions(12, 4)
    return [[find_corners(picture_of(camera, motion), BOARD) for motion in motions] for camera in TRUE], motions


def test_corners_are_found_where_they_were_drawn_always_from_the_same_one(seen):
    found, motions = seen
    count = 0
    for camera, views in zip(TRUE, found):
        for corners, motion in zip(views, motions):
            if corners is not None:
                count += 1
                there = np.concatenate([BOARD.points, np.ones((len(BOARD.points), 1))], axis=1) @ motion.T
                assert np.sqrt(((corners - camera.see(there[:, :3])) ** 2).sum(axis=1)).mean() < 0.25
    assert count >= 24


def test_a_board_upside_down_is_counted_from_the_same_corner():
    upright = picture_of(TRUE[0], board_motions(1, 4)[0])
    corners, turned = find_corners(upright, BOARD), find_corners(upright[::-1, ::-1].copy(), BOARD)
    np.testing.assert_allclose(np.array([WIDTH, HEIGHT]) - 1 - turned, corners, atol=0.3)


def test_cameras_are_found_again(seen):
    found = calibrate([camera.name for camera in TRUE], [(WIDTH, HEIGHT)] * 3, seen[0], BOARD)
    assert max(found.errors) < 0.3
    assert [camera.name for camera in found.cameras] == ["a", "b", "c"]
    np.testing.assert_array_equal(found.cameras[0].extrinsics, np.eye(3, 4))
    to_first = np.eye(4)
    to_first[:3] = TRUE[0].extrinsics
    for camera, true in zip(found.cameras, TRUE):
        assert abs(camera.intrinsics[0, 0] / true.intrinsics[0, 0] - 1) < 0.02
        relative = np.eye(4)
        relative[:3] = true.extrinsics
        relative = relative @ np.linalg.inv(to_first)
        expected = -relative[:3, :3].T @ relative[:3, 3]
        assert np.linalg.norm(camera.centre - expected) < 0.03, (camera.centre, expected)


def test_looking_at_all_of_it_together_is_better_than_in_a_chain(seen, monkeypatch):
    from wholebody.runtime.multiview import calibration
    together = calibrate(["a", "b", "c"], [(WIDTH, HEIGHT)] * 3, seen[0], BOARD)
    monkeypatch.setattr(calibration, "_adjusted", lambda lenses, cameras, where, *more: (cameras, where))
    chained = calibrate(["a", "b", "c"], [(WIDTH, HEIGHT)] * 3, seen[0], BOARD)
    assert sum(together.errors) < sum(chained.errors)


def test_too_few_pictures_are_said(seen):
    few = [views[:3] + [None] * 9 for views in seen[0]]
    with pytest.raises(CameraError, match="camera a: the whole board of 8x5 inner corners is in . of 12 pictures"):
        calibrate(["a", "b", "c"], [(WIDTH, HEIGHT)] * 3, few, BOARD)


def test_cameras_that_never_saw_the_board_together_are_named(seen):
    """The third sees it only when the others do not."""
    blind = [None] * 12
    first, second, third = seen[0]
    with pytest.raises(CameraError, match="no picture shows the board to c and to one of the other cameras"):
        calibrate(["a", "b", "c"], [(WIDTH, HEIGHT)] * 3, [first + blind, second + blind, blind + third], BOARD)


@pytest.mark.parametrize("corners, square, said", [
    ("9x6", 0, "expected the board's inner corners"), ("9", 0.1, "expected the board's"),
    ("2x3", 0.1, "expected the board's"), ("8x6", 0.1, "looks the same upside down")])
def test_a_board_that_cannot_be_is_one_line(corners, square, said):
    with pytest.raises(CameraError, match=said):
        Board.parse(corners, square)


def test_no_board_is_none():
    assert find_corners(np.full((120, 160, 3), 90, np.uint8), BOARD) is None
