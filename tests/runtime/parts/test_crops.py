"""From squares to pieces of picture and back, against the matrices that OpenPose has."""
import numpy as np
import pytest

from wholebody.card import CropRule
from wholebody.runtime.parts.crops import around_points, at_scales, plan_part_crops, scales_of
from wholebody.runtime.parts.squares import Squares


def squares(*rows, right=(1.0, 0.0)):
    """From rows slot, x, y, side: the centre and side of a square."""
    values = np.array(rows, float).reshape(-1, 4)
    return Squares(values[:, 0].astype(int), values[:, 1:3], values[:, 3], np.tile(right, (len(values), 1)),
                   np.ones(len(values)))


def openpose_matrix(x, y, side, mirrored, pixels=368):
    k = side / pixels
    return [[-k, 0, x + side], [0, k, y]] if mirrored else [[k, 0, x], [0, k, y]]


HANDS = [(0, 50.5, 60.25, 92), (1, 10, 20, 368), (2, -5, -7, 30), (3, 900, 700, 33.3)]


def test_left_hands_are_mirrored_as_openpose_mirrors_them():
    crops = plan_part_crops(squares(*HANDS), CropRule("hand", mirrored=True), (368, 368))
    for (slot, x, y, side), matrix in zip(HANDS, crops.matrices):
        expected = openpose_matrix(x - side / 2, y - side / 2, side, slot % 2 == 0)
        np.testing.assert_allclose(matrix, expected, rtol=1e-6, atol=1e-5)


def test_no_hand_is_mirrored_for_who_knows_both_and_no_face_ever():
    for rule in (CropRule("hand"), CropRule("face", mirrored=True)):
        crops = plan_part_crops(squares(*HANDS), rule, (368, 368))
        assert (crops.matrices[:, 0, 0] > 0).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_points_of_a_crop_come_back_to_the_frame(mirrored):
    crops = plan_part_crops(squares(*HANDS), CropRule("hand", mirrored=mirrored), (368, 368))
    points = np.random.RandomState(0).randint(0, 368, (4, 5, 2)).astype(np.float32)
    found = crops.to_frame(points / np.float32(368))
    for (slot, x, y, side), some, there in zip(HANDS, points, found):
        matrix = np.array(openpose_matrix(x - side / 2, y - side / 2, side, mirrored and slot % 2 == 0))
        np.testing.assert_allclose(there, some @ matrix[:, :2].T + matrix[:, 2], rtol=1e-5, atol=1e-3)


def test_a_turned_crop_has_its_directions_and_shift_along_them():
    turned = squares((1, 100, 50, 20), right=(0, 1))  # what is right in the crop is down in the frame
    crops = plan_part_crops(turned, CropRule("hand", scale=2, shift=(0.5, 0.25), turned=True), (40, 40))
    # 20 * 0.5 down the frame, 20 * 0.25 to its left (down in the crop), then 40 pixels a side
    np.testing.assert_allclose(crops.matrices[0], [[0, -1, 95 + 20], [1, 0, 60 - 20]], atol=1e-5)


def test_a_square_grows_to_the_shape_of_the_input():
    crops = plan_part_crops(squares((0, 100, 50, 30)), CropRule("face"), (20, 40))
    np.testing.assert_allclose(crops.matrices[0], [[1.5, 0, 100 - 15], [0, 1.5, 50 - 30]], atol=1e-5)
    crops = plan_part_crops(squares((0, 100, 50, 30)), CropRule("face"), (40, 20))
    np.testing.assert_allclose(crops.matrices[0], [[1.5, 0, 100 - 30], [0, 1.5, 50 - 15]], atol=1e-5)


def test_sides_at_several_scales_are_rounded_to_even_numbers_as_openpose_does():
    """Its 6 scales and range of 0.4: 0.8 to 1.2, each rounded to a whole number, an odd one to the even one below."""
    assert at_scales(squares((0, 1, 2, 33.3)), scales_of(1, 0.4)).side.tolist() == [33.3]
    found = at_scales(squares((0, 10, 20, 33.3), (3, 30, 40, 101)), scales_of(6, 0.4))
    expected = [int(side * (1 - 0.2 + 0.4 * i / 5) + 0.5) // 2 * 2 for side in (33.3, 101) for i in range(6)]
    assert found.side.tolist() == expected
    assert found.slots.tolist() == [0] * 6 + [3] * 6
    np.testing.assert_array_equal(found.centre, [[10, 20]] * 6 + [[30, 40]] * 6)


def test_the_second_look_is_a_square_around_the_points_in_their_own_direction():
    crops = plan_part_crops(squares((1, 0, 0, 10)), CropRule("hand"), (10, 10))
    points = np.array([[[10, 20], [14, 20], [12, 30]]], np.float32)
    upright = around_points(crops, points, np.array([[0.0, 1.0]]), CropRule("hand", again=1.5))
    np.testing.assert_allclose(upright.centre, [[12, 25]], atol=1e-5)
    np.testing.assert_allclose(upright.side, [15], atol=1e-5)
    diagonal = np.array([[np.sqrt(0.5), np.sqrt(0.5)]])
    turned = around_points(crops, points, diagonal, CropRule("hand", again=2.0, turned=True))
    along = points[0] @ np.array([[1, -1], [1, 1]]) * np.sqrt(0.5)  # right, down
    np.testing.assert_allclose(turned.side, [2 * np.ptp(along, axis=0).max()], rtol=1e-6)
    middle = (along.min(axis=0) + along.max(axis=0)) / 2
    np.testing.assert_allclose(turned.centre, [middle @ np.array([[1, 1], [-1, 1]]) * np.sqrt(0.5)], rtol=1e-6)
