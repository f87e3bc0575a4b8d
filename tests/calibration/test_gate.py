"""The accuracy gate: by labels and without, what it says, and what it names when it refuses."""
import hashlib
import json

import cv2
import numpy as np
import onnx_bytes
import pytest
from onnx_bytes import ints, model, node, weights
from sticks import draw_sticks

from wholebody.calibration.agreement import Agreement
from wholebody.calibration.calibrating import CalibrationOptions, calibrate
from wholebody.calibration.gate import Bar, pass_gate, picture_statistics, report_lines
from wholebody.calibration.measuring import Judged, Measured
from wholebody.card import card_from_json
from wholebody.engines.onnxfile import with_card
from wholebody.errors import BuildError
from wholebody.skeletons import get_skeleton

JOINTS = [get_skeleton("COCO_17").index_of(name) for name in ("left_shoulder", "left_elbow", "left_wrist")]
COUNT = 6


def label(image_id, stick):
    keypoints = [0.0] * 51
    for joint, index in enumerate(JOINTS):
        keypoints[3 * index:3 * index + 3] = [14.5 + 24 * stick, 11.5 + 18 * joint, 2]
    return {"id": 100 * image_id + stick + 1, "image_id": image_id, "category_id": 1, "iscrowd": 0, "area": 40 * 40.0,
            "bbox": [10 + 24 * stick, 8, 12, 44], "num_keypoints": 3, "keypoints": keypoints}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """net.onnx, wild.onnx, which INT8 ruins, pictures of one to four sticks, and labels.json."""
    monkeypatch.chdir(tmp_path)
    card = card_from_json(onnx_bytes.STICK_CARD)
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card))
    (tmp_path / "wild.onnx").write_bytes(with_card(onnx_bytes.wild_stick_net(), card))
    (tmp_path / "pictures").mkdir()
    labels, images = [], []
    for number in range(1, COUNT + 1):
        sticks = 1 + number % 4
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), draw_sticks(sticks))
        images.append({"id": number, "file_name": f"{number}.png", "width": 112, "height": 64})
        labels += [label(number, stick) for stick in range(sticks)]
    (tmp_path / "labels.json").write_text(json.dumps(
        {"images": images, "annotations": labels, "categories": [{"id": 1, "name": "person"}]}))
    return tmp_path


def gate(network, bar=Bar(), annotations=""):
    table = calibrate(network, "pictures", network + ".json").table
    return pass_gate(network, table, Judged("pictures", annotations), bar)


def test_labels_decide_by_average_precision(place):
    pytest.importorskip("pycocotools", reason="the protocol's arithmetic: pip install '.[eval]'")
    report = gate("net.onnx", annotations="labels.json")
    assert report.passed
    assert [row.statistics["AP"] for row in report.rows] == [pytest.approx(1)] * 3
    assert report.reason.endswith("(at least 0.9400)")
    assert "+0.00 points of AP (at most -0.50), agreement with FP32 1.0000" in report.reason
    assert report_lines(report)[0].split()[-4:] == ["AP", "AP50", "AP_medium", "AP_large"]
    lost = gate("wild.onnx", Bar(least_int8=0.2), "labels.json")
    assert lost.passed
    assert lost.tried[0].statistics["AP"] < 0.5 < lost.tried[-1].statistics["AP"]
    assert lost.table.keep == ("all",)


def test_without_labels_agreement_decides_and_a_drop_that_is_allowed_passes(place):
    strict, generous = gate("wild.onnx"), gate("wild.onnx", Bar(least_agreement=0.0))
    assert (strict.passed, generous.passed) == (False, True)
    assert "agreement with FP32" in strict.reason
    assert "keeping more would leave less than 50 % in INT8. What costs most: all" in strict.reason
    assert (strict.table.keep, generous.table.keep) == ((), ())


