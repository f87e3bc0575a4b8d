"""Holding a frame rate against scripted boards: heat that comes and goes, crowds, and a rate that no level reaches."""
import pytest

from wholebody.runtime.pipeline.holding import HoldFps, Level, levels_of

LEVELS = levels_of((1.0, 0.75, 0.5))


class Board:
    """A scripted board: `slowdown(t)` times the work of a level; frames come as fast as they are done."""

    def __init__(self, policy, full_seconds, slowdown, camera_fps=30.0, fixed=0.0):
        self.policy, self.full, self.slowdown, self.fixed = policy, full_seconds, slowdown, fixed
        self.period, self.now = 1.0 / camera_fps, 0.0
        self.changes, self.places = [], []

    def run(self, seconds):
        end = self.now + seconds
        while self.now < end:
            level = self.policy.level
            cost = (self.fixed + self.full * level.share ** 2) * self.slowdown(self.now)
            self.now += max(cost, self.period * level.every)
            change = self.policy.observe(self.now, cost)
            self.places.append((self.now, self.policy.place))
            if change is not None:
                self.changes.append(change)
        return self

    def rates(self, since):
        """Frames a second that were possible, by time."""
        return [LEVELS[place].every / ((self.fixed + self.full * LEVELS[place].share ** 2) * self.slowdown(now))
                for now, place in self.places if now > since]


def heat(now):
    """Clocks fall from 20 s on to a third at 60 s, and are back from 120 s to 160 s."""
    if now < 120:
        return 1 + 2 * min(max(now - 20, 0), 40) / 40.0
    return 3 - 2 * min(now - 120, 40) / 40.0


def test_a_board_that_is_fast_enough_is_left_alone():
    board = Board(HoldFps(15, LEVELS), 0.050, lambda now: 1.0).run(300)
    assert board.changes == []
    assert board.policy.level == Level(1.0, 1)


def test_heat_is_answered_by_smaller_input_and_its_end_by_the_way_back():
    board = Board(HoldFps(15, LEVELS), 0.050, heat).run(240)
    down = [change for change in board.changes if change.down]
    up = [change for change in board.changes if not change.down]
    assert [str(change.after) for change in down] == ["75 % of the size", "50 % of the size"]
    assert [str(change.after) for change in up] == ["75 % of the size", "full size"]
    assert max(change.at for change in down) < 60 < 120 < min(change.at for change in up)
    assert board.policy.place == 0
    assert all(change.possible_fps < 15 for change in down)


def test_the_rate_is_held_all_the_while():
    board = Board(HoldFps(15, LEVELS), 0.050, heat).run(240)
    rates = board.rates(0)
    assert sum(rate < 15 for rate in rates) < 0.05 * len(rates)
    assert min(rates) > 10


def test_a_sudden_fall_is_answered_within_seconds():
    board = Board(HoldFps(15, LEVELS), 0.050, lambda now: 1.0 if now < 30 else 3.5).run(45)
    assert [change.down for change in board.changes] == [True, True]
    assert board.changes[-1].at < 36


def test_where_no_size_suffices_frames_are_left_out():
    board = Board(HoldFps(15, LEVELS), 0.050, lambda now: 8.0).run(60)
    assert board.policy.level == Level(0.5, 2)
    board = Board(HoldFps(15, LEVELS), 0.050, lambda now: 40.0).run(120)
    assert board.policy.level == Level(0.5, 3), "and there it stays: there is no less"
    assert len(board.changes) == len(LEVELS) - 1


def test_on_the_edge_it_does_not_go_up_and_down():
    """Full size gives 14 frames/s, the size below 22: one step down, and hardly a try again."""
    board = Board(HoldFps(15, LEVELS), 1 / 14.0, lambda now: 1.0).run(600)
    assert [change.down for change in board.changes] == [True]


def test_a_way_up_that_fails_is_tried_ever_more_rarely():
    """A board whose heat follows its load: it cools while it does less, and is hot again soon after it does more."""
    policy, state = HoldFps(15, LEVELS), {"hot": 1.0}

    def slowdown(now):
        state["hot"] = min(2.0, state["hot"] + 0.02) if policy.place == 0 else max(1.0, state["hot"] - 0.02)
        return state["hot"]

    board = Board(policy, 0.050, slowdown).run(900)
    ups = [change.at for change in board.changes if not change.down]
    gaps = [later - earlier for earlier, later in zip(ups, ups[1:])]
    assert 3 <= len(ups) < 20
    assert gaps[-1] > 3 * gaps[0]


def test_what_the_level_above_cost_is_remembered_where_pixels_do_not_tell():
    """Most of the work does not depend on the size: from pixels alone the way up would look possible."""
    board = Board(HoldFps(15, LEVELS), 0.020, lambda now: 1.0, fixed=0.050).run(300)
    assert [change.down for change in board.changes] == [True]


def test_a_slow_camera_is_no_reason_to_step_down():
    board = Board(HoldFps(15, LEVELS), 0.020, lambda now: 1.0, camera_fps=5).run(120)
    assert board.changes == []


def test_a_single_slow_frame_is_no_reason_either():
    policy, changes = HoldFps(15, LEVELS), []
    for frame in range(400):
        changes.append(policy.observe(frame / 30.0, 0.9 if frame % 10 == 0 else 0.030))
    assert set(changes) == {None}


def test_a_network_of_one_size_leaves_frames_out():
    policy = HoldFps(15, levels_of((1.0,)))
    for frame in range(200):
        policy.observe(frame / 10.0, 0.1)
    assert policy.level == Level(1.0, 2)


def test_time_is_told_and_not_taken():
    """The same trace gives the same changes, whatever the clock of this machine says."""
    first, second = (Board(HoldFps(15, LEVELS), 0.050, heat).run(240).changes for _ in range(2))
    assert first == second != []


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9, float("inf")])
def test_odd_costs_are_survived(seconds):
    policy = HoldFps(15, LEVELS)
    for frame in range(60):
        policy.observe(frame / 10.0, seconds)
    assert policy.level in LEVELS
