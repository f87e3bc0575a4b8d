"""Frames through an engine on a fake GPU: the CPU's people, whatever order the GPU takes; nothing waits but decode.

The fake GPU (fake_gpu.py) does work as late as it may and in an order drawn by a seed; kernels are the real ones.
"""
import sys

import numpy as np
import pycuda_double
import pytest
from fake_gpu import DeviceMisuse, FakeGpu
from fake_stages import FakeFrames, FakeWatcher
from sticks import draw_sticks
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.errors import MissingPackage, ModelError
from wholebody.poses import Frame
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.cuda_paf_lane import CudaPafLane
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.lane import run_stage
from wholebody.runtime.paf_lane import PafLane
from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds, run_pipeline

pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
SIZE = "112x64"
COUNTS = [1, 3, 0, 4, 2, 4, 1]


class Frames(FakeFrames):
    """Drawn figures, as many in each frame as `counts` says."""

    def __init__(self, counts=COUNTS, width=112, name="frames"):
        super().__init__(len(counts), name=name)
        self._images = [draw_sticks(count, width) for count in counts]

    def image(self, index):
        return self._images[index]

    def __iter__(self):
        for frame in super().__iter__():
            yield frame._replace(image=self.image(frame.index))


@pytest.fixture(scope="module", params=["8.2.1", "10.3.0"], ids=["bindings", "named tensors"])
def built(request, tmp_path_factory):
    """A folder with a network and its engine of several sizes and batches, and the version that built it."""
    folder, patch = tmp_path_factory.mktemp("built"), pytest.MonkeyPatch()
    use_tensorrt(patch, folder, request.param)
    write_stick_network(folder)
    build_engine(str(folder / "net.onnx"), str(folder / "net.engine"),
                 BuildSpec("fp32", (32, 32), (64, 112), (128, 128), 1, 4))
    patch.undo()
    return folder, request.param


@pytest.fixture
def engine(built, monkeypatch, gpu):
    """The engine, where it was built, with the fake GPU that runs it."""
    folder, version = built
    monkeypatch.chdir(folder)
    use_tensorrt(monkeypatch, folder, version)
    return "net.engine"


def same(found, expected, resized=False):
    """What was resized may differ by a grey level here and there."""
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=0.1 if resized else 0.01)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3 if resized else 1e-5)
    np.testing.assert_array_equal(found.scores > 0, expected.scores > 0)


def on_cpu(counts=COUNTS, width=112):
    with open_estimator("net.onnx", net_resolution=SIZE, threads=1) as estimate:
        assert isinstance(estimate.lane, PafLane)
        return [estimate(draw_sticks(count, width)) for count in counts]


def in_flight(engine, source, lanes=3, **options):
    """The poses of a run, in order."""
    sink = FakeWatcher()
    with open_estimator(engine, net_resolution=SIZE, **options) as estimate:
        run_pipeline(source, estimate, [sink], PipelineOptions(in_flight=lanes))
    return [result.poses for result in sink.results]


def test_an_engine_on_a_gpu_gets_a_lane_there_and_finds_the_cpus_people(engine):
    with open_estimator(engine, net_resolution=SIZE) as estimate:
        assert isinstance(estimate.lane, CudaPafLane)
        for count, expected in zip(COUNTS, on_cpu()):
            assert len(expected) == count
            same(estimate(draw_sticks(count)), expected)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_frames_in_flight_are_the_same_in_any_order_the_gpu_takes(engine, monkeypatch, kernels_library, lanes):
    expected = on_cpu()
    for seed in range(6):
        pycuda_double.install(monkeypatch, FakeGpu(seed))
        for found, wanted in zip(in_flight(engine, Frames(), lanes), expected):
            same(found, wanted)


def test_a_graph_is_launched_from_the_second_frame_on(engine, gpu):
    in_flight(engine, Frames(), lanes=1)
    # The lane of `process` has none: no frame came its way.
    assert gpu.graph_launches == len(COUNTS) - 1
    assert gpu.graphs == {}


