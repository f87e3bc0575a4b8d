"""AlphaPose's matching against the plainest way of writing it down: one object a track, 8x8 matrices, SciPy."""
import numpy as np
import pytest
from walkers import Walkers

from wholebody.runtime.tracking.box_filter import BoxFilter, measured_of
from wholebody.runtime.tracking.identity_matching import IdentityMatcher, MatchOptions
from wholebody.runtime.tracking.overlap import overlap_of

GATE = 9.4877


class PlainFilter:
    """DeepSORT's filter of one box, as its paper's code has it: matrices and all."""

    def __init__(self, box):
        high = box[3]
        self.mean = np.concatenate([box, np.zeros(4)])
        self.covariance = np.diag([high / 10, high / 10, 1e-2, high / 10, high / 16, high / 16, 1e-5, high / 16]) ** 2
        self.step = np.eye(8) + np.eye(8, k=4)

    def predict(self, still):
        if still:
            self.mean[7] = 0
        high = self.mean[3]
        noise = np.diag([high / 20, high / 20, 1e-2, high / 20, high / 160, high / 160, 1e-5, high / 160]) ** 2
        self.mean = self.step @ self.mean
        self.covariance = self.step @ self.covariance @ self.step.T + noise

    def measured(self):
        high = self.mean[3]
        noise = np.diag([high / 20, high / 20, 1e-1, high / 20]) ** 2
        return self.mean[:4], self.covariance[:4, :4] + noise

    def away(self, box):
        mean, covariance = self.measured()
        return (box - mean) @ np.linalg.solve(covariance, box - mean)

    def correct(self, box):
        mean, covariance = self.measured()
        gain = self.covariance[:, :4] @ np.linalg.inv(covariance)
        self.mean = self.mean + gain @ (box - mean)
        self.covariance = self.covariance - gain @ covariance @ gain.T

    def box(self):
        x, y, ratio, high = self.mean[:4]
        return np.array([x - ratio * high / 2, y - high / 2, x + ratio * high / 2, y + high / 2])


class PlainTrack:
    def __init__(self, number, frame, now, box, feature, pose):
        self.number, self.began, self.until, self.seen = number, frame, frame, now
        self.filter, self.feature, self.pose = PlainFilter(box), feature, pose
        self.confirmed = self.lost = False


def plain_overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0) * max(height, 0)
    return inside / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inside)


def plain_pose(one, other):
    common = [np.exp(-np.hypot(*(p - q)) / 0.1) for p, q, s, t in zip(one[0], other[0], one[1], other[1]) if s and t]
    return 1 - sum(common) / max(len(common), 1)


class PlainMatcher:
    """The same stages for one track and one person after the other."""

    def __init__(self, optimize, options=MatchOptions()):
        self.optimize, self.options, self.tracks, self.frame, self.next = optimize, options, [], 0, 0

    def update(self, poses, now, features):
        self.frame += 1
        boxes = measured_of(poses.boxes_xyxy)
        shapes = [((k - b[:2]) / np.maximum(b[2:] - b[:2], 1), s)
                  for k, s, b in zip(poses.keypoints, poses.scores, poses.boxes_xyxy)]
        for track in self.tracks:
            track.filter.predict(track.lost)
        left, told = list(range(len(poses))), [-1] * len(poses)

        def stage(tracks, cost, most):
            for track, person in self.matched(tracks, left, cost, most):
                told[person] = track.number
                left.remove(person)
                self.see(track, boxes[person], features[person] if features is not None else None, shapes[person], now)

        before = list(self.tracks)
        done = [track.filter.box() for track in before]  # stages compare with what was predicted
        place = {id(track): box for track, box in zip(before, done)}
        lost_before = {id(track): track.lost for track in before}
        if features is not None:
            def look(track, person):
                away = track.filter.away(boxes[person])
                difference = max(0.0, 1 - float(track.feature @ features[person]))
                return np.inf if away > GATE else 0.98 * difference + 0.02 * away
            stage([track for track in before if track.confirmed], look, 0.7)
        unseen = [track for track in before if track.until != self.frame]
        stage([track for track in unseen if track.confirmed and (features is None or not lost_before[id(track)])],
              lambda track, person: 1 - plain_overlap(place[id(track)], poses.boxes_xyxy[person])
              + self.options.pose_weight * plain_pose(track.pose, shapes[person]), self.options.place)
        unseen = [track for track in before if track.until != self.frame]
        stage([track for track in unseen if not track.confirmed],
              lambda track, person: 1 - plain_overlap(place[id(track)], poses.boxes_xyxy[person]), self.options.again)
        self.tracks = [track for track in before if track.until == self.frame or track.confirmed]
        for track in self.tracks:
            track.lost = track.until != self.frame
            track.confirmed = True
        for person in left:
            self.tracks.append(PlainTrack(self.next, self.frame, now, boxes[person],
                                          None if features is None else features[person], shapes[person]))
            told[person], self.next = self.next, self.next + 1
        self.tracks = [t for t in self.tracks if not (t.lost and now - t.seen > self.options.remembered)]
        gone = set()
        for one in [t for t in self.tracks if not t.lost]:
            for other in [t for t in self.tracks if t.lost]:
                if 1 - plain_overlap(one.filter.box(), other.filter.box()) < 0.15:
                    gone.add(id(other if one.until - one.began > other.until - other.began else one))
        self.tracks = [t for t in self.tracks if id(t) not in gone]
        return told

    def see(self, track, box, feature, shape, now):
        track.filter.correct(box)
        track.until, track.seen, track.pose = self.frame, now, shape
        if feature is not None:
            mixed = 0.9 * track.feature + 0.1 * feature
            track.feature = mixed / np.linalg.norm(mixed)

    def matched(self, tracks, people, cost, most):
        """Of least cost where leaving two alone costs `most`: SciPy on the extended matrix."""
        if not tracks or not people:
            return []
        rows, columns = len(tracks), len(people)
        full = np.full((rows + columns, rows + columns), most / 2)
        full[rows:, columns:] = 0
        for i, track in enumerate(tracks):
            for j, person in enumerate(people):
                full[i, j] = min(cost(track, person), 1e6)
        pairs = zip(*self.optimize.linear_sum_assignment(full))
        return [(tracks[i], people[j]) for i, j in pairs if i < rows and j < columns and full[i, j] <= most]


