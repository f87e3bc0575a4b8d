"""Keypoints that do not tremble, and do not lag."""
import numpy as np
import pytest
from walkers import SKELETON, Walkers

from wholebody.poses import Poses
from wholebody.runtime.tracking import Tracker, TrackOptions
from wholebody.runtime.tracking.one_euro import LONGEST_GAP, OneEuro, Smoothing

FPS = 30.0


def one_euro_by_hand(values, times, hertz, per_speed, speed_hertz, height):
    """The paper's algorithm for one number, step by step."""
    def share(cut, dt):
        tau = 1 / (2 * np.pi * cut)
        return 1 / (1 + tau / dt)
    place, speed, found = values[0], 0.0, [values[0]]
    for before, now, value in zip(times, times[1:], values[1:]):
        dt = now - before
        speed += share(speed_hertz, dt) * ((value - place) / dt - speed)
        place += share(hertz + per_speed * abs(speed) / height, dt) * (value - place)
        found.append(place)
    return np.array(found)


def test_one_number_goes_as_the_paper_says():
    drawn = np.random.RandomState(0)
    times = np.cumsum(drawn.uniform(0.01, 0.1, 50))  # frames are dropped
    values = 100 + np.cumsum(drawn.normal(0, 2, 50))
    smoothing = Smoothing()
    expected = one_euro_by_hand(values, times, *smoothing, height=200.0)
    smooth = OneEuro(1, smoothing)
    smooth.add(1)
    found = [smooth(np.array([0]), np.array([[[value, 7.0]]]), np.ones((1, 1), bool), np.array([200.0]), now)[0, 0]
             for value, now in zip(values, times)]
    np.testing.assert_allclose(np.array(found)[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(np.array(found)[:, 1], 7.0, rtol=1e-6)


def test_what_was_not_found_stays_so_and_what_comes_back_late_starts_anew():
    smooth, which, height = OneEuro(2), np.array([0]), np.array([100.0])
    smooth.add(1)
    both, first = np.ones((1, 2), bool), np.array([[True, False]])
    smooth(which, np.full((1, 2, 2), 50.0), both, height, 0.0)
    now = smooth(which, np.array([[[51.0, 50], [0, 0]]]), first, height, 0.03)
    assert 50 < now[0, 0, 0] < 51
    assert now[0, 1].tolist() == [0, 0]
    soon = smooth(which, np.full((1, 2, 2), 60.0), both, height, 0.2)
    assert soon[0, 1, 0] < 60
    smooth(which, np.full((1, 2, 2), 60.0), first, height, 0.25)
    late = smooth(which, np.full((1, 2, 2), 90.0), both, height, 0.25 + LONGEST_GAP)
    assert late[0, 1].tolist() == [90, 90]


def watch(walkers, smooth, count=240):
    """What is told of the first person, and where it really is."""
    tracker, told, truth = Tracker(SKELETON, TrackOptions(smooth=smooth, ids=False)), [], []
    for index in range(count):
        drawn = walkers.truth(index) + walkers.drawn.normal(0, 0.01, (1, 17, 2)) * walkers.height[0]
        poses = tracker.update(Poses(drawn, np.full((1, 17), 0.8), np.ones(1), SKELETON), index / FPS)
        assert poses.ids is None
        told.append(poses.keypoints[0])
        truth.append(walkers.truth(index)[0])
    return np.array(told)[30:], np.array(truth)[30:]


def test_somebody_who_stands_trembles_less_than_half_as_much():
    walkers = Walkers(1, 1)
    walkers.speed[:] = 0
    walkers.phase[:] = 0
    figure = walkers.truth(0)
    walkers.truth = lambda index: figure
    plain, truth = watch(walkers, False)
    walkers.drawn = np.random.RandomState(5)
    smooth, _ = watch(walkers, True)
    tremble = [np.diff(told, n=2, axis=0).std() for told in (plain, smooth)]
    assert tremble[1] < 0.3 * tremble[0]
    assert np.abs(smooth - truth).mean() < 0.7 * np.abs(plain - truth).mean()


def test_somebody_who_walks_is_told_less_than_two_frames_late():
    walkers = Walkers(1, 2)
    smooth, truth = watch(walkers, True)
    behind = ((truth - smooth)[..., 0].mean() / walkers.speed[0, 0]) * 1000
    assert 0 <= behind < 2000 / FPS
    assert np.abs(smooth - truth).mean() < 0.05 * walkers.height[0]


@pytest.mark.parametrize("scale", [0.25, 4.0])
def test_a_picture_of_another_size_gives_the_same(scale):
    walkers = Walkers(1, 3)
    told = []
    for factor in (1.0, scale):
        tracker = Tracker(SKELETON, TrackOptions(smooth=True))
        for index in range(40):
            drawn = walkers.truth(index) * factor
            poses = tracker.update(Poses(drawn, np.full((1, 17), 0.8), np.ones(1), SKELETON), index / FPS)
        told.append(poses.keypoints / factor)
    np.testing.assert_allclose(told[1], told[0], rtol=1e-4)
