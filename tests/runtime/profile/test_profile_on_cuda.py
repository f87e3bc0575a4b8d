"""An engine on a fake GPU is profiled: its events tell the engine's time, and what is not measured there is said."""
import pytest
from sticks import draw_sticks
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.cuda_paf_lane import CudaPafLane
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.profile import ProfileOptions, profile_model
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