def test_the_filter_is_deepsorts():
    chance = np.random.RandomState(1)
    boxes = chance.uniform(50, 100, (5, 4)) * (1, 1, 0.006, 3)
    ours, plain = BoxFilter(), [PlainFilter(box) for box in boxes]
    ours.add(boxes.copy())
    for round_ in range(20):
        lost = np.arange(5) % 3 == round_ % 3
        ours.predict(lost)
        for one, still in zip(plain, lost):
            one.predict(still)
        seen = boxes + chance.normal(0, 1, (5, 4)) * (3, 3, 0.01, 3) + round_ * np.array([4, 0, 0, 1])
        expected = [[one.away(box) for box in seen] for one in plain]
        np.testing.assert_allclose(ours.gate(seen), expected, rtol=1e-9)
        which = np.nonzero(~lost)[0]
        ours.correct(which, seen[which])
        for number in which:
            plain[number].correct(seen[number])
        np.testing.assert_allclose(ours.boxes, [one.box() for one in plain], rtol=1e-9)
        np.testing.assert_allclose(ours.speed, [one.mean[4:] for one in plain], rtol=1e-7, atol=1e-9)


def looks_of(who, chance, people, noise):
    """Somebody's own direction and some noise: what a network for looks gives on a good day."""
    own = np.random.RandomState(99).normal(0, 1, (people, 32))
    rows = own[who] / np.linalg.norm(own[who], axis=1, keepdims=True) + chance.normal(0, noise, (len(who), 32))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("with_looks", [True, False], ids=["looks", "places alone"])
@pytest.mark.parametrize("people, missed", [(3, 0.1), (12, 0.3)])
def test_numbers_are_those_of_the_plainest_way(people, missed, with_looks):
    optimize = pytest.importorskip("scipy.optimize", reason="the reference: pip install scipy")
    for seed in range(3):
        walkers, chance = Walkers(people, seed, missed=missed, noise=0.015), np.random.RandomState(seed)
        ours, plain = IdentityMatcher(17), PlainMatcher(optimize)
        for index in range(80):
            poses, who = walkers.frame(index)
            features = looks_of(who, chance, people, 0.05) if with_looks else None
            now = index / walkers.fps
            assert ours.update(poses, now, features).tolist() == plain.update(poses, now, features), index


def switches(people, missed, seed, noise):
    """How often numbers change over 150 frames; None as noise is without looks."""
    walkers, chance, matcher = Walkers(people, seed, missed=missed, noise=0.015), np.random.RandomState(seed), None
    matcher, last, count = IdentityMatcher(17), {}, 0
    for index in range(150):
        poses, who = walkers.frame(index)
        features = None if noise is None else looks_of(who, chance, people, noise)
        for person, number in zip(who.tolist(), matcher.update(poses, index / walkers.fps, features).tolist()):
            count += last.get(person, number) != number
            last[person] = number
    return count


def test_looks_keep_people_apart_who_cross():
    with_looks = sum(switches(8, 0.3, seed, 0.05) for seed in range(4))
    without = sum(switches(8, 0.3, seed, None) for seed in range(4))
    assert with_looks < without / 2


def test_overlap_is_that_of_two_boxes():
    chance = np.random.RandomState(0)
    low = chance.uniform(0, 50, (6, 2))
    boxes = np.concatenate([low, low + chance.uniform(5, 50, (6, 2))], axis=1)
    expected = [[plain_overlap(a, b) for b in boxes[:4]] for a in boxes]
    np.testing.assert_allclose(overlap_of(boxes, boxes[:4]), expected)


def test_nobody_and_then_somebody():
    matcher = IdentityMatcher(17)
    walkers = Walkers(2, 0, missed=0)
    poses, _ = walkers.frame(0)
    nobody = poses[np.zeros(0, np.int64)]
    assert matcher.update(nobody, 0.0).tolist() == []
    assert matcher.update(poses, 0.1).tolist() == [0, 1]
    assert matcher.update(nobody, 0.2).tolist() == []
    assert matcher.update(nobody, 0.2, np.zeros((0, 4), np.float32)).tolist() == []