def test_an_old_driver_does_without_graphs(engine, monkeypatch):
    gpu = pycuda_double.install(monkeypatch, FakeGpu(driver_version=10000))
    for found, expected in zip(in_flight(engine, Frames()), on_cpu()):
        same(found, expected)
    assert gpu.graph_launches == 0


def test_a_network_that_cannot_be_captured_runs_without_a_graph(engine, gpu, monkeypatch):
    def refuse(self, stream, work):
        raise ModelError("cuStreamEndCapture failed: CUDA error 901")
    monkeypatch.setattr(CudaDevice, "capture", refuse)
    for found, expected in zip(in_flight(engine, Frames()), on_cpu()):
        same(found, expected)
    assert gpu.graph_launches == 0


def test_a_tegra_shares_its_memory(engine, monkeypatch):
    gpu = pycuda_double.install(monkeypatch, FakeGpu(integrated=True))
    for found, expected in zip(in_flight(engine, Frames()), on_cpu()):
        same(found, expected)
    assert gpu.downloads == 0, "the block is in memory that both see"


def test_nothing_is_allocated_once_it_runs(engine, gpu):
    with open_estimator(engine, net_resolution=SIZE) as estimate:
        estimate(draw_sticks(4))
        before = gpu.allocations
        for count in COUNTS * 3:
            estimate(draw_sticks(count))
        assert gpu.allocations == before


def test_sizes_may_change_from_frame_to_frame(engine):
    widths = [112, 96, 112, 64, 64, 120, 112]
    with open_estimator("net.onnx", threads=1) as cpu, open_estimator(engine) as estimate:
        for count, width in zip(COUNTS, widths):
            same(estimate(draw_sticks(count, width)), cpu(draw_sticks(count, width)), resized=True)


def test_lanes_of_several_sizes_take_turns_and_none_is_smaller_than_the_engine_takes(engine):
    """As --hold-fps asks them: each finds whom the CPU finds at that size; the engine takes 32x32 and more."""
    picture, widths = draw_sticks(2), []
    with open_estimator("net.onnx", net_resolution=SIZE, threads=1) as cpu, \
            open_estimator(engine, net_resolution=SIZE) as estimate:
        assert estimate.shares == (1.0, 0.75, 0.5)
        lanes = [estimate.new_lane(), estimate.new_lane()]
        for turn, share in enumerate((1.0, 0.75, 1.0, 0.5, 0.25)):
            found = []
            for lane, owner in ((lanes[turn % 2], estimate), (cpu.lane, cpu)):
                lane.take([Frame(picture, turn, 0.0, "x")])
                lane.share = max(share, 0.5) if owner is cpu else share
                for stage in owner.stages:
                    run_stage(stage, lane)
                found.append(lane.poses[0])
            geometry = lanes[turn % 2].seen(0).geometry
            widths.append((geometry.net_width, geometry.net_height))
            if share >= 0.5:
                same(*found, resized=True)
        assert widths == [(112, 64), (88, 48), (112, 64), (56, 32), (32, 32)]
        for lane in lanes:
            lane.close()


def test_several_sources_go_through_in_one_batch_and_come_back_to_their_own(engine, gpu):
    counts = [[1, 2, 3, 4], [4, 3, 2], [0, 1]]
    sinks = [FakeWatcher() for _ in counts]
    with open_estimator(engine, net_resolution=SIZE) as estimate:
        run_feeds([Feed(Frames(c, name=str(i)), [sink]) for i, (c, sink) in enumerate(zip(counts, sinks))], estimate)
    for own, sink in zip(counts, sinks):
        assert [len(result.poses) for result in sink.results] == own
        for result, expected in zip(sink.results, on_cpu(own)):
            same(result.poses, expected)


def test_maps_and_candidates_are_there_when_asked_for(engine):
    picture = draw_sticks(3)
    with open_estimator("net.onnx", net_resolution=SIZE, threads=1) as cpu, \
            open_estimator(engine, net_resolution=SIZE, keep_maps=True) as estimate:
        cpu(picture)
        for _ in range(3):  # plainly, captured, as a graph
            estimate(picture)
            np.testing.assert_array_equal(estimate.maps.heatmaps, cpu.maps.heatmaps)
            np.testing.assert_array_equal(estimate.maps.pafs, cpu.maps.pafs)
            for found, expected in zip(estimate.candidates(), cpu.candidates()):
                np.testing.assert_allclose(found, expected, atol=0.01)


