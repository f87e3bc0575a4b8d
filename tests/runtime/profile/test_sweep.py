"""Batches and sizes against each other: what is tried, what it takes, and why something cannot be tried."""
import fake_topdown
import numpy as np
import onnx_bytes
import pytest
from sticks import draw_sticks
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.card import card_from_json
from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.onnxfile import with_card
from wholebody.runtime.detection.network import BoxOptions, DetectorNetwork
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.geometry import Resolution
from wholebody.runtime.profile.sweep import Sweep, sweep
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.estimator import TopDownEstimator

pytest.importorskip("cv2", reason="pictures are resized with OpenCV")
SECONDS = 0.05


def cells_of(told):
    return [(row["input"], row["batch"]) for row in told["rows"]]


@pytest.fixture
def network(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    monkeypatch.chdir(tmp_path)
    write_stick_network(tmp_path)
    return "net.onnx"


def test_every_batch_of_every_size_is_measured_in_the_network_and_in_all_stages(network):
    with open_estimator(network, net_resolution="128x64", threads=1) as estimate:
        told, unknown = sweep(estimate, draw_sticks(3), Sweep((1, 3)), SECONDS)
        assert len(estimate(draw_sticks(3))) == 3, "the estimator is as it was"
    assert cells_of(told) == [("128x64", 1), ("128x64", 3), ("96x48", 1), ("96x48", 3), ("64x32", 1), ("64x32", 3)]
    assert unknown == {}
    for row in told["rows"]:
        assert 0 < row["engine"]["p50"] < row["pipeline"]["p50"]
        assert row["engine_per_second"] == pytest.approx(1e3 * row["batch"] / row["engine"]["p50"], rel=0.01)


def test_resolutions_may_be_named_and_those_that_come_out_alike_are_one(network):
    with open_estimator(network, net_resolution="128x64", threads=1) as estimate:
        wanted = Sweep((1,), (Resolution(64, 64), Resolution(-1, 32), Resolution(65, 64)))
        told, unknown = sweep(estimate, draw_sticks(1), wanted, SECONDS)
    assert cells_of(told)[0] == ("64x64", 1)
    assert len(told["rows"]) == 2
    assert list(unknown) == ["sweep of smaller inputs than 64x64"]


def test_a_network_of_one_size_and_batch_says_why_there_is_nothing_to_sweep(tmp_path):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    card = card_from_json(onnx_bytes.STICK_CARD)
    card = card._replace(input=card.input._replace(size=(64, 112)))
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card))
    with open_estimator(str(tmp_path / "net.onnx"), threads=1) as estimate:
        told, unknown = sweep(estimate, draw_sticks(1), Sweep((1,)), SECONDS)
    assert cells_of(told) == [("112x64", 1)]
    assert unknown == {"sweep of resolutions": "the network takes 112x64 only; export or build it for a range of sizes"}


def test_an_engine_on_cuda_sweeps_as_far_as_it_was_built_for(network, monkeypatch, tmp_path, gpu):
    use_tensorrt(monkeypatch, tmp_path, "10.3.0")
    build_engine(network, "net.engine", BuildSpec("fp32", (48, 96), (64, 112), (64, 112), 1, 2))
    with open_estimator("net.engine", net_resolution="112x64") as estimate:
        told, unknown = sweep(estimate, draw_sticks(2), Sweep((1, 2, 4)), SECONDS)
        assert len(estimate(draw_sticks(2))) == 2, "the estimator is as it was"
    assert cells_of(told) == [("112x64", 1), ("112x64", 2), ("96x48", 1), ("96x48", 2)]
    assert unknown["sweep of batch 4"] == "the network takes 2 frames at once; export or build it for more"
    assert "sweep of smaller inputs than 96x48" in unknown


def test_a_size_beyond_what_the_engine_was_built_for_is_told_and_the_others_go_on(network, monkeypatch, tmp_path, gpu):
    use_tensorrt(monkeypatch, tmp_path, "8.2.1")
    build_engine(network, "net.engine", BuildSpec("fp32", (48, 96), (64, 112), (64, 112), 1, 2))
    with open_estimator("net.engine", net_resolution="112x64") as estimate:
        wanted = Sweep((1,), (Resolution(256, 256), Resolution(96, 64)))
        told, unknown = sweep(estimate, draw_sticks(2), wanted, SECONDS)
    assert cells_of(told) == [("96x64", 1)]
    assert "cannot run on" in unknown["sweep of 256x256, batch 1"]


def test_people_at_once_are_the_batches_of_a_network_for_one_person():
    backend, pose = choose_backend("numpy"), fake_topdown.FakePose(delay=0.001, limit=4)
    detector = DetectorNetwork(fake_topdown.FakeDetector(()), BoxOptions(), backend)
    with TopDownEstimator(pose, detector, backend) as estimate:
        told, unknown = sweep(estimate, np.full((64, 64, 3), 255, np.uint8), Sweep((1, 2, 8)), SECONDS)
    assert told["of"] == "people"
    assert cells_of(told) == [("48x64", 1), ("48x64", 2)]
    assert set(pose.batches) == {1, 2}
    assert unknown == {"sweep of resolutions": "a network for one person takes 48x64 only",
                       "sweep of batch 8": "the network takes 4 people at once; export or build it for more"}
