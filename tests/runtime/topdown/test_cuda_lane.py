"""Crops on a fake GPU: the CPU's people, whatever order the GPU takes; nothing waits but decode."""
import json
import sys

import numpy as np
import onnx_bytes
import pycuda_double
import pytest
from fake_gpu import DeviceMisuse, FakeGpu
from fake_stages import FakeFrames, FakeWatcher
from tensorrt_setting import use_tensorrt

from wholebody.card import card_from_json
from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.onnxfile import with_card
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.errors import MissingPackage, ModelError
from wholebody.poses import Detections, Frame
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.detection import BoxFinder, Search
from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds, run_pipeline
from wholebody.runtime.topdown import opening
from wholebody.runtime.topdown.cuda_lane import CudaTopDownLane, mirror
from wholebody.runtime.topdown.estimator import TopDownOptions
from wholebody.runtime.topdown.opening import open_topdown

pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
COUNTS = [3, 1, 0, 7, 2, 0, 5]
AT_ONCE = 4  # what the engine takes
CARD = {"name": "points",
        "skeleton": {"name": "THREE", "keypoints": ["left", "right", "middle"], "flip_pairs": [[0, 1]]},
        "input": {"name": "image", "size": [64, 48], "box_padding": 1.25, "resize": "stretch", "scale": 1 / 255.0,
                  "mean": [0.1, 0.2, 0.05], "std": [1, 2, 0.5]},
        "heads": [{"kind": "heatmap", "stride": 8, "format": "quarter",
                   "outputs": {"heatmaps": {"output": "heatmaps"}}}]}


