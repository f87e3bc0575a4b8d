"""Who is who: people who cross, who are missed, who go and come; phantoms; real time."""
import numpy as np
import pytest
from walkers import FIGURE, SKELETON, Walkers

from wholebody.poses import Poses
from wholebody.runtime.tracking import Tracker, TrackOptions


def person(x, y=300.0, height=200.0, score=0.8, found=slice(None)):
    keypoints, scores = FIGURE * height + (x, y), np.zeros(17)
    scores[found] = score
    return keypoints * (scores > 0)[:, None], scores


def poses(*people, scores=None):
    keypoints = np.array([p[0] for p in people]).reshape(-1, 17, 2)
    points = np.array([p[1] for p in people]).reshape(-1, 17)
    found = np.array([p[1].max() for p in people]) if scores is None else np.array(scores)
    return Poses(keypoints, points, found, SKELETON)


def follow(walkers, count, tracker=None):
    """How often a person's number changed, and how many numbers were given out."""
    tracker, last, switches, numbers = tracker or Tracker(SKELETON), {}, 0, set()
    for index in range(count):
        seen, really = walkers.frame(index)
        told = tracker.update(seen, index / walkers.fps)
        np.testing.assert_array_equal(told.keypoints, seen.keypoints)
        for who, number in zip(really.tolist(), told.ids.tolist()):
            if number < 0:
                continue
            switches += last.get(who, number) != number
            last[who] = number
            numbers.add(number)
    return switches, numbers


@pytest.mark.parametrize("people", [1, 2, 5])
def test_people_who_walk_keep_their_numbers(people):
    for seed in range(5):
        switches, numbers = follow(Walkers(people, seed, missed=0.0), 120)
        assert switches == 0
        assert sorted(numbers) == list(range(people))


def test_crossings_misses_and_noise_cost_hardly_a_number():
    total = [follow(Walkers(8, seed, missed=0.15, noise=0.015), 150) for seed in range(6)]
    assert sum(switches for switches, _ in total) <= 6  # of 48 people who cross each other many times
    assert sum(len(numbers) for _, numbers in total) <= 56


def test_somebody_is_nobody_at_first_sight_and_has_a_number_at_the_second():
    tracker = Tracker(SKELETON)
    assert tracker.update(poses(person(100)), 0.0).ids.tolist() == [-1]
    assert tracker.update(poses(person(102)), 0.03).ids.tolist() == [0]
    assert tracker.update(poses(person(104), person(500)), 0.07).ids.tolist() == [0, -1]
    assert tracker.update(poses(person(502), person(106)), 0.1).ids.tolist() == [1, 0]


def test_who_is_away_for_a_moment_comes_back_as_the_same_and_later_as_another():
    for away, same in ((0.5, True), (3.0, False)):
        tracker = Tracker(SKELETON)
        for index in range(10):
            tracker.update(poses(person(100 + 3 * index)), index / 30)
        for index in range(2):
            found = tracker.update(poses(person(130 + 90 * min(away, 0.3))), 0.3 + away + index / 30)
        assert found.ids.tolist() == [0 if same else 1]


def test_numbers_are_never_given_twice():
    tracker, seen = Tracker(SKELETON), []
    for round_ in range(5):
        for index in range(3):
            seen.append(int(tracker.update(poses(person(100 + 200 * round_)), 10.0 * round_ + index / 30).ids[0]))
    assert [number for number in seen if number >= 0] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_phantom_of_low_score_has_no_number_and_somebody_with_one_may_fade():
    tracker = Tracker(SKELETON)
    for index in range(30):
        told = tracker.update(poses(person(100), person(600), scores=[0.8 if index < 5 else 0.1, 0.12]), index / 30)
    assert told.ids.tolist() == [0, -1]


def test_half_a_person_beside_the_whole_does_not_take_the_number():
    tracker = Tracker(SKELETON)
    for index in range(5):
        tracker.update(poses(person(100 + index)), index / 30)
    arms = [5, 7, 9, 11]
    told = tracker.update(poses(person(105, found=arms), person(107)), 5 / 30)
    assert told.ids.tolist() == [-1, 0]


def test_frames_that_were_left_out_do_not_matter():
    """The same walk seen at 30 and at 10 frames a second."""
    for every in (1, 3):
        walkers, tracker, last = Walkers(4, 3, missed=0.0), Tracker(SKELETON), {}
        for index in range(0, 120, every):
            seen, really = walkers.frame(index)
            told = tracker.update(seen, index / 30)
            for who, number in zip(really.tolist(), told.ids.tolist()):
                if number >= 0:
                    assert last.setdefault(who, number) == number


def test_nobody_and_odd_people_are_no_error():
    tracker = Tracker(SKELETON, TrackOptions(smooth=True))
    nothing = Poses(np.zeros((1, 17, 2)), np.zeros((1, 17)), np.zeros(1), SKELETON)
    for index, seen in enumerate([poses(), poses(person(100)), nothing, poses(), poses(person(100, found=[3])), poses(
            *[person(100)] * 5), poses()]):
        told = tracker.update(seen, index / 30)
        assert len(told) == len(seen)
        assert np.isfinite(told.keypoints).all()


def test_time_that_stands_still_or_goes_back_is_no_error():
    tracker = Tracker(SKELETON, TrackOptions(smooth=True))
    for now in (1.0, 1.0, 0.5, 2.0, 2.0):
        told = tracker.update(poses(person(100)), now)
        assert np.isfinite(told.keypoints).all()


def test_memory_does_not_grow():
    walkers, tracker = Walkers(10, 0, missed=0.5), Tracker(SKELETON)
    sizes = []
    for index in range(600):
        tracker.update(walkers.frame(index % 100)[0], index / 30)
        sizes.append(len(tracker._ids))
    assert max(sizes[300:]) <= max(sizes[:300]) <= 40
