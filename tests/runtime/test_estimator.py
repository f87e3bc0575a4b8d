"""The path of one frame, and a whole run, with an engine that is a fake but strict."""
import json

import numpy as np
import onnx_bytes
import pytest

import wholebody
from wholebody.card import card_from_json
from wholebody.engines.engine import Engine, TensorInfo
from wholebody.engines.onnxfile import with_card
from wholebody.errors import CardError, ModelError, ShapeError
from wholebody.poses import Frame
from wholebody.runtime.estimator import Estimator, EstimatorOptions
from wholebody.runtime.keypoint_scale import scale_keypoints
from wholebody.runtime.pipeline import PipelineOptions, run_pipeline
from wholebody.runtime.sinks import OpenPoseJson
from wholebody.runtime.sources import open_source

STICK = {"name": "STICK", "keypoints": ["top", "middle", "bottom"], "paf": {"pairs": [[0, 1], [1, 2]]}}
STRIDE, CELLS = 8, (24, 32)  # of the fake's maps: an input of 256x192
POINTS = ((12.2, 5.1), (12.2, 10.1), (12.2, 15.1))  # x, y in cells; on a cell, two pixels tie and neither is a peak


def stick_card(**changes):
    outputs = {"heatmaps": {"output": "heatmaps"}, "pafs": {"output": "pafs"}}
    data = {"name": "stick", "skeleton": STICK, "input": {"name": "image", "height": 192, "multiple": 64},
            "heads": [{"kind": "paf", "stride": STRIDE, "outputs": outputs}]}
    return card_from_json(json.dumps(dict(data, **changes)))


class FakeStickEngine(Engine):
    """A fake network that sees one stick figure in whatever it is shown, and is strict about what it is fed."""

    def __init__(self, card):
        self.path, self.card = "fake.onnx", card
        self.inputs = (TensorInfo("image", ("N", 3, "H", "W"), "float32"),)
        self.outputs = (TensorInfo("heatmaps", ("N", 3, "h", "w"), "float32"),
                        TensorInfo("pafs", ("N", 4, "h", "w"), "float32"))
        self.closed = False

    def infer(self, feeds):
        assert list(feeds) == ["image"]
        blob = feeds["image"]
        assert (blob.dtype, blob.shape) == (np.float32, (1, 3, CELLS[0] * STRIDE, CELLS[1] * STRIDE))
        assert blob.flags.c_contiguous
        y, x = np.mgrid[:CELLS[0], :CELLS[1]]
        heat = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / 2.0) for px, py in POINTS]
        fields = np.zeros((4,) + CELLS)
        for limb in range(2):
            top, bottom = POINTS[limb][1], POINTS[limb + 1][1]
            fields[2 * limb + 1][(np.abs(x - 12) <= 1) & (y >= top - 1) & (y <= bottom + 1)] = 1
        return {"heatmaps": np.array(heat, np.float32)[None], "pafs": fields.astype(np.float32)[None]}

    def close(self):
        self.closed = True


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
    ("another input", stick_card(input={"name": "data"}), "feeds one input 'data'"),
    ("unknown thresholds", stick_card(decoding={"nms": 0.1}), "nms"),
]


@pytest.mark.parametrize("card, message", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_card_that_does_not_serve_is_refused_at_open(card, message):
    with pytest.raises(CardError) as caught:
        Estimator(FakeStickEngine(card))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_maps_that_are_not_what_the_card_says_are_refused_at_the_first_frame():
    with Estimator(FakeStickEngine(stick_card(skeleton="COCO_18"))) as estimate:
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


SCALED = [("input", (100, 50)), ("net", (50, 25)), ("output", (100, 50)), ("unit", (100 / 511.0, 50 / 383.0)),
          ("centred", (200 / 511.0 - 1, 100 / 383.0 - 1))]


@pytest.mark.parametrize("scale, expected", SCALED, ids=[case[0] for case in SCALED])
def test_keypoints_are_written_in_the_coordinates_of_openpose(estimate, scale, expected):
    estimate(np.zeros((384, 512, 3), np.uint8))
    points = np.array([[[100, 50], [0, 0]]], np.float32)
    scaled = scale_keypoints(points, scale, 512, 384, estimate.geometry)
    np.testing.assert_allclose(scaled[0, 0], expected, rtol=1e-6)
    assert scaled[0, 1].tolist() == ([-1, -1] if scale == "centred" else [0, 0])


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