def picture(index, width=90):
    """Coloured noise that is smooth enough to have peaks."""
    coarse = np.random.RandomState(index).randint(0, 256, (9, width // 10, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((10, 10, 1), np.uint8))


class FakeBoxes(BoxFinder):
    """Fake boxes: as many as COUNTS says, by the frame's number, some of them partly outside."""

    def new_search(self):
        return _Drawn()


class _Drawn(Search):
    def boxes(self, frames):
        return [drawn_boxes(COUNTS[frame.index], frame.index) for frame in frames]


def drawn_boxes(count, seed):
    drawn = np.random.RandomState(1000 + seed)
    corner = drawn.uniform(-10, 60, (count, 2))
    boxes = np.concatenate([corner, corner + drawn.uniform(8, 50, (count, 2))], axis=1)
    return Detections(boxes.astype(np.float32), np.linspace(0.9, 0.5, count).astype(np.float32))


class Frames(FakeFrames):
    """A picture for every count."""

    def __init__(self, width=90, name="frames"):
        super().__init__(len(COUNTS), name=name)
        self._width = width

    def __iter__(self):
        for frame in super().__iter__():
            yield frame._replace(image=picture(frame.index, self._width))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder, patch = tmp_path_factory.mktemp("built"), pytest.MonkeyPatch()
    use_tensorrt(patch, folder, "10.3.0")
    (folder / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(json.dumps(CARD))))
    build_engine(str(folder / "net.onnx"), str(folder / "net.engine"),
                 BuildSpec("fp32", (64, 48), (64, 48), (64, 48), 1, AT_ONCE))
    patch.undo()
    return folder


@pytest.fixture
def engine(built, monkeypatch, gpu):
    monkeypatch.chdir(built)
    use_tensorrt(monkeypatch, built, "10.3.0")
    return "net.engine"


def opened(model, **options):
    opening_options = OpenOptions(1, CudaDevice)
    return open_topdown(open_engine(model, opening_options), TopDownOptions(whole_frame=True, **options),
                        opening_options)


@pytest.fixture(autouse=True)
def _boxes(monkeypatch):
    monkeypatch.setattr(opening, "WholeFrame", FakeBoxes)


def run(model, lanes=3, width=90, **options):
    """The poses of every frame, in order."""
    sink = FakeWatcher()
    with opened(model, **options) as estimate:
        run_pipeline(Frames(width), estimate, [sink], PipelineOptions(in_flight=lanes))
    return [result.poses for result in sink.results]


def same(found, expected):
    """Crops differ by a grey level here and there."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert len(one) == len(other)
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.01)
        np.testing.assert_allclose(one.scores, other.scores, atol=0.005)
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)


@pytest.mark.parametrize("options", [{}, {"flip": True}, {"people_at_once": 2}], ids=["plain", "flip", "two at once"])
def test_people_cut_out_on_the_gpu_are_those_of_the_cpu(engine, options):
    expected = run("net.onnx", pose_nms="none", **options)
    assert [len(poses) for poses in expected] == COUNTS
    assert any(len(np.unique(poses.keypoints)) > 12 for poses in expected)
    with opened(engine) as estimate:
        assert isinstance(estimate.lane, CudaTopDownLane)
    same(run(engine, pose_nms="none", **options), expected)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_frames_in_flight_are_the_same_in_any_order_the_gpu_takes(engine, monkeypatch, lanes):
    expected = run("net.onnx")
    for seed in range(5):
        pycuda_double.install(monkeypatch, FakeGpu(seed))
        same(run(engine, lanes), expected)


def test_a_tegra_shares_its_memory(engine, monkeypatch):
    pycuda_double.install(monkeypatch, FakeGpu(integrated=True))
    same(run(engine), run("net.onnx"))


def test_frames_may_change_their_size(engine):
    with opened("net.onnx") as cpu, opened(engine) as estimate:
        for index, width in enumerate([90, 70, 120, 90, 90, 110, 60]):
            frame = Frame(picture(index, width), index, 0.0, "x")
            same([estimate.process(frame).poses], [cpu.process(frame).poses])


def test_several_sources_go_through_together_and_come_back_to_their_own(engine):
    sinks = [FakeWatcher(), FakeWatcher()]
    with opened(engine) as estimate:
        run_feeds([Feed(Frames(width, name=str(width)), [sink]) for width, sink in zip((90, 70), sinks)], estimate)
    for width, sink in zip((90, 70), sinks):
        same([result.poses for result in sink.results], run("net.onnx", width=width))


def test_nothing_is_allocated_once_it_runs(engine, gpu):
    with opened(engine) as estimate:
        frames = [Frame(picture(index), index, 0.0, "x") for index in (3, 0, 1, 2, 4, 5, 6, 3)]
        estimate.process(frames[0])
        before = gpu.allocations
        for frame in frames:
            estimate.process(frame)
        assert gpu.allocations == before
    assert gpu.blocks == {}


def test_the_time_of_the_network_is_the_gpus_own(engine):
    with opened(engine) as estimate:
        times = estimate.process(Frame(picture(0), 0, 0.0, "x")).stage_ms
        assert times["pose"] == int(times["pose"]) > 0, "the fake's clock counts pieces of work"
        assert estimate.process(Frame(picture(2), 2, 0.0, "x")).stage_ms["pose"] == 0


@pytest.mark.parametrize("decoder", ["native", "numpy"])
def test_who_wants_the_cpu_gets_it(engine, decoder):
    with opened(engine, decoder=decoder) as estimate:
        assert not isinstance(estimate.lane, CudaTopDownLane)


def test_without_kernels_people_are_cut_out_on_the_cpu_and_it_is_said(engine, monkeypatch, caplog):
    def none(sm):
        raise MissingPackage("no CUDA compiler: nvcc is nowhere")
    monkeypatch.setattr("wholebody.runtime.kernels.compiling.kernels_for", none)
    same(run(engine), run("net.onnx"))
    assert "cut out of frames on the CPU: no CUDA compiler" in caplog.text
    with pytest.raises(MissingPackage):
        opened(engine, decoder="cuda")


def test_a_mirrored_crop_is_the_crop_mirrored():
    matrices = np.random.RandomState(0).uniform(-2, 2, (5, 2, 3)).astype(np.float32)
    for column in range(48):
        for one, other in zip(matrices, mirror(matrices, 48)):
            np.testing.assert_allclose(other.dot([column, 7, 1]), one.dot([47 - column, 7, 1]), atol=1e-4)


def test_leaving_out_any_event_or_wait_of_this_lane_shows(engine, monkeypatch):
    expected, left_out, found = run("net.onnx"), [None], []

    def watch(name, method):
        def watched(device, *arguments):
            caller = sys._getframe(1)
            site = (name, caller.f_code.co_filename.split("/")[-1], caller.f_lineno)
            if site not in found:
                found.append(site)
            if site != left_out[0]:
                method(device, *arguments)
        monkeypatch.setattr(CudaDevice, name, watched)

    def goes_well(seed):
        pycuda_double.install(monkeypatch, FakeGpu(seed))
        try:
            same(run(engine), expected)
        except (AssertionError, DeviceMisuse, ModelError, ValueError, pycuda_double.Error):
            return False
        return True

    for name in ("record", "wait", "wait_host"):
        watch(name, getattr(CudaDevice, name))
    assert all(goes_well(seed) for seed in range(3))
    needed = [site for site in found if site[1] == "cuda_lane.py"]
    assert {site[0] for site in needed} == {"record", "wait", "wait_host"}
    for site in needed:
        left_out[0] = site
        assert not all(goes_well(seed) for seed in range(8)), "%s in %s:%d is not needed" % site