def test_maps_that_stayed_on_the_gpu_are_one_line(engine):
    with open_estimator(engine, net_resolution=SIZE) as estimate:
        estimate(draw_sticks(1))
        with pytest.raises(ValueError, match="open the network with keep_maps=True"):
            estimate.maps  # noqa: B018


def test_the_time_of_the_network_is_the_gpus_own(engine):
    with open_estimator(engine, net_resolution=SIZE) as estimate:
        result = estimate.process(Frame(draw_sticks(2), 0, 0.0, "x"))
    assert set(result.stage_ms) == {"preprocess", "engine", "decode"}
    assert result.stage_ms["engine"] == int(result.stage_ms["engine"]) > 0, "the fake's clock counts pieces of work"


@pytest.mark.parametrize("decoder", ["native", "numpy"])
def test_who_wants_the_cpu_gets_it(engine, decoder):
    with open_estimator(engine, net_resolution=SIZE, decoder=decoder) as estimate:
        assert isinstance(estimate.lane, PafLane)
        for count, expected in zip(COUNTS, on_cpu()):
            same(estimate(draw_sticks(count)), expected)


def test_without_kernels_frames_are_decoded_on_the_cpu_and_it_is_said(engine, monkeypatch, caplog):
    def none(sm):
        raise MissingPackage("no CUDA compiler: nvcc is nowhere")
    monkeypatch.setattr("wholebody.runtime.kernels.compiling.kernels_for", none)
    with open_estimator(engine, net_resolution=SIZE) as estimate:
        assert isinstance(estimate.lane, PafLane)
        same(estimate(draw_sticks(2)), on_cpu([2])[0])
    assert "prepared and decoded on the CPU: no CUDA compiler" in caplog.text
    with pytest.raises(MissingPackage):
        open_estimator(engine, net_resolution=SIZE, decoder="cuda")


def test_an_error_of_the_gpu_ends_the_run_and_frees_everything(engine, gpu):
    class Failing(Frames):
        def image(self, index):
            if index == 4:
                gpu.failure = pycuda_double.Error("cuEventSynchronize failed: an illegal memory access")
            return super().image(index)
    with pytest.raises(ModelError, match="the GPU failed: .*illegal memory access"):
        in_flight(engine, Failing())
    assert gpu.blocks == {}


# ---- every event and wait is needed ----

class Sites:
    """Which lines of the project put an event or a wait on a stream; one of them may be left out."""

    def __init__(self, monkeypatch):
        self.found, self.left_out = [], None
        for name in ("record", "wait", "wait_host"):
            self._watch(monkeypatch, name, getattr(CudaDevice, name))

    def _watch(self, monkeypatch, name, method):
        def watched(device, *arguments):
            caller = sys._getframe(1)
            site = (name, caller.f_code.co_filename.split("/")[-1], caller.f_lineno)
            if site not in self.found:
                self.found.append(site)
            if site != self.left_out:
                method(device, *arguments)
        monkeypatch.setattr(CudaDevice, name, watched)


def test_leaving_out_any_event_or_wait_shows(engine, monkeypatch, kernels_library):
    expected, sites = on_cpu(), Sites(monkeypatch)

    def goes_well(seed):
        pycuda_double.install(monkeypatch, FakeGpu(seed))
        try:
            for found, wanted in zip(in_flight(engine, Frames()), expected):
                same(found, wanted)
        except (AssertionError, DeviceMisuse, ModelError, ValueError, pycuda_double.Error):
            return False
        return True

    assert all(goes_well(seed) for seed in range(3))
    needed = list(sites.found)
    assert {site[0] for site in needed} >= {"record", "wait_host"}
    for site in needed:
        sites.left_out = site
        assert not all(goes_well(seed) for seed in range(8)), "%s in %s:%d is not needed" % site