def test_the_report_goes_into_json(place):
    report = json.loads(json.dumps(gate("wild.onnx", Bar(least_int8=0.2)).to_dict()))
    assert set(report["methods"]) == {"max", "entropy", "percentile-99.9", "percentile-99.99", "percentile-99.999"}
    assert [row["kept"] for row in report["trade_off"]] == [0, 1]
    assert report["trade_off"][1]["int8_macs"] < report["trade_off"][0]["int8_macs"] == 1
    assert report["blocks"][0]["nodes"] == ["all"]
    assert report["networks"][1]["name"] == "FP16"


def test_what_cannot_be_quantised_is_said_before_anything_is_measured(place, monkeypatch):
    table = calibrate("net.onnx", "pictures", "t.json").table
    monkeypatch.setattr("wholebody.calibration.gate.measure", None)
    with pytest.raises(BuildError, match="no node is left to quantise"):
        pass_gate("net.onnx", table._replace(ranges={"nothing": 1.0}), Judged("pictures"))


TWO = """{"name": "two", "skeleton": {"name": "TWO", "keypoints": ["left_end", "right_end"]},
 "input": {"name": "image", "scale": 0.00392156862745098, "size": [64, 48], "box_padding": 1.25, "resize": "stretch"},
 "heads": [{"kind": "heatmap", "stride": 4, "format": "quarter", "outputs": {"heatmaps": {"output": "heatmaps"}}}]}"""


def test_a_network_for_one_person_is_calibrated_and_judged_on_the_crops_that_it_sees(place):
    kernel = [1 / 16 if channel == color else 0.0 for channel in range(2) for color in range(3) for _ in range(16)]
    conv = node("Conv", ["image", "w"], ["heatmaps"], ints("kernel_shape", [4, 4]), ints("strides", [4, 4]))
    net = model([conv], [weights("w", (2, 3, 4, 4), kernel)], [("image", ("N", 3, 64, 48))],
                [("heatmaps", ("N", 2, 16, 12))])
    (place / "two.onnx").write_bytes(with_card(net, card_from_json(TWO)))
    options = (("boxes", "labels.json"),)
    table = calibrate("two.onnx", "pictures", "two.json", CalibrationOptions(estimator=options)).table
    assert table.pictures["with_people"] == COUNT
    assert table.pictures["options"] == {"boxes": hashlib.sha256((place / "labels.json").read_bytes()).hexdigest()}
    assert table.ranges["image"] < 1
    report = pass_gate("two.onnx", table, Judged("pictures", estimator=options))
    assert report.passed, report.reason
    assert report.rows[0].people > COUNT


@pytest.mark.parametrize("points, passed", [(0.4, True), (0.5, True), (0.51, False), (-3, True)])
def test_a_drop_is_counted_in_points(points, passed):
    fp32, int8 = (Measured("", 1.0, 1.0, 1, (), {"AP": ap}) for ap in (0.4, 0.4 - points / 100))
    assert Bar().passed(fp32, int8) is passed
    assert Bar().said(fp32, int8) == f"{-points:+.2f} points of AP (at most -0.50)"


def test_with_labels_other_people_than_fp32s_do_not_pass_by_luck():
    fp32, int8 = Measured("", 1.0, 1.0, 1, (), {"AP": 0.4}), Measured("", 1.0, 1.0, 1, (), {"AP": 0.41})
    assert Bar().passed(fp32, int8._replace(agreement=Agreement(0.95, ())))
    assert not Bar().passed(fp32, int8._replace(agreement=Agreement(0.93, ())))


def test_normalisation_by_the_picture_itself_is_named():
    gains = [weights(name, (3,), np.ones(3)) for name in ("g", "b", "m", "v")]
    data = model([node("ReduceMean", ["x"], ["mean"], ints("axes", [0, 2, 3])),
                  node("Squeeze", ["mean"], ["flat"]),
                  node("BatchNormalization", ["x", "g", "b", "m", "v"], ["fixed"]),
                  node("BatchNormalization", ["fixed", "g", "b", "flat", "v"], ["moving"])], gains,
                 [("x", (1, 3, 8, 8))], [("moving", (1, 3, 8, 8))])
    assert picture_statistics(data) == ["moving"]
