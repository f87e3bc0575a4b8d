"""An engine on a fake GPU is profiled: its events tell the engine's time, and what is not measured there is said."""
import json

import onnx_bytes
import pytest
from sticks import draw_sticks
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.card import card_from_json
from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.onnxfile import with_card
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.cuda_paf_lane import CudaPafLane
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.profile import ProfileOptions, Sweep, profile_model
from wholebody.runtime.profile.crowds import drawn_maps
from wholebody.runtime.profile.gpu import copy_rate
from wholebody.runtime.profile.schema import problems
from wholebody.runtime.profile.ways import InTurn, on_host

pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")


@pytest.fixture
def engine(tmp_path, monkeypatch, gpu):
    """An engine of the network that sees sticks, and the fake GPU that runs it."""
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, "10.3.0")
    write_stick_network(tmp_path)
    build_engine("net.onnx", "net.engine", BuildSpec("fp32", (32, 32), (64, 112), (128, 128), 1, 4))
    return "net.engine"


def test_the_engine_on_cuda_is_timed_by_its_events(engine):
    with open_estimator(engine, net_resolution="112x64") as estimate:
        assert isinstance(estimate.lane, CudaPafLane)
        assert not on_host(estimate.lane)
        in_turn = InTurn(estimate, draw_sticks(3))
        took = in_turn.engine()
        assert took == int(took) > 0, "the fake's clock counts pieces of work"


CARD = {"name": "points",
        "skeleton": {"name": "THREE", "keypoints": ["left", "right", "middle"], "flip_pairs": [[0, 1]]},
        "input": {"name": "image", "size": [64, 48], "box_padding": 1.25, "resize": "stretch"},
        "heads": [{"kind": "heatmap", "stride": 8, "format": "quarter",
                   "outputs": {"heatmaps": {"output": "heatmaps"}}}]}


def test_a_network_for_one_person_on_cuda_is_profiled_with_crowds_batches_layers_and_memory(engine, tmp_path):
    (tmp_path / "one.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(json.dumps(CARD))))
    build_engine("one.onnx", "one.engine", BuildSpec("fp32", (64, 48), (64, 48), (64, 48), 1, 4))
    told = profile_model("one.engine", draw_sticks(3), ProfileOptions(1.0, people=(1, 3), sweep=Sweep((1, 2, 8))),
                         whole_frame=True)
    assert problems(told) == []
    assert {row["what"] for row in told["people"]} == {"crop + pose + decode, of drawn boxes"}
    assert [(row["input"], row["batch"]) for row in told["sweep"]["rows"]] == [("48x64", 1), ("48x64", 2)]
    assert "takes 4 people at once" in told["not_measured"]["sweep of batch 8"]
    assert [(own["network"], own["by"], own["run_ms"]) for own in told["layers"]] == [
        ("pose", "TensorRT's profiler", 2.0)]
    assert 0 < told["memory"]["device_mb"]["now"] <= told["memory"]["device_mb"]["peak"]
    assert told["processor"] is None


def test_crowds_on_cuda_are_found_and_the_next_frame_is_as_it_was(engine):
    with open_estimator(engine, net_resolution="112x64") as estimate:
        before = estimate(draw_sticks(3)).keypoints
        skeleton, stride = estimate.skeleton, estimate.card.head("paf").stride
        decode = estimate.lane.decoder.decoding(*drawn_maps(skeleton, 5, 64 // stride, 112 // stride))
        assert len(decode()) == len(decode()) > 0
        assert (estimate(draw_sticks(3)).keypoints == before).all()


def test_copies_within_the_gpu_are_timed_by_events_and_leave_no_memory(gpu):
    device = CudaDevice()
    with device.active():
        free, _ = device.memory()
    assert copy_rate(device) == pytest.approx(1e-6 * (64 << 20)), "a copy and an event: two ticks of the fake's clock"
    with device.active():
        assert device.memory()[0] == free
    device.close()


def test_layers_on_cuda_are_told_by_tensorrt_beside_events_around_bare_runs(engine):
    network, = profile_model(engine, draw_sticks(3), ProfileOptions(seconds=1.0), net_resolution="112x64")["layers"]
    assert network["by"] == "TensorRT's profiler"
    assert network["rows"][0]["kind"] == "Reformat"
    assert (network["sum_ms"], network["run_ms"]) == (pytest.approx(1, abs=0.001), 2.0), "the fake's ticks"


def test_a_profile_on_cuda_says_what_it_does_not_measure(engine):
    told = profile_model(engine, draw_sticks(3), ProfileOptions(seconds=1.0), net_resolution="112x64")
    assert problems(told) == []
    assert [row["people"] for row in told["people"]] == [1, 5, 10, 20, 50]
    assert {row["what"] for row in told["people"]} == {"decode, on drawn maps in the GPU's memory"}
    memory = told["memory"]["device_mb"]
    assert 0 < memory["now"] <= memory["peak"] < memory["total"]
    assert told["settings"]["people_in_picture"] == 3
    assert "no board of the table" in told["not_measured"]["roofline"]
