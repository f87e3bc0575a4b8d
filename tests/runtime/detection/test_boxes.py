"""Detectors' numbers to boxes, and which of them stay, against plain loops."""
import json
import math
import time

import numpy as np
import pytest

from wholebody.errors import CardError, SourceError
from wholebody.poses import Detections, Frame
from wholebody.runtime.detection.decoding import rtmdet_boxes, select, yolox_boxes
from wholebody.runtime.detection.given import BoxesOfFile, WholeFrame
from wholebody.runtime.native.library import HOW_TO_BUILD, find_library
from wholebody.runtime.topdown.choosing import choose_backend


@pytest.fixture(params=["numpy", "native"])
def backend(request):
    if request.param == "native" and find_library() is None:
        pytest.skip("the native library is not built; " + HOW_TO_BUILD)
    return choose_backend(request.param)


def overlap_by_hand(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height)


def chosen_by_hand(boxes, scores, size, most_overlap):
    """One box after the other, best first."""
    people = []
    for box, score in zip(boxes.tolist(), scores.tolist()):
        if not all(math.isfinite(value) for value in box + [score]):
            continue
        box = [min(max(value, 0), size[i % 2]) for i, value in enumerate(box)]
        if box[2] > box[0] and box[3] > box[1]:
            people.append((score, box))
    people.sort(key=lambda one: -one[0])
    kept = []
    for score, box in people:
        if all(overlap_by_hand(box, other) <= most_overlap for _, other in kept):
            kept.append((score, box))
    return kept


def some_boxes(count, seed=0):
    random = np.random.RandomState(seed)
    corner, side = random.randint(-50, 600, (count, 2)), random.randint(5, 300, (count, 2))
    return np.concatenate([corner, corner + side], axis=1).astype(np.float32), random.rand(count).astype(np.float32)


CASES = {
    "no people": some_boxes(0), "one": some_boxes(1), "forty": some_boxes(40), "500 boxes": some_boxes(500),
    "identical boxes": (np.tile(np.float32([[10, 10, 60, 90]]), (30, 1)), np.full(30, 0.5, np.float32)),
    "outside the frame": (np.float32([[-90, -90, -10, -10], [700, 0, 800, 50], [600, 400, 900, 900]]),
                          np.float32([1, 1, 0.3])),
    "NaN scores": (some_boxes(20)[0], np.where(np.arange(20) % 3, some_boxes(20)[1], np.float32(np.nan))),
    "NaN and infinite boxes": (np.float32([[0, 0, np.nan, 5], [0, 0, np.inf, 50], [1, 2, 30, 40]]), np.ones(3, "f4")),
    "boxes turned inside out": (np.float32([[50, 50, 10, 10], [10, 50, 50, 10]]), np.ones(2, np.float32)),
}


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("most_overlap", [0.0, 0.45, 0.6, 1.0])
def test_the_boxes_that_stay_are_those_of_a_plain_loop(backend, name, most_overlap):
    boxes, scores = CASES[name]
    found = select(Detections(boxes, scores), (640, 480), most_overlap, backend)
    expected = chosen_by_hand(boxes, scores, (640, 480), most_overlap)
    np.testing.assert_allclose(found.scores, [score for score, _ in expected])
    np.testing.assert_allclose(found.boxes_xyxy, np.reshape([box for _, box in expected], (-1, 4)))


def test_the_best_few_are_kept_on_request(backend):
    boxes, scores = some_boxes(50)
    found = select(Detections(boxes, scores), (640, 480), 1.0, backend, most=3)
    assert found.scores.tolist() == select(Detections(boxes, scores), (640, 480), 1.0, backend).scores[:3].tolist()


def test_five_hundred_boxes_take_no_time(backend):
    boxes, scores = some_boxes(500)
    best = math.inf
    for _ in range(3):
        started = time.perf_counter()
        select(Detections(boxes, scores), (640, 480), 0.6, backend)
        best = min(best, time.perf_counter() - started)
    assert best < 0.1


def yolox_by_hand(rows, size, least):
    found, row = [], 0
    for stride in (8, 16, 32):
        for y in range(size[1] // stride):
            for x in range(size[0] // stride):
                dx, dy, w, h, sure, person = rows[row][:6]
                row += 1
                if sure * person >= least:
                    cx, cy, w, h = (dx + x) * stride, (dy + y) * stride, math.exp(w) * stride, math.exp(h) * stride
                    found.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, sure * person])
    return np.reshape(found, (-1, 5))


