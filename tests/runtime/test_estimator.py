"""The path of one frame, with an engine that is a fake but strict."""
import numpy as np
import onnx_bytes
import pytest
from fake_engine import POINTS, STICK, STRIDE, FakeStickEngine, stick_card

import wholebody
from wholebody.card import InputSpec
from wholebody.engines.onnxfile import with_card
from wholebody.errors import CardError, ModelError, ShapeError
from wholebody.poses import Frame, Poses
from wholebody.runtime.estimator import Estimator, EstimatorOptions
from wholebody.runtime.geometry import plan
from wholebody.runtime.paf_lane import in_frame
from wholebody.skeletons import get_skeleton


@pytest.fixture
def estimate():
    with Estimator(FakeStickEngine(stick_card()), EstimatorOptions(decoder="numpy")) as estimate:
        yield estimate


def test_the_figure_is_found_in_pixels_of_the_frame(estimate):
    poses = estimate(np.zeros((384, 512, 3), np.uint8))  # twice the size of the input
    assert len(poses) == 1
    # cell g lies at pixels 8g + 3.5, its centre at 8g + 4 in continuous pixels; the frame is twice as large
    expected = [[2 * (STRIDE * x + 4), 2 * (STRIDE * y + 4)] for x, y in POINTS]
    np.testing.assert_allclose(poses.keypoints[0], expected, atol=1)  # half a pixel of the network
    assert (poses.scores[0] > 0.9).all()


def test_every_stage_has_its_time(estimate):
    result = estimate.process(Frame(np.zeros((192, 256, 3), np.uint8), 7, 1.5, "x"))
    assert (result.index, result.captured_at) == (7, 1.5)
    assert sorted(result.stage_ms) == ["decode", "engine", "preprocess"]
    assert all(ms > 0 for ms in result.stage_ms.values())


def test_candidates_are_in_pixels_of_the_frame(estimate):
    poses = estimate(np.zeros((384, 512, 3), np.uint8))
    candidates = estimate.candidates()
    assert [c.shape for c in candidates] == [(1, 3)] * 3
    np.testing.assert_allclose(candidates[0][0, :2], poses.keypoints[0, 0], atol=1e-3)


def test_a_choice_of_the_user_that_makes_no_sense_is_a_value_error():
    for chosen in (EstimatorOptions(number_people_max=0), EstimatorOptions(decoder="magic")):
        with pytest.raises(ValueError, match="number_people_max|magic"):
            Estimator(FakeStickEngine(stick_card()), chosen)


def test_closing_the_estimator_closes_the_engine():
    engine = FakeStickEngine(stick_card())
    with Estimator(engine):
        assert not engine.closed
    assert engine.closed


REFUSED = [
    ("no card", None, "has no card"),
    ("a detector", stick_card(skeleton=None, heads=[{"kind": "boxes", "format": "yolox", "outputs": {"boxes": {}}}]),
     "its heads are boxes"),
    ("a paf head without skeleton", stick_card(skeleton=None), "needs a skeleton"),
    ("another output", stick_card(heads=[{"kind": "paf", "stride": 8, "outputs": {
        "heatmaps": {"output": "maps"}, "pafs": {"output": "pafs"}}}]), "reads heatmaps from output 'maps'"),
    ("another set", stick_card(skeleton="COCO_18"), "from output 'heatmaps': expected 19 or 18 channels, got 3"),
    ("another input", stick_card(input={"name": "data"}), "feeds one input 'data'"),
    ("a threshold out of range", stick_card(decoding={"paf_ratio": 2}), "paf_ratio: expected at least 0 and below 1"),
    ("a set with a threshold out of range", stick_card(skeleton=dict(STICK, paf=dict(
        STICK["paf"], decoding={"nms_threshold": -1}))), "nms_threshold: expected 0 or more, got -1.0"),
    ("a set without limbs", stick_card(skeleton=dict(STICK, paf={})), "no limbs"),
    ("unknown thresholds", stick_card(decoding={"nms": 0.1}), "nms"),
]


