"""Networks for faces and hands are profiled with the one for bodies that they stand behind."""
import time

import fake_topdown
import numpy as np
import pytest
from fake_parts import FACE, FakeDots

from wholebody.default_model import default_model_path
from wholebody.runtime.detection.network import BoxOptions, DetectorNetwork
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.parts.estimator import ComposedEstimator
from wholebody.runtime.parts.network import PartNetwork
from wholebody.runtime.profile import ProfileOptions, Sweep, profile_model, profiling
from wholebody.runtime.profile.schema import problems
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.estimator import TopDownEstimator

HEAD = {"name": "HEAD", "keypoints": ["nose", "neck"]}
POSE_S, FACE_S = 0.002, 0.003


class SlowDots(FakeDots):
    """A fake network for faces that takes a known time."""

    def infer(self, feeds):
        time.sleep(FACE_S)
        return super().infer(feeds)


def faces_behind(bodies):
    """One face a run, so that the time grows with the faces."""
    return ComposedEstimator(bodies, [PartNetwork("face", SlowDots(FACE, {"kind": "face"}, limit=1), bodies.skeleton,
                                                  choose_backend("numpy"))])


def profiled(monkeypatch, path, estimate, image, **options):
    pytest.importorskip("cv2", reason="pictures are resized with OpenCV")
    monkeypatch.setattr(profiling, "open_whole", lambda model: estimate)
    return profile_model(str(path), image, ProfileOptions(seconds=1.0, people=(1, 4), **options))


@pytest.fixture
def top_down(tmp_path, monkeypatch):
    """Of two people in boxes, each with a face."""
    (tmp_path / "pose.onnx").write_bytes(b"fake")
    monkeypatch.chdir(tmp_path)
    backend = choose_backend("numpy")
    detector = DetectorNetwork(fake_topdown.FakeDetector(((4, 4, 24, 44), (34, 4, 54, 44))), BoxOptions(), backend)
    pose = fake_topdown.FakePose(fake_topdown.pose_card(skeleton=HEAD), delay=POSE_S)
    estimate = faces_behind(TopDownEstimator(pose, detector, backend))
    bright = np.full((320, 320, 3), 255, np.uint8)
    return profiled(monkeypatch, "pose.onnx", estimate, bright, sweep=Sweep(batches=(1,)))


def test_the_network_for_faces_is_one_of_the_engine_and_has_its_stage(top_down):
    assert problems(top_down) == []
    assert (top_down["model"]["kind"], top_down["model"]["networks"]) == ("top-down", ["detect", "pose", "face"])
    assert top_down["settings"]["people_in_picture"] == 2
    assert top_down["stages"]["face"]["p50"] >= 2e3 * FACE_S
    assert top_down["figures"]["engine"]["p50"] >= 1e3 * (POSE_S + 2 * FACE_S)
    assert "does not tell" in top_down["not_measured"]["layers of face"]


def test_faces_are_paid_for_by_the_person(top_down):
    one, four = top_down["people"]
    assert one["what"] == "crop + pose + decode + part-crops + face + whole, of drawn boxes"
    assert four["timing"]["p50"] >= 4e3 * FACE_S
    assert one["timing"]["p50"] < four["timing"]["p50"]


def test_a_sweep_is_of_the_network_for_bodies(top_down):
    assert [row["batch"] for row in top_down["sweep"]["rows"]] == [1]
    assert "for bodies alone" in top_down["not_measured"]["faces and hands of the sweep"]


def test_faces_of_drawn_maps_are_looked_at_as_well(monkeypatch):
    pytest.importorskip("onnxruntime", reason="the network that comes along runs on ONNX Runtime")
    pytest.importorskip("cv2", reason="pictures are resized with OpenCV")
    bodies = open_estimator(default_model_path(), net_resolution="96x96", threads=1)
    told = profiled(monkeypatch, default_model_path(), faces_behind(bodies), np.full((480, 480, 3), 90, np.uint8))
    assert problems(told) == []
    assert (told["model"]["kind"], told["model"]["networks"]) == ("bottom-up", ["engine", "face"])
    assert told["model"]["input"] == "96x96"
    one, four = told["people"]
    assert one["what"] == "decode + part-crops + face + whole, on drawn maps"
    assert 1e3 * FACE_S <= one["timing"]["p50"] < four["timing"]["p50"]
