"""The path of a frame through a detector and a network for one person, with engines that are fakes but strict."""
import time

import numpy as np
import pytest
from fake_topdown import BRIGHT, CELLS, NET, PEAKS, FakeDetector, FakePose, pose_card

from wholebody.errors import CardError
from wholebody.poses import Frame
from wholebody.runtime.detection.given import WholeFrame
from wholebody.runtime.detection.network import BoxOptions, DetectorNetwork
from wholebody.runtime.estimator import open_paf_estimator
from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds, run_pipeline
from wholebody.runtime.sinks import Sink
from wholebody.runtime.sources.base import Source
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.estimator import TopDownEstimator, TopDownOptions

CROWD = [(2 + 10 * (i % 6), 2 + 12 * (i // 6), 10 + 10 * (i % 6), 12 + 12 * (i // 6)) for i in range(20)]
SIZE = (128, 96)  # of the frames, width and height


def picture(bright=True):
    image = np.random.RandomState(0).randint(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    image[:8, :8] = 255 if bright else 0
    return image


def estimator(people=CROWD, options=TopDownOptions(decoder="auto"), pose=None, **detector):
    backend = choose_backend(options.decoder)
    finder = DetectorNetwork(FakeDetector(people, **detector), BoxOptions(), backend)
    return TopDownEstimator(pose or FakePose(), finder, backend, options)


def expected_points(boxes):
    """Of each person the two peaks, through AlphaPose's inverse affine, by hand."""
    points = []
    for x0, y0, x1, y1 in boxes:
        x0, x1, y0, y1 = (v * f for v, f in zip((x0, x1, y0, y1), [SIZE[0] / NET[0]] * 2 + [SIZE[1] / NET[1]] * 2))
        width = 1.25 * max(x1 - x0, (y1 - y0) * 0.75)
        scale = width / CELLS[0]
        points.append([[(x0 + x1) / 2 + (x - CELLS[0] / 2) * scale, (y0 + y1) / 2 + (y - CELLS[1] / 2) * scale]
                       for x, y in PEAKS])
    return np.array(points)


def test_everybody_is_found_in_pixels_of_the_frame():
    with estimator(options=TopDownOptions(pose_nms="none")) as estimate:
        poses = estimate(picture())
        assert len(poses) == 20
        np.testing.assert_allclose(poses.keypoints, expected_points(CROWD), atol=1e-3)
        boxes = np.array(CROWD, float)
        boxes[:, ::2] *= SIZE[0] / NET[0]
        boxes[:, 1::2] *= SIZE[1] / NET[1]
        np.testing.assert_allclose(poses.boxes_xyxy, boxes, atol=1e-3)
        np.testing.assert_allclose(poses.person_scores, [0.9 - 0.01 * i for i in range(20)] * poses.scores.mean(axis=1),
                                   rtol=1e-5)
        assert [stage.name for stage in estimate.stages] == ["detect-preprocess", "detect", "boxes", "crop", "pose",
                                                             "decode"]


@pytest.mark.parametrize("limit", [1, 3, 7, 20, None])
def test_how_many_go_through_the_network_at_once_changes_nothing(limit):
    with estimator() as estimate, estimator(pose=FakePose(limit=limit)) as other:
        expected, found = estimate(picture()), other(picture())
        assert other.engine.batches == {1: [1] * 20, 3: [3] * 6 + [2], 7: [7, 7, 6], 20: [16, 4], None: [16, 4]}[limit]
        np.testing.assert_array_equal(found.keypoints, expected.keypoints)
        np.testing.assert_array_equal(found.scores, expected.scores)


def test_native_and_numpy_arithmetic_find_the_same(monkeypatch):
    found = [estimator(options=TopDownOptions(decoder=name))(picture()) for name in ("numpy", "auto")]
    for field in ("keypoints", "scores", "person_scores", "boxes_xyxy"):
        np.testing.assert_array_equal(getattr(found[0], field), getattr(found[1], field))


def test_a_frame_without_people_does_not_run_the_network():
    with estimator() as estimate:
        assert len(estimate(picture(bright=False))) == 0
        assert estimate.engine.batches == []
        assert len(estimate(picture())) == 20
        assert len(estimate(picture(bright=False))) == 0


def test_a_person_found_twice_is_told_once():
    twice = [CROWD[0], tuple(v + 0.1 for v in CROWD[0]), CROWD[1]]
    finder_keeps = BoxOptions(overlap=1.0)
    backend = choose_backend()
    for nms, people in (("oks", 2), ("soft-oks", 3), ("none", 3)):
        with TopDownEstimator(FakePose(), DetectorNetwork(FakeDetector(twice), finder_keeps, backend), backend,
                              TopDownOptions(pose_nms=nms)) as estimate:
            assert len(estimate(picture())) == people, nms


def test_the_whole_frame_may_be_one_person():
    backend = choose_backend()
    with TopDownEstimator(FakePose(), WholeFrame(), backend) as estimate:
        poses = estimate(picture())
        assert poses.boxes_xyxy.tolist() == [[0, 0] + list(SIZE)]
        assert [stage.name for stage in estimate.stages] == ["boxes", "crop", "pose", "decode"]


def test_the_mirrored_person_is_asked_about_as_well():
    """The fake answers a mirrored crop with the same maps: left and right exchanged, mirrored, moved by a column."""
    backend = choose_backend("numpy")
    maps = np.zeros((2,) + CELLS[::-1], np.float32)
    with TopDownEstimator(FakePose(), WholeFrame(), backend, TopDownOptions(flip=True)) as estimate:
        poses = estimate(picture())
        assert estimate.engine.batches == [1, 1]
    for k, (x, y) in enumerate(PEAKS):
        maps[k, y, x] += 0.5
        maps[1 - k, y, CELLS[0] - 1 - x + 1] += 0.5
    found = backend.peaks(maps[None], "quarter")[0]
    width = 1.25 * max(SIZE[0], SIZE[1] * 0.75)
    corner = np.array([SIZE[0] / 2 - width / 2, SIZE[1] / 2 - width * 2 / 3])
    np.testing.assert_allclose(poses.keypoints[0], corner + found[:, :2] * width / CELLS[0], atol=1e-3)


def test_closing_closes_both_networks():
    with estimator() as estimate:
        estimate(picture())
    assert estimate.engine.closed
    assert estimate.finder.engine.closed


REFUSED = [
    ("a set with more points", pose_card(skeleton="COCO_17"), "expected 17 keypoints of COCO_17"),
    ("a detector's head missing a keypoint", pose_card(heads=[{"kind": "heatmap", "keypoints": [0, 1], "outputs": {
        "heatmaps": {"output": "maps"}}}]), "its heads give keypoints 0 to 0 .1 of them.; TWO has 2"),
    ("any size", pose_card(input={"name": "crops"}), "any size|fixed input"),
]


@pytest.mark.parametrize("card, message", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_card_that_does_not_serve_is_refused_in_one_line(card, message):
    backend = choose_backend()
    with pytest.raises(CardError, match=message) as caught:
        TopDownEstimator(FakePose(card), WholeFrame(), backend)(picture())
    assert "\n" not in str(caught.value)


def test_a_pose_network_is_no_detector():
    with pytest.raises(CardError, match="finds no boxes: its heads are heatmap"):
        DetectorNetwork(FakePose(), BoxOptions(), choose_backend())


class FakeStreet(Source):
    """A fake video; `empty`: of nobody in every third frame."""

    def __init__(self, count, empty=True):
        super().__init__("street")
        self.count, self.images = count, [picture(not empty or index % 3 > 0) for index in range(3)]

    def __iter__(self):
        for index in range(self.count):
            yield Frame(self.images[index % 3], index, time.monotonic(), "street_%d" % index)


class FakeCounter(Sink):
    """A fake sink that counts people."""

    def __init__(self):
        self.people = []

    def write(self, frame, result, details):
        assert details.net_size == NET
        self.people.append(len(result.poses))


def test_several_sources_share_both_networks():
    sinks = [FakeCounter(), FakeCounter()]
    with estimator() as estimate:
        summary = run_feeds([Feed(FakeStreet(6), [sinks[0]]), Feed(FakeStreet(4), [sinks[1]])], estimate)
        assert estimate.finder.engine.runs == 6  # frames of both go together
    assert [sink.people for sink in sinks] == [[0, 20, 20, 0, 20, 20], [0, 20, 20, 0]]
    assert summary.people == 120


DELAYS = [("the pose network is slowest", 0.004, 0.012), ("the detector is slowest", 0.02, 0.003)]


def share_of_the_slowest(detect, pose):
    with estimator(people=CROWD[:5], pose=FakePose(delay=pose), delay=detect) as estimate:
        summary = run_pipeline(FakeStreet(60, empty=False), estimate, [], PipelineOptions(in_flight=4))
    return max(summary.busy_seconds.values()) / summary.seconds


@pytest.mark.parametrize("detect, pose", [case[1:] for case in DELAYS], ids=[case[0] for case in DELAYS])
def test_throughput_is_that_of_the_slowest_stage(detect, pose):
    share = share_of_the_slowest(detect, pose)
    if share < 0.95:  # the machine may have been busy
        share = max(share, share_of_the_slowest(detect, pose))
    assert share > 0.90


def test_brightness_is_what_the_fakes_look_at():
    assert picture()[0, 0, 0] >= BRIGHT > picture(bright=False)[0, 0, 0]


def test_who_wants_a_paf_network_is_told_that_this_is_none(monkeypatch):
    closed = []

    class Other:
        def close(self):
            closed.append(True)
    monkeypatch.setattr("wholebody.runtime.estimator.open_estimator", lambda model: Other())
    with pytest.raises(CardError, match="pose.onnx has no PAFs: it sees one person at a time"):
        open_paf_estimator("pose.onnx")
    assert closed == [True]
