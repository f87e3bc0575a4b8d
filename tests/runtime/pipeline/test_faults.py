"""Whatever goes wrong, at whatever moment: no hang, nothing lost before it, nothing twice, nothing left behind."""
import contextlib
import faulthandler
import os
import random
import signal
import threading

import pytest
from fake_stages import FakeCamera, FakeFrames, FakeStages, FakeWatcher, threads_left

from wholebody.errors import OutputError, SourceError
from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds
from wholebody.runtime.pipeline.signals import AT_ONCE

WATCHDOG_SECONDS = 20
QUICK, ALL = 40, 200
SEEDS = [pytest.param(seed, marks=pytest.mark.long if seed >= QUICK else ()) for seed in range(ALL)]
KINDS = ("nothing", "source", "preprocess", "engine", "decode", "sink", "signal now", "signal in a stage")


class FakeFault(Exception):
    """A fake error of the network."""


@contextlib.contextmanager
def watchdog():
    """A hang fails the test instead of hanging the run of all tests."""
    def bark(*_):
        faulthandler.dump_traceback(all_threads=True)
        raise AssertionError("hangs")

    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, WATCHDOG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def sigterm_as_interrupt():
    """As the commands have it."""
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Case:
    """One run that is drawn by its seed."""

    def __init__(self, seed):
        draw = random.Random(seed)
        self.kind = KINDS[seed % len(KINDS)]
        self.live = draw.random() < 0.3
        self.in_flight = draw.choice([1, 2, 3, 4])
        self.count, sources = draw.randint(1, 40), draw.choice([1, 1, 2, 3])
        self.at = draw.randrange(self.count)  # the frame, or the run of a stage, at which it happens
        self.number = draw.choice([signal.SIGINT, signal.SIGTERM])
        self.after = draw.uniform(0, 0.03)
        self.error = {"source": SourceError("fake"), "sink": OutputError("fake")}.get(self.kind, FakeFault("fake"))
        source = FakeCamera if self.live else FakeFrames
        given = {"seconds": 0.001} if self.live else {"delay": draw.choice([0, 0, 0.001])}
        self.sources = [source(self.count, name=str(n), **given) for n in range(sources)]
        self.sinks = [FakeWatcher(delay=draw.choice([0, 0, 0.001])) for _ in range(sources)]
        self.hurt = draw.randrange(sources)
        for fails in {"source": [self.sources[self.hurt]], "sink": [self.sinks[self.hurt]]}.get(self.kind, []):
            fails.fail_at, fails.error = self.at, self.error
        self.estimate = FakeStages([draw.choice([0, 0, 0.0005, 0.002]) for _ in range(3)], self.on_stage,
                                   draw.choice([None, 1, 2]))
        self.runs = 0
        self.raised = None

    def on_stage(self, name, lane):
        """May fail, or press Ctrl-C."""
        if name == {"signal in a stage": "engine"}.get(self.kind, self.kind):
            self.runs += 1
            if self.runs == self.at + 1:
                if self.kind != "signal in a stage":
                    raise self.error
                os.kill(os.getpid(), self.number)

    def run(self):
        """The whole run; what it raises is kept."""
        over = threading.Event()
        timer = threading.Timer(self.after, lambda: over.is_set() or os.kill(os.getpid(), self.number))
        try:
            with self.estimate:
                if self.kind == "signal now":
                    timer.start()
                try:
                    run_feeds([Feed(*feed) for feed in zip(self.sources, [[sink] for sink in self.sinks])],
                              self.estimate, PipelineOptions(in_flight=self.in_flight))
                finally:
                    over.set()
        except (FakeFault, SourceError, OutputError, KeyboardInterrupt) as error:
            self.raised = error
        while timer.is_alive():  # it may have come too late for the run
            with contextlib.suppress(KeyboardInterrupt):
                timer.join()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_ends_cleanly_whatever_happens_to_it(seed):
    with watchdog(), sigterm_as_interrupt():
        case = Case(seed)
        with contextlib.suppress(KeyboardInterrupt):
            case.run()
    assert threads_left() == []
    assert case.estimate.closed
    assert all(lane.closed for lane in case.estimate.lanes)
    for sink in case.sinks:
        assert len(sink.ends) <= 1
        if case.live:
            assert sink.indices == sorted(set(sink.indices))
        else:
            assert sink.indices == list(range(len(sink.indices)))
        if case.raised is None and not case.live and sink.ends:
            assert sink.indices == list(range(case.count))
        if case.kind != "signal now":
            assert sink.ends == ["close" if case.raised is None else "abort"]
        elif sink.ends == ["close"] and not case.live:  # before the sinks were opened, or after they were closed
            assert sink.indices == list(range(case.count))
    check_what_came_before(case)


