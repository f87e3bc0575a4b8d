"""Stages overlap, order is kept, and nothing grows."""
import gc
import resource
import threading
import tracemalloc

import onnx_bytes
import pytest
from fake_stages import IMAGE, FakeFrames, FakeStages, FakeWatcher, threads_left

from wholebody.card import card_from_json
from wholebody.engines.onnxfile import with_card
from wholebody.poses import Frame
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds, run_pipeline

DELAYS = [
    ("the engine is slowest", (0.004, 0.010, 0.003), 0.0),
    ("preprocessing is slowest", (0.010, 0.004, 0.004), 0.0),
    ("decoding is slowest", (0.003, 0.004, 0.010), 0.0),
    ("writing is slowest", (0.003, 0.003, 0.003), 0.010),
    ("all take the same", (0.008, 0.008, 0.008), 0.0),
]


def share_of_the_slowest(delays, writing, in_flight=4):
    """How much of the run the slowest stage was at work, and the indices written."""
    sink = FakeWatcher(delay=writing)
    with FakeStages(delays) as estimate:
        summary = run_pipeline(FakeFrames(60), estimate, [sink], PipelineOptions(in_flight=in_flight))
    return max(summary.busy_seconds.values()) / summary.seconds, sink.indices


@pytest.mark.parametrize("delays, writing", [case[1:] for case in DELAYS], ids=[case[0] for case in DELAYS])
def test_throughput_is_that_of_the_slowest_stage(delays, writing):
    share, indices = share_of_the_slowest(delays, writing)
    if share < 0.95:  # the machine may have been busy
        share = max(share, share_of_the_slowest(delays, writing)[0])
    assert indices == list(range(60))
    assert share > 0.90


def test_three_lanes_are_enough_for_a_network_that_takes_most_of_the_time():
    share, _ = share_of_the_slowest((0.002, 0.010, 0.002), 0.001, in_flight=3)
    if share < 0.95:
        share = max(share, share_of_the_slowest((0.002, 0.010, 0.002), 0.001, in_flight=3)[0])
    assert share > 0.90


def test_one_in_flight_runs_in_the_callers_thread_and_its_times_add_up():
    threads = set()
    sink = FakeWatcher()
    delays = (0.002, 0.006, 0.002)
    with FakeStages(delays, lambda *_: threads.add(threading.current_thread())) as estimate:
        summary = run_pipeline(FakeFrames(25), estimate, [sink], PipelineOptions(in_flight=1))
    assert threads == {threading.current_thread()}
    assert sink.indices == list(range(25))
    assert sum(summary.busy_seconds.values()) / summary.seconds > 0.9
    for result in sink.results:
        assert sum(result.stage_ms[name] for name in estimate.names) <= result.latency_ms * 1.001


def test_in_flight_means_that_each_stage_has_a_thread():
    threads = {}
    with FakeStages(on_stage=lambda name, _: threads.setdefault(name, set()).add(threading.current_thread().name)) as e:
        run_pipeline(FakeFrames(20), e, [])
    assert threads == {name: {"wholebody-" + name} for name in e.names}
    assert threads_left() == []


def test_no_more_lanes_than_asked_for_are_ever_on_their_way():
    frames, ahead = FakeFrames(50), []
    sink = FakeWatcher()

    def look(name, lane):
        if name == "preprocess":
            ahead.append(frames.given - len(sink.indices))

    with FakeStages((0.0, 0.001, 0.0), look) as estimate:
        run_pipeline(frames, estimate, [sink], PipelineOptions(in_flight=3))
    assert max(ahead) <= 3
    assert len(estimate.lanes) == 3


def test_sources_that_end_earlier_leave_the_batch():
    batches = []
    sinks = [FakeWatcher() for _ in range(3)]
    feeds = [Feed(FakeFrames(count, name=str(count)), [sink]) for count, sink in zip((2, 0, 4), sinks)]
    with FakeStages(on_stage=lambda name, lane: name == "engine" and batches.append(
            [frame.source for frame in lane.frames])) as estimate:
        summary = run_feeds(feeds, estimate)
    assert batches == [["2_0", "4_0"], ["2_1", "4_1"], ["4_2"], ["4_3"]]
    assert [sink.indices for sink in sinks] == [[0, 1], [], [0, 1, 2, 3]]
    assert [sink.ends for sink in sinks] == [["close"]] * 3
    assert [(one["source"], one["frames"]) for one in summary.by_source] == [("2", 2), ("0", 0), ("4", 4)]


@pytest.mark.parametrize("limit, said", [(1, "takes one frame at once: frames of the 3 sources"), (2, "2 frames"),
                                         (3, ""), (None, "")])
def test_what_does_not_fit_into_one_batch_is_said_once(limit, said, caplog):
    caplog.set_level("INFO", "wholebody")
    with FakeStages(limit=limit) as estimate:
        run_feeds([Feed(FakeFrames(5)) for _ in range(3)], estimate)
    assert len(caplog.records) == (1 if said else 0)
    assert said in caplog.text


def growth(estimate, source, frames, in_flight):
    """Bytes that Python and NumPy hold at the end of a run more than in its middle."""
    held = {}

    def look(count, _):
        if count in (frames // 2, frames):
            gc.collect()
            held[count] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        run_pipeline(source, estimate, [], PipelineOptions(in_flight=in_flight), look)
    finally:
        tracemalloc.stop()
    return held[frames] - held[frames // 2]


@pytest.mark.parametrize("frames", [500, pytest.param(10000, marks=pytest.mark.long)])
@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_long_run_does_not_grow(frames, in_flight):
    with FakeStages() as estimate:
        # A result that is kept weighs some 500 bytes, a number 32; what the lanes hold at the moment comes and goes.
        assert growth(estimate, FakeFrames(frames), frames, in_flight) < 6000


@pytest.mark.parametrize("frames", [400, pytest.param(10000, marks=pytest.mark.long)])
def test_a_long_run_of_a_real_network_does_not_grow(frames, tmp_path):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    path = tmp_path / "net.onnx"
    path.write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    with open_estimator(str(path)) as estimate:
        estimate.process(Frame(IMAGE, 0, 0.0, "first"))
        before = resident()
        assert growth(estimate, FakeFrames(frames), frames, 3) < 20000
        if frames >= 10000:  # what is not Python's shows in the process
            assert resident() - before < 20e6


def resident():
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
