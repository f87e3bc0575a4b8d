"""A network for one person at a time is profiled with its detector."""
import fake_topdown
import numpy as np
import pytest

from wholebody.runtime.detection.network import BoxOptions, DetectorNetwork
from wholebody.runtime.profile import ProfileOptions, profile_model, profiling
from wholebody.runtime.profile.schema import problems
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.estimator import TopDownEstimator

DETECT_S, POSE_S = 0.004, 0.002


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A short profile of two fake networks over a frame with two people."""
    pytest.importorskip("cv2", reason="pictures are resized with OpenCV")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pose.onnx").write_bytes(b"fake")

    def open_fakes(model):
        backend = choose_backend("numpy")
        detector = fake_topdown.FakeDetector(((4, 4, 24, 44), (34, 4, 54, 44)), DETECT_S)
        return TopDownEstimator(fake_topdown.FakePose(delay=POSE_S, limit=1),
                                DetectorNetwork(detector, BoxOptions(), backend), backend)
    monkeypatch.setattr(profiling, "open_whole", open_fakes)
    bright = np.full((64, 64, 3), 255, np.uint8)
    return profile_model("pose.onnx", bright, ProfileOptions(seconds=1.0, people=(1, 4)))


def test_both_networks_are_the_engine_and_crowds_go_through_what_follows_their_boxes(told):
    assert problems(told) == []
    assert told["model"]["kind"] == "top-down"
    assert told["model"]["networks"] == ["detect", "pose"]
    assert told["settings"]["people_in_picture"] == 2
    assert told["figures"]["engine"]["p50"] >= 1e3 * (DETECT_S + 2 * POSE_S)
    assert told["stages"]["pose"]["p50"] >= 2e3 * POSE_S
    one, four = told["people"]
    assert one["what"] == "crop + pose + decode, of drawn boxes"
    assert 1e3 * POSE_S <= one["timing"]["p50"] < four["timing"]["p50"]
    assert four["timing"]["p50"] >= 4e3 * POSE_S


def test_what_is_not_counted_for_two_networks_is_said(told):
    assert told["expected"] is None
    assert "roofline" in told["not_measured"]
    assert told["layers"] == []
    assert "does not tell" in told["not_measured"]["layers of pose"]
