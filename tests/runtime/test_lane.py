"""Lanes: what a batch of frames takes with it, and that no lane sees another's."""
import numpy as np
import onnx_bytes
import pytest
from fake_engine import FakeStickEngine, stick_card
from sticks import draw_sticks

from wholebody.card import card_from_json
from wholebody.engines.onnxfile import with_card
from wholebody.poses import Frame
from wholebody.runtime.estimator import Estimator, EstimatorOptions, open_estimator
from wholebody.runtime.lane import Stage, run_stage


@pytest.fixture
def estimate(tmp_path):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    path = tmp_path / "net.onnx"
    path.write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    with open_estimator(str(path), decoder="numpy") as estimate:
        yield estimate


def frames(*images):
    return [Frame(image, index, 0.5, "frame_%d" % index) for index, image in enumerate(images)]


def through(estimate, lane, batch):
    """The results of a batch that goes through all stages."""
    lane.take(batch)
    for stage in estimate.stages:
        run_stage(stage, lane)
    lane.finish()
    return lane.results


def same_people(one, other):
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


BATCHES = [
    ("one size", [draw_sticks(n) for n in (1, 4, 2)], [(0, 1, 2)]),
    ("two sizes", [draw_sticks(1), draw_sticks(3, 88), draw_sticks(2), draw_sticks(0, 88)], [(0, 2), (1, 3)]),
    ("one frame", [draw_sticks(3)], [(0,)]),
]


@pytest.mark.parametrize("images, groups", [case[1:] for case in BATCHES], ids=[case[0] for case in BATCHES])
def test_a_batch_has_the_same_people_as_each_frame_alone(estimate, images, groups):
    lane = estimate.new_lane()
    results = through(estimate, lane, frames(*images))
    assert [group.members for group in lane.groups] == groups
    assert [result.index for result in results] == list(range(len(images)))
    for result, image in zip(results, images):
        same_people(result.poses, estimate(image))
    lane.close()


def test_what_a_network_for_one_picture_gets_comes_one_by_one():
    shapes = []

    class FakeSingleEngine(FakeStickEngine):
        """A fake network for one picture at a time, that notes what it is fed."""

        max_batch = 1

        def infer(self, feeds):
            shapes.append(feeds["image"].shape)
            return super().infer(feeds)

    with Estimator(FakeSingleEngine(stick_card()), EstimatorOptions(decoder="numpy")) as estimate:
        lane = estimate.new_lane()
        results = through(estimate, lane, frames(*[np.zeros((192, 256, 3), np.uint8)] * 3))
    assert shapes == [(1, 3, 192, 256)] * 3
    assert [len(result.poses) for result in results] == [1, 1, 1]


def test_a_second_lane_leaves_the_first_as_it_is(estimate):
    first, second = estimate.new_lane(), estimate.new_lane()
    through(estimate, first, frames(draw_sticks(4)))
    kept = first.seen(0, candidates=True)
    copies = [kept.heatmaps.copy(), kept.pafs.copy(), first.groups[0].input.copy()]
    through(estimate, second, frames(draw_sticks(1)))
    again = first.seen(0, candidates=True)
    for array, copy in zip((again.heatmaps, again.pafs, first.groups[0].input), copies):
        np.testing.assert_array_equal(array, copy)
    assert [len(c) for c in again.candidates] == [4, 4, 4]
    assert [len(c) for c in second.seen(0, candidates=True).candidates] == [1, 1, 1]


def test_buffers_stay_while_the_sizes_do(estimate):
    lane = estimate.new_lane()
    addresses = set()
    for count in (1, 2, 3, 4):
        through(estimate, lane, frames(draw_sticks(count), draw_sticks(0)))
        addresses.add((lane.groups[0].input.__array_interface__["data"][0], id(lane.groups[0])))
    assert len(addresses) == 1


def test_the_geometry_of_each_frame_of_a_batch_is_its_own(estimate):
    lane = estimate.new_lane()
    through(estimate, lane, frames(draw_sticks(1), np.repeat(np.repeat(draw_sticks(1), 2, axis=0), 2, axis=1)))
    assert [lane.seen(i).geometry.scale for i in (0, 1)] == [(1.0, 1.0), (2.0, 2.0)]
    np.testing.assert_allclose(lane.poses[1].keypoints, 2 * lane.poses[0].keypoints, atol=2)


def test_a_stage_that_knows_its_time_better_is_believed(estimate):
    lane = estimate.new_lane()
    lane.take(frames(draw_sticks(1)))

    def on_a_gpu(lane):
        lane.stage_ms["engine"] = 7.0

    run_stage(Stage("engine", on_a_gpu), lane)
    run_stage(Stage("decode", on_a_gpu), lane)
    assert lane.stage_ms["engine"] == 7.0
    assert lane.stage_ms["decode"] >= 0


def test_latency_counts_from_the_capture(estimate, monkeypatch):
    monkeypatch.setattr("wholebody.runtime.lane.time.monotonic", lambda: 0.75)
    result, = through(estimate, estimate.new_lane(), frames(draw_sticks(1)))
    assert result.latency_ms == pytest.approx(250)