def check_what_came_before(case):
    """Every frame before the fault is written, and the error is the very one that was thrown."""
    hurt = case.sinks[case.hurt].indices
    if case.kind == "nothing":
        assert case.raised is None
    if case.raised is not None and "signal" not in case.kind:
        assert case.raised is case.error
    if case.live or "signal" in case.kind:
        return
    if case.kind in ("source", "sink"):
        assert case.raised is case.error
        assert hurt == list(range(case.at))
        if case.kind == "source":  # those before it in the round were read already
            assert [len(sink.indices) for sink in case.sinks] == [
                case.at + (number < case.hurt) for number in range(len(case.sinks))]
    elif case.kind != "nothing":
        assert case.raised is case.error
        assert all(sink.indices == list(range(case.at)) for sink in case.sinks)


def test_the_seeds_meet_every_kind_of_fault_with_and_without_threads_live_and_not():
    met = {(case.kind, case.live, case.in_flight > 1) for case in map(Case, range(ALL))}
    assert len(met) > 0.9 * 4 * len(KINDS)


def test_a_second_ctrl_c_does_not_wait_for_the_frame_at_work():
    at_work, go_on = threading.Event(), threading.Event()

    def stuck(name, lane):
        if name == "engine":
            at_work.set()
            go_on.wait(WATCHDOG_SECONDS)

    def press_twice():
        at_work.wait()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            go_on.wait(AT_ONCE + 0.2)

    presses = threading.Thread(target=press_twice)
    presses.start()
    estimate = FakeStages(on_stage=stuck)
    try:
        with watchdog(), pytest.raises(KeyboardInterrupt):
            run_feeds([Feed(FakeFrames(5))], estimate)
    finally:
        assert not go_on.is_set()
        go_on.set()
        presses.join()
    for thread in threading.enumerate():
        if thread.name.startswith("wholebody-"):
            thread.join(WATCHDOG_SECONDS)
    assert threads_left() == []


def test_a_signal_that_is_told_twice_is_one_signal():
    sink, pressed = FakeWatcher(), []

    def press(name, lane):
        if lane.frames[0].index >= 3 and name == "engine" and not pressed:  # a camera's third frame may be dropped
            pressed.append(name)
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGTERM)

    def handler(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with watchdog(), FakeStages(on_stage=press) as estimate:
            summary = run_feeds([Feed(FakeCamera(1000, seconds=0.002), [sink])], estimate)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert summary.stopped
    assert sink.ends == ["close"]
    assert threads_left() == []


def test_a_live_run_that_is_stopped_completes_its_files():
    sink, pressed = FakeWatcher(), []

    def press(name, lane):
        if name == "decode" and len(sink.indices) >= 5 and not pressed:
            pressed.append(lane.frames[0].index)
            os.kill(os.getpid(), signal.SIGINT)

    with watchdog(), FakeStages(on_stage=press) as estimate:
        summary = run_feeds([Feed(FakeCamera(1000, seconds=0.002), [sink])], estimate)
    assert summary.stopped
    assert sink.ends == ["close"]
    assert len(sink.indices) < 100


def test_a_signal_handler_that_raises_nothing_is_called_and_the_run_goes_on():
    told = []
    before = signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    try:
        sink = FakeWatcher()
        with FakeStages(on_stage=lambda name, lane: os.kill(os.getpid(), signal.SIGTERM)) as estimate:
            summary = run_feeds([Feed(FakeFrames(3), [sink])], estimate)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told
    assert not summary.stopped
    assert sink.indices == [0, 1, 2]


def test_a_run_in_another_thread_than_the_main_one_needs_no_signals():
    sink = FakeWatcher()
    with FakeStages() as estimate:
        thread = threading.Thread(target=run_feeds, args=([Feed(FakeFrames(9), [sink])], estimate))
        thread.start()
        thread.join()
    assert sink.indices == list(range(9))
    assert sink.ends == ["close"]
