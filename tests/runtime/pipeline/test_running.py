"""A whole run, with a strict fake for the network and fakes for what it reads and writes."""
import json

import numpy as np
import pytest
from fake_engine import FakeStickEngine, stick_card

from wholebody.errors import OutputError, SourceError
from wholebody.poses import Frame
from wholebody.runtime.estimator import Estimator, EstimatorOptions
from wholebody.runtime.pipeline import PipelineOptions, run_pipeline
from wholebody.runtime.sinks import CocoJson, OpenPoseJson, Sink
from wholebody.runtime.sources import open_source
from wholebody.runtime.sources.base import Source


@pytest.fixture
def estimate():
    with Estimator(FakeStickEngine(stick_card()), EstimatorOptions(decoder="numpy")) as estimate:
        yield estimate


class FakeSource(Source):
    """A fake that gives black pictures of these sizes (width, height), and an error in place of None."""

    def __init__(self, *sizes):
        super().__init__("fake")
        self.sizes = sizes

    def __iter__(self):
        for index, size in enumerate(self.sizes):
            if size is None:
                self.problem("%d cannot be read" % index)
            else:
                yield Frame(np.zeros((size[1], size[0], 3), np.uint8), index, 0.5, "frame_%d" % index)


class FakeSink(Sink):
    """A fake that notes what it is told, and fails at one frame when asked to."""

    def __init__(self, fail_at=-1):
        self.fail_at = fail_at
        self.told = []

    def write(self, frame, result, details):
        if frame.index == self.fail_at:
            raise OutputError("disk full")
        self.told.append((frame.source, result, details))

    def close(self):
        self.told.append("close")

    def abort(self):
        self.told.append("abort")


def test_a_run_over_a_folder_counts_times_and_goes_on_after_a_bad_picture(estimate, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="pictures are written with OpenCV")
    (tmp_path / "in").mkdir()
    for name in ("a", "c"):
        cv2.imwrite(str(tmp_path / "in" / (name + ".png")), np.zeros((192, 256, 3), np.uint8))
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    seen = []
    with open_source(str(tmp_path / "in")) as source:
        summary = run_pipeline(source, estimate, [OpenPoseJson(tmp_path / "out")],
                               PipelineOptions(keypoint_scale="unit", part_candidates=True),
                               lambda frames, people: seen.append((frames, people)))
    assert (summary.frames, summary.people, summary.frames_with_people) == (2, 2, 2)
    assert seen == [(1, 1), (2, 2)]
    assert len(summary.problems) == 1
    assert "b.png" in summary.problems[0]
    assert sorted(summary.stage_ms) == ["decode", "engine", "preprocess", "write"]
    files = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert files == ["a_keypoints.json", "c_keypoints.json"]
    data = json.loads((tmp_path / "out" / "a_keypoints.json").read_text())
    assert max(data["people"][0]["pose_keypoints_2d"]) <= 1
    assert sorted(data["part_candidates"][0]) == ["0", "1", "2"]


def test_every_sink_gets_every_frame_in_order_and_is_closed(estimate):
    sinks = [FakeSink(), FakeSink()]
    summary = run_pipeline(FakeSource((256, 192), (512, 384), (128, 96)), estimate, sinks)
    for sink in sinks:
        assert [told[0] for told in sink.told[:-1]] == ["frame_0", "frame_1", "frame_2"]
        assert sink.told[-1] == "close"
    assert (summary.frames, summary.people, summary.frames_with_people, summary.problems) == (3, 3, 3, [])
    assert [told[1].index for told in sinks[0].told[:-1]] == [0, 1, 2]
    details = sinks[0].told[1][2]
    assert details.net_size == (256, 192)
    assert details.heatmaps.shape == (3, 24, 32)
    assert details.pafs.shape == (4, 24, 32)
    assert details.candidates is None
    np.testing.assert_array_equal(details.keypoints, sinks[0].told[1][1].poses.keypoints)


def test_results_of_earlier_frames_stay_as_they_were(estimate):
    sink = FakeSink()
    run_pipeline(FakeSource((256, 192), (512, 384)), estimate, [sink], PipelineOptions(part_candidates=True))
    (_, first, first_details), (_, second, second_details) = sink.told[:2]
    np.testing.assert_allclose(second.poses.keypoints, 2 * first.poses.keypoints, rtol=1e-5)
    np.testing.assert_allclose(second_details.candidates[0][:, :2], 2 * first_details.candidates[0][:, :2], rtol=1e-5)


def test_candidates_are_scaled_as_keypoints_are(estimate):
    sink = FakeSink()
    run_pipeline(FakeSource((512, 384)), estimate, [sink], PipelineOptions("net", part_candidates=True))
    _, result, details = sink.told[0]
    np.testing.assert_allclose(details.keypoints[0, 0], result.poses.keypoints[0, 0] / 2, rtol=1e-5)
    np.testing.assert_allclose(details.candidates[0][0, :2], details.keypoints[0, 0], rtol=1e-5)
    assert details.candidates[0][0, 2] == result.poses.scores[0, 0]


def test_an_error_in_one_sink_aborts_all_of_them(estimate):
    sinks = [FakeSink(), FakeSink(fail_at=1)]
    with pytest.raises(OutputError, match="disk full"):
        run_pipeline(FakeSource((256, 192), (256, 192), (256, 192)), estimate, sinks)
    assert [sink.told[-1] for sink in sinks] == ["abort", "abort"]


def test_a_run_of_which_nothing_could_be_read_writes_nothing(estimate, tmp_path):
    with pytest.raises(SourceError, match="fake: nothing could be read: 0 cannot be read"):
        run_pipeline(FakeSource(None, None), estimate, [CocoJson(tmp_path / "coco.json")])
    assert list(tmp_path.iterdir()) == []


def test_problems_are_told_and_the_rest_goes_on(estimate):
    summary = run_pipeline(FakeSource((256, 192), None, (256, 192)), estimate, [])
    assert (summary.frames, summary.problems) == (2, ["1 cannot be read"])


def test_a_summary_is_json_and_its_percentiles_are_in_order(estimate):
    data = json.loads(json.dumps(run_pipeline(FakeSource(*[(256, 192)] * 5), estimate, []).to_dict()))
    assert (data["frames"], data["people"]) == (5, 5)
    assert data["frames_per_second"] > 0
    assert sorted(data["stage_ms"]) == ["decode", "engine", "preprocess", "write"]
    for spread in data["stage_ms"].values():
        assert 0 <= spread["p50"] <= spread["p95"] <= spread["p99"]


def test_a_run_without_frames_has_an_empty_summary(estimate):
    data = run_pipeline(FakeSource(), estimate, []).to_dict()
    assert (data["frames"], data["people"], data["stage_ms"]) == (0, 0, {})


def test_an_unknown_scale_stops_the_run_and_leaves_no_file(estimate, tmp_path):
    with pytest.raises(ValueError, match="unknown keypoint scale"):
        run_pipeline(FakeSource((256, 192)), estimate, [OpenPoseJson(tmp_path / "out")], PipelineOptions("pixel"))
    assert list((tmp_path / "out").iterdir()) == []