def test_yolox_numbers_are_offsets_and_logarithms_of_its_cells():
    random = np.random.RandomState(1)
    size = (96, 64)
    rows = random.rand(96 * 64 // 64 + 96 * 64 // 256 + 96 * 64 // 1024, 9).astype(np.float32)
    found, expected = yolox_boxes([rows], size, 0.4), yolox_by_hand(rows, size, 0.4)
    assert 5 < len(expected) < len(rows)
    np.testing.assert_allclose(found.boxes_xyxy, expected[:, :4], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected[:, 4], rtol=1e-6)
    with pytest.raises(CardError, match=r"expected \(126, 6 or more\) for an input of 96x64, got \(125, 9\)"):
        yolox_boxes([rows[1:]], size, 0.4)


def test_rtmdet_numbers_are_distances_from_its_points():
    random = np.random.RandomState(2)
    levels = [random.standard_normal((64 // s, 96 // s, 5)).astype(np.float32) for s in (8, 16, 32)]
    expected = []
    for level, stride in zip(levels, (8, 16, 32)):
        for y in range(level.shape[0]):
            for x in range(level.shape[1]):
                logit, left, top, right, bottom = level[y, x]
                if 1 / (1 + math.exp(-logit)) >= 0.6:
                    expected.append([x * stride - left, y * stride - top, x * stride + right, y * stride + bottom,
                                     1 / (1 + math.exp(-logit))])
    found = rtmdet_boxes(levels, (96, 64), 0.6)
    np.testing.assert_allclose(np.column_stack([found.boxes_xyxy, found.scores]), expected, rtol=1e-5, atol=1e-4)
    with pytest.raises(CardError, match="levels of .h, w, 5."):
        rtmdet_boxes([levels[0][..., :4]], (96, 64), 0.6)


def frame(name, size=(640, 480)):
    return Frame(np.zeros((size[1], size[0], 3), np.uint8), 0, 0.0, name)


RESULTS = [{"image_id": 7, "bbox": [10, 20, 30, 40], "score": 0.5, "category_id": 1},
           {"image_id": 7, "bbox": [0, 0, 50, 50], "score": 0.9},
           {"image_id": 7, "bbox": [0, 0, 50, 50], "score": 0.9, "category_id": 3}]
LABELS = {"images": [{"id": 7, "file_name": "street.jpg"}], "annotations": [
    {"image_id": 7, "bbox": [10, 20, 30, 40], "num_keypoints": 4, "iscrowd": 0},
    {"image_id": 7, "bbox": [0, 0, 9, 9], "num_keypoints": 0}, {"image_id": 7, "bbox": [0, 0, 9, 9], "iscrowd": 1}]}


@pytest.mark.parametrize("data, name, expected", [
    pytest.param(RESULTS, "000000000007", [[0, 0, 50, 50], [10, 20, 40, 60]], id="results, best first"),
    pytest.param(RESULTS, "clip_8", [], id="a frame without"),
    pytest.param(LABELS, "street", [[10, 20, 40, 60]], id="annotations, by name"),
    pytest.param(LABELS, "000000000007", [[10, 20, 40, 60]], id="annotations, by number"),
])
def test_boxes_come_from_a_file(tmp_path, backend, data, name, expected):
    (tmp_path / "boxes.json").write_text(json.dumps(data))
    found, = BoxesOfFile(str(tmp_path / "boxes.json"), backend).new_search().boxes([frame(name)])
    assert found.boxes_xyxy.tolist() == expected


@pytest.mark.parametrize("text, message", [
    ("{", "not valid JSON"), ('{"people": []}', "expected a COCO results list"), ("[5]", "entry 0: expected image_id"),
    ('[{"image_id": 1, "bbox": [1, 2]}]', "entry 0: expected image_id, bbox"), (None, "cannot read boxes"),
])
def test_a_file_without_boxes_is_refused_in_one_line(tmp_path, backend, text, message):
    path = tmp_path / "boxes.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SourceError, match=message) as caught:
        BoxesOfFile(str(path), backend)
    assert "\n" not in str(caught.value)


def test_a_frame_without_a_number_is_refused(tmp_path, backend):
    (tmp_path / "boxes.json").write_text("[]")
    with pytest.raises(SourceError, match="the number in a frame's name"):
        BoxesOfFile(str(tmp_path / "boxes.json"), backend).new_search().boxes([frame("street")])


def test_the_whole_frame_is_one_box():
    found, = WholeFrame().new_search().boxes([frame("x", (30, 20))])
    assert (found.boxes_xyxy.tolist(), found.scores.tolist()) == ([[0, 0, 30, 20]], [1])
