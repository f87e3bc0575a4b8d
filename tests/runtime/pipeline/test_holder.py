"""Holding a rate in a run: lanes get their size, frames are left out and counted, and it is said."""
import json
import time

import pytest
from fake_stages import FakeCamera, FakeFrames, FakeStages, FakeWatcher, threads_left

from wholebody.cli.run import main
from wholebody.runtime.pipeline import PipelineOptions, holding, run_pipeline
from wholebody.runtime.pipeline.holder import Holder, board_says


class Sized(FakeStages):
    """Fake stages whose engine takes `seconds` for the full size, and less for less."""

    def __init__(self, seconds, shares=(1.0, 0.5)):
        super().__init__()
        self.seconds, self._shares, self.seen = seconds, shares, []

    @property
    def shares(self):
        return self._shares

    def new_lane(self):
        lane = super().new_lane()
        lane.owner = self
        return lane

    def _stage(self, number):
        run = super()._stage(number)

        def sized(lane):
            if number == 1:
                self.seen.append((lane.frames[0].index, lane.share))
                time.sleep(self.seconds * lane.share ** 2)
            run(lane)
        return sized


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Decisions after a tenth of a second."""
    monkeypatch.setattr(holding, "_SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(holding, "_ENOUGH", 4)


@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_network_that_is_too_slow_gets_smaller_input(in_flight, caplog):
    sink = FakeWatcher()
    with Sized(0.040) as estimate:
        summary = run_pipeline(FakeFrames(30), estimate, [sink], PipelineOptions(in_flight=in_flight, hold_fps=40))
    sizes = [share for _, share in estimate.seen]
    assert sizes[0] == 1.0
    assert sizes[-1] == 0.5
    assert sizes == sorted(sizes, reverse=True)
    assert summary.frames == 30
    assert summary.hold["skipped"] == 0
    assert summary.hold["frames"]["full size"] + summary.hold["frames"]["50 % of the size"] == 30
    assert [change["to"] for change in summary.hold["changes"]] == ["50 % of the size"]
    assert "hold 40 fps" in caplog.text
    assert "possible at full size; down to 50 % of the size" in caplog.text
    assert threads_left() == []


@pytest.mark.parametrize("in_flight", [1, 3])
def test_frames_that_are_left_out_are_counted_and_the_others_keep_their_order(in_flight):
    sink = FakeWatcher()
    with Sized(0.030, (1.0,)) as estimate:
        summary = run_pipeline(FakeFrames(60), estimate, [sink], PipelineOptions(in_flight=in_flight, hold_fps=50))
    assert summary.hold["skipped"] > 10
    assert summary.frames + summary.hold["skipped"] == 60
    assert sink.indices == sorted(set(sink.indices))
    assert sink.indices[-1] >= 57, "the last frames are looked at"


def test_a_live_source_may_be_held_too():
    sink = FakeWatcher()
    with Sized(0.040) as estimate:
        summary = run_pipeline(FakeCamera(40), estimate, [sink], PipelineOptions(hold_fps=28))
    assert summary.frames + summary.dropped + summary.hold["skipped"] == 40
    assert summary.hold["level"] != "full size"


def test_without_it_nothing_changes_and_the_summary_says_nothing():
    with Sized(0.010) as estimate:
        summary = run_pipeline(FakeFrames(10), estimate, [])
    assert {share for _, share in estimate.seen} == {1.0}
    assert summary.hold is None
    assert "hold" not in summary.to_dict()


def test_frames_that_set_out_before_a_change_do_not_count_after_it():
    holder = Holder(15, (1.0, 0.5), why=lambda: "")
    before = holder.level
    for _ in range(12):
        holder.frame_done(before, 0.5)
        time.sleep(0.01)
    assert holder.level.share == 0.5
    for _ in range(30):  # still on their way at the old level, slow ones
        holder.frame_done(before, 0.5)
        time.sleep(0.005)
    assert holder.level.share == 0.5


@pytest.mark.parametrize("in_flight", [1, 3], ids=["in turn", "in flight"])
def test_a_wait_for_the_gpu_that_two_stages_count_is_one_wait(in_flight, monkeypatch):
    """The engine says the GPU's 40 ms itself, and decode waits for them: 50 ms a frame in turn, and not 90."""
    costs = []
    monkeypatch.setattr(Holder, "frame_done", lambda self, level, seconds: costs.append(seconds))

    def on_gpu(name, lane):
        if name == "engine":
            lane.stage_ms["engine"] = 40.0
        if name == "decode":
            time.sleep(0.050)

    with FakeStages(on_stage=on_gpu) as estimate:
        run_pipeline(FakeFrames(8), estimate, [], PipelineOptions(in_flight=in_flight, hold_fps=10))
    middle = sorted(costs)[len(costs) // 2]
    assert 0.045 < middle < 0.085


def test_the_board_says_why(tmp_path):
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    device = tmp_path / "sys/class/thermal/cooling_device0"
    for folder, files in ((zone, {"type": "GPU-therm", "temp": "86500"}),
                          (device, {"type": "gpu-throttle", "cur_state": "2"})):
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    assert board_says(str(tmp_path)) == "86 degrees, gpu-throttle is throttled"
    (zone / "temp").write_text("41000")
    (device / "cur_state").write_text("0")
    assert board_says(str(tmp_path)) == ""


def test_a_real_network_is_asked_at_smaller_sizes_and_finds_people_in_the_frames_pixels(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    pytest.importorskip("cv2", reason="resizes pictures")
    from sticks import draw_sticks
    from tensorrt_setting import write_stick_network

    from wholebody.poses import Frame
    from wholebody.runtime.estimator import open_estimator
    from wholebody.runtime.lane import run_stage
    image = draw_sticks(1, 224)
    with open_estimator(str(write_stick_network(tmp_path)), net_resolution="224x128", decoder="numpy") as estimate:
        assert estimate.shares == (1.0, 0.75, 0.5)
        lane, sizes, shoulders = estimate.lane, [], []
        for share in estimate.shares:
            lane.take([Frame(image, 0, 0.0, "x")])
            lane.share = share
            for stage in estimate.stages:
                run_stage(stage, lane)
            geometry = lane.seen(0).geometry
            sizes.append((geometry.net_width, geometry.net_height))
            assert len(lane.poses[0]) == 1
            shoulders.append(lane.poses[0].keypoints[0, 0])
        assert sizes == [(224, 128), (168, 96), (112, 64)]
        cell = 16  # frame pixels, of the network's maps at half the size
        assert all(abs(other - shoulders[0]).max() < cell for other in shoulders)
        assert shoulders[0][0] == pytest.approx(14.5, abs=2)


def test_wb_run_takes_it(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    cv2 = pytest.importorskip("cv2", reason="pictures are read with OpenCV")
    from sticks import draw_sticks
    from tensorrt_setting import write_stick_network
    monkeypatch.chdir(tmp_path)
    write_stick_network(tmp_path)
    (tmp_path / "pictures").mkdir()
    for number in range(6):
        cv2.imwrite("pictures/%d.png" % number, draw_sticks(2))
    assert main(["--engine", "net.onnx", "--source", "pictures", "--hold-fps", "1"]) == 0
    assert "held 1 frames/s: 6 at full size; 0 left out, 0 changes" in capsys.readouterr().out
    assert main(["--engine", "net.onnx", "--source", "pictures", "--hold-fps", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hold"]["level"] == "full size"
    with pytest.raises(SystemExit):
        main(["--source", "pictures", "--hold-fps", "fast"])