@pytest.mark.parametrize("card, message", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_card_that_does_not_serve_is_refused_at_open(card, message):
    with pytest.raises(CardError) as caught:
        Estimator(FakeStickEngine(card))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_maps_that_are_not_what_the_card_says_are_refused_at_the_first_frame():
    with Estimator(FakeStickEngine(stick_card(skeleton="COCO_18"), channels=("C", "L"))) as estimate:
        expected = r"heatmaps: expected \(19, 24, 32\) for COCO_18 at stride 8.*got \(3, 24, 32\)"
        with pytest.raises(CardError, match=expected):
            estimate(np.zeros((192, 256, 3), np.uint8))


def test_wholebody_open_opens_a_file_and_refuses_another_set_of_options(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(with_card(onnx_bytes.paf_net(heatmaps=3, pafs=4), stick_card()))
    with wholebody.open(str(path), net_resolution="128x64") as estimate:
        assert len(estimate(np.zeros((48, 64, 3), np.uint8))) == 0
        assert estimate.maps.heatmaps.shape == (3, 8, 16)
    with pytest.raises(ShapeError, match="-1x368"):
        wholebody.open(str(path), net_resolution="big")
    with pytest.raises(TypeError, match="unknown option 'size'.*net_resolution"):
        wholebody.open(str(path), size=3)
    with pytest.raises(ModelError, match="no model at"):
        wholebody.open(str(tmp_path / "missing.onnx"))


def test_the_same_frame_gives_the_same_bytes_and_results_stay_after_the_next(estimate):
    image = np.random.RandomState(0).randint(0, 256, size=(384, 512, 3)).astype(np.uint8)
    first = estimate(image)
    kept = first.keypoints.tobytes()
    other = estimate(np.zeros((192, 256, 3), np.uint8))
    again = estimate(image)
    assert again.keypoints.tobytes() == first.keypoints.tobytes() == kept
    assert other.keypoints.tobytes() != kept


@pytest.mark.parametrize("size", [(96, 128), (192, 256), (768, 1024)], ids=["half", "the same", "four times"])
def test_the_figure_follows_the_size_of_the_frame(estimate, size):
    share = size[0] / 192.0
    expected = np.array([[STRIDE * x + 4, STRIDE * y + 4] for x, y in POINTS]) * share
    poses = estimate(np.zeros(size + (3,), np.uint8))
    np.testing.assert_allclose(poses.keypoints[0], expected, atol=0.6 * max(share, 1))


def test_what_was_not_found_stays_at_zero_and_boxes_follow():
    skeleton = get_skeleton("COCO_17")
    keypoints = np.full((1, 17, 2), 10, np.float32)
    scores = np.zeros((1, 17), np.float32)
    scores[0, :2] = 0.5
    geometry = plan(InputSpec("image", size=(100, 100), padding="centre"), 200, 100)
    moved = in_frame(Poses(keypoints, scores, np.ones(1, np.float32), skeleton), geometry)
    assert moved.keypoints[0, 0].tolist() == [20, 20 - 50]
    assert (moved.keypoints[0, 2:] == 0).all()
    assert moved.boxes_xyxy.tolist() == [[20, -30, 20, -30]]


def test_maps_with_numbers_that_are_none_are_survived():
    class FakeBrokenEngine(FakeStickEngine):
        """A fake whose maps are not finite."""

        def infer(self, feeds):
            outputs = super().infer(feeds)
            outputs["heatmaps"][0, :, 0, :] = np.nan
            outputs["pafs"][0, :, :, 0] = np.inf
            return outputs

    with Estimator(FakeBrokenEngine(stick_card()), EstimatorOptions(decoder="numpy")) as estimate:
        poses = estimate(np.zeros((192, 256, 3), np.uint8))
    assert len(poses) == 1
    assert np.isfinite(poses.keypoints).all()


@pytest.mark.parametrize("frame", [None, np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
                         ids=["None", "grey", "empty"])
def test_a_frame_that_is_none_is_refused_and_the_next_one_served(estimate, frame):
    with pytest.raises(ShapeError, match="expected"):
        estimate(frame)
    assert len(estimate(np.zeros((192, 256, 3), np.uint8))) == 1
