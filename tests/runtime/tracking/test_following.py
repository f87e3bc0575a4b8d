"""The ways of following people as a run uses them: numbers, smoothing, and clothes that bring people back."""
import functools

import numpy as np
import pytest
from actors import FPS, SKELETON, Actors

from wholebody.runtime.tracking import WAYS, TrackOptions, follower
from wholebody.runtime.tracking.colours import Colours
from wholebody.runtime.tracking.one_euro import OneEuro


@functools.lru_cache(maxsize=None)
def scene(seed=1, frames=100):
    """Three people: pictures, poses and who is who."""
    actors = Actors(3, seed, size=(480, 270), frames=frames)
    return [actors.frame(index) for index in range(frames)]


def follow(options, seed=1, frames=100):
    """(who, number) of every sight, and the poses told."""
    way, pairs, told = follower(SKELETON, options), [], []
    for index, (picture, poses, who) in enumerate(scene(seed)[:frames]):
        told.append(way.update(poses, index / FPS, picture))
        pairs += list(zip(who.tolist(), told[-1].ids.tolist()))
    return pairs, told


def numbers_of(pairs):
    """How many numbers people had for five sights or more."""
    return sum(pairs.count(pair) >= 5 for pair in set(pairs) if pair[1] >= 0)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_numbers_that_mostly_stay(way):
    pairs, _ = follow(TrackOptions(way=way))
    right = {}
    for who, number in pairs:
        right.setdefault(number, []).append(who)
    numbered = sum(len(some) for number, some in right.items() if number >= 0)
    same = sum(max(some.count(who) for who in set(some)) for number, some in right.items() if number >= 0)
    assert numbered > 0.8 * len(pairs)
    assert same > 0.75 * numbered  # poseflow confuses people who cross


def test_clothes_bring_back_who_was_away_for_two_seconds():
    with_clothes = follow(TrackOptions(way="alphapose", appearance=Colours(SKELETON)))[0]
    assert numbers_of(with_clothes) == 3
    assert numbers_of(follow(TrackOptions())[0]) > 3


@pytest.mark.parametrize("way", ["alphapose", "poseflow"])
def test_smoothing_goes_with_numbers(way):
    """The same keypoints come out as from one filter for each number."""
    plain, smooth = (follow(TrackOptions(way=way, smooth=smooth), frames=40)[1] for smooth in (False, True))
    filters = {}
    for index, (one, other) in enumerate(zip(plain, smooth)):
        np.testing.assert_array_equal(one.ids, other.ids)
        for place, number in enumerate(one.ids.tolist()):
            if number not in filters:
                filters[number] = OneEuro(25)
                filters[number].add(1)
            high = one.boxes_xyxy[place, 3] - one.boxes_xyxy[place, 1]
            expected = filters[number](np.array([0]), one.keypoints[place][None], one.scores[place][None] > 0,
                                       np.array([high]), index / FPS)
            np.testing.assert_allclose(other.keypoints[place], expected[0], atol=1e-3)
