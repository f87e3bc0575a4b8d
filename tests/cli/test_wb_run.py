"""wb-run, from the words typed to the files written."""
import hashlib
import importlib
import json
import os
import re
import signal

import onnx_bytes
import pytest
from sticks import draw_sticks

from wholebody.card import METADATA_KEY, card_from_json
from wholebody.cli.run import main
from wholebody.engines.onnxfile import with_card

EVERYTHING = ["--overlay", "overlay", "--json", "json", "--coco", "coco.json", "--write-heatmaps", "maps",
              "--part-candidates"]


def run(*words):
    """The exit code of wb-run."""
    try:
        return main([str(word) for word in words])
    except SystemExit as leaving:
        return leaving.code


def files(folder):
    """Every file below a folder with the hash of its bytes."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_people_are_found_in_a_picture(place, capsys):
    assert run("--engine", "net.onnx", "--source", "four.png", "--json", "out", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["frames"], summary["people"], summary["engine"]) == (1, 4, "net.onnx")
    assert sorted(summary["stage_ms"]) == ["decode", "engine", "preprocess", "write"]
    people = json.loads((place / "out" / "four_keypoints.json").read_text())["people"]
    shoulders = sorted(person["pose_keypoints_2d"][0] for person in people)
    assert shoulders == pytest.approx([14.5 + 24 * i for i in range(4)], abs=2)


def test_a_folder_gives_a_file_for_each_picture_and_one_for_coco(place, capsys):
    assert run("--engine", "net.onnx", "--source", "pictures", *EVERYTHING) == 0
    assert "3 frames, 5 people in 2 of them" in capsys.readouterr().out
    names = ["%012d" % i for i in (1, 2, 3)]
    assert sorted(os.listdir("json")) == [n + "_keypoints.json" for n in names]
    assert sorted(os.listdir("overlay")) == [n + "_rendered.png" for n in names]
    assert sorted(os.listdir("maps")) == [n + "_pose_heatmaps.png" for n in names]
    assert (place / "json" / (names[0] + "_keypoints.json")).read_text().startswith('{"version":1.3,"people":[],')
    found = json.loads((place / "coco.json").read_text())
    assert [entry["image_id"] for entry in found] == [2, 3, 3, 3, 3]
    assert all(len(entry["keypoints"]) == 51 for entry in found)


def test_two_runs_on_the_same_input_write_the_same_bytes(place):
    written = []
    for name in ("first", "second"):
        (place / name).mkdir()
        os.chdir(str(place / name))
        assert run("--engine", "../net.onnx", "--source", "../pictures", *EVERYTHING) == 0
        written.append(files(place / name))
    assert len(written[0]) == 10
    assert written[0] == written[1]


def test_nothing_is_overwritten_without_overwrite(place, capsys):
    assert run("--engine", "net.onnx", "--source", "pictures", *EVERYTHING) == 0
    before = files(place)
    for output in (["--json", "json"], ["--overlay", "overlay"], ["--coco", "coco.json"], ["--write-heatmaps", "maps"]):
        assert run("--engine", "net.onnx", "--source", "pictures", *output) == 1
        assert "exists; add --overwrite" in capsys.readouterr().err
    assert files(place) == before
    assert run("--engine", "net.onnx", "--source", "pictures", "--overwrite", *EVERYTHING) == 0


def test_one_bad_picture_is_reported_and_the_rest_goes_on(place, capsys):
    (place / "pictures" / "000000000002.png").write_bytes(b"")
    assert run("--engine", "net.onnx", "--source", "pictures", "--json", "json") == 1
    said = capsys.readouterr()
    assert "000000000002.png: the file is empty (0 bytes)" in said.err
    assert "1 could not be read" in said.out
    assert sorted(os.listdir("json")) == ["000000000001_keypoints.json", "000000000003_keypoints.json"]


BAD = [
    ("no model", ["--engine", "nte.onnx"], "no model at nte.onnx; did you mean net.onnx?"),
    ("no card", ["--engine", "plain.onnx"], "plain.onnx has no card"),
    ("no picture", ["--source", "ona.png"], "ona.png"),
    ("a camera", ["--source", "csi://0"], "csi://0"),
    ("a text for a picture", ["--source", "card.json"], "card.json"),
    ("output folder is a file", ["--json", "one.png"], "one.png"),
    ("an unwritable place", ["--json", "/proc/nowhere"], "/proc/nowhere"),
    ("heat maps of no background", ["--source", "pictures", "--write-heatmaps", "maps", "--heatmaps-add", "background"],
     "background"),
    ("an overlay where a file is", ["--source", "pictures", "--overlay", "one.png"],
     "cannot use one.png as a folder"),
    ("a folder where a file is wanted", ["--source", "pictures", "--video", "pictures"], "unknown kind of video"),
    ("a folder without pictures", ["--source", "empty"], "no pictures in folder empty"),
    ("an engine that is a folder", ["--engine", "pictures"], "got a folder"),
    ("an empty engine", ["--engine", "empty.onnx"], "empty.onnx is empty (0 bytes)"),
    ("a card for another network", ["--engine", "wrong.onnx"], "wrong.onnx: its card does not fit"),
    ("a card that is damaged", ["--engine", "hurt.onnx"], "hurt.onnx: card: not valid JSON"),
    ("a name of two lines", ["--engine", "two\nlines.onnx"], "no model at two lines.onnx"),
]


@pytest.mark.parametrize("words, message", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(place, capsys, words, message):
    (place / "empty").mkdir()
    (place / "empty.onnx").write_bytes(b"")
    swapped = onnx_bytes.STICK_CARD.replace('"output": "pafs"', '"output": "heatmaps"')
    (place / "wrong.onnx").write_bytes(onnx_bytes.stick_net(metadata=[(METADATA_KEY, swapped)]))
    (place / "hurt.onnx").write_bytes(onnx_bytes.stick_net(metadata=[(METADATA_KEY, "{")]))
    before = files(place)
    defaults = ["--engine", "net.onnx", "--coco", "never.json"] + ["--source", "one.png"] * ("--source" not in words)
    assert run(*(defaults + words)) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("wb-run: error: ")
    assert said.count("\n") == 1
    assert files(place) == before


def test_a_truncated_model_is_refused_in_one_line(place, capsys):
    data = (place / "net.onnx").read_bytes()
    (place / "cut.onnx").write_bytes(data[:len(data) // 2])
    assert run("--engine", "cut.onnx", "--source", "one.png") == 1
    assert "cut.onnx is not a readable ONNX file" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("during", ["wholebody.runtime.sinks.OpenPoseJson.write",
                                    "wholebody.runtime.estimator.Estimator._preprocess"], ids=["a sink", "a stage"])
@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_stop_in_the_middle_leaves_nothing_half_written(place, capsys, monkeypatch, number, during, in_flight):
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    owner, name = during.rsplit(".", 1)
    module, owner = owner.rsplit(".", 1)
    owner = getattr(importlib.import_module(module), owner)
    work, calls = getattr(owner, name), []

    def stop_at_the_second(self, *given):
        calls.append(given)
        if len(calls) == 2:
            os.kill(os.getpid(), number)
        return work(self, *given)

    monkeypatch.setattr(owner, name, stop_at_the_second)
    assert run("--engine", "net.onnx", "--source", "pictures", "--coco", "coco.json", "--json", "json",
               "--in-flight", in_flight) == 130
    assert capsys.readouterr().err == "wb-run: interrupted\n"
    assert not (place / "coco.json").exists()
    written = ["%012d_keypoints.json" % n for n in (1, 2)]
    if name == "write":
        assert sorted(os.listdir("json")) == written  # the second was being written
    assert set(os.listdir("json")) <= set(written)
    assert not [name for name in os.listdir(".") if name.startswith(".wholebody")]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers


@pytest.mark.parametrize("words", [["--net-resolution", "-1x64"], ["--net-resolution=-1x64"],
                                   ["--net-resolution", "-1X64"], ["--net-resolution", "112x64"]],
                         ids=["space", "equals", "large X", "both sides"])
def test_a_resolution_that_begins_with_a_minus_is_no_flag(place, capsys, words):
    assert run("--engine", "net.onnx", "--source", "four.png", "--json", *words) == 0
    assert json.loads(capsys.readouterr().out)["people"] == 4


def test_the_best_people_are_kept(place, capsys):
    assert run("--engine", "net.onnx", "--source", "four.png", "--json", "--number-people-max", 2) == 0
    assert json.loads(capsys.readouterr().out)["people"] == 2


@pytest.mark.parametrize("words", [["--track"], ["--track", "alphapose"], ["--track", "poseflow", "--smooth"],
                                   ["--track", "alphapose", "--looks", "colours"]], ids=" ".join)
def test_people_are_followed_in_every_way(place, capsys, words):
    assert run("--engine", "net.onnx", "--source", "pictures", "--json-lines", *words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all("id" in person for line in lines for person in line["people"])


def test_one_output_at_a_time_goes_to_stdout(place, capsys):
    assert run("--engine", "net.onnx", "--source", "one.png", "--json", "--json-lines") == 1
    assert "--json-lines and --json both write to stdout; give --json a DIR" in capsys.readouterr().err
    assert run("--engine", "net.onnx", "--source", "one.png", "--json", "out", "--json-lines") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_looks_are_for_the_way_that_looks(place, capsys):
    assert run("--engine", "net.onnx", "--source", "one.png", "--track", "--looks", "colours") == 1
    assert "--looks is for --track alphapose" in capsys.readouterr().err


@pytest.mark.parametrize("scale", ["0", "1", "2", "3", "4", "input", "unit"])
def test_keypoint_scales_go_by_number_or_name(place, scale):
    assert run("--engine", "net.onnx", "--source", "one.png", "--json", "out", "--keypoint-scale", scale) == 0
    x = json.loads((place / "out" / "one_keypoints.json").read_text())["people"][0]["pose_keypoints_2d"][0]
    expected = {"3": 14.5 / 111, "unit": 14.5 / 111, "4": 29.0 / 111 - 1}.get(scale, 14.5)
    assert x == pytest.approx(expected, abs=1.5 if expected > 1 else 0.02)


@pytest.mark.parametrize("decoder", ["numpy", "native"])
def test_both_decoders_write_the_same_bytes(place, decoder):
    from wholebody.runtime.native.library import HOW_TO_BUILD, find_library
    if decoder == "native" and find_library() is None:
        pytest.skip("the native library is not built; " + HOW_TO_BUILD)
    assert run("--engine", "net.onnx", "--source", "four.png", "--json", "auto") == 0
    assert run("--engine", "net.onnx", "--source", "four.png", "--json", decoder, "--decoder", decoder) == 0
    assert files(place / "auto") == files(place / decoder)


def test_a_video_gives_numbered_frames_and_a_video(place, cv2):
    av = pytest.importorskip("av", reason="videos are written with PyAV: pip install 'wholebody[video]'")
    writer = cv2.VideoWriter("in.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (112, 64))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write the MJPG video that the test reads")
    for _ in range(5):
        writer.write(cv2.imread("four.png"))
    writer.release()
    assert run("--engine", "net.onnx", "--source", "in.avi", "--video", "out.mp4", "--json", "json") == 0
    assert sorted(os.listdir("json"))[4] == "in_000000000004_keypoints.json"
    with av.open("out.mp4") as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert float(stream.average_rate) == 10
        assert sum(1 for _ in container.decode(stream)) == 5
    first = (place / "out.mp4").read_bytes()
    assert run("--engine", "net.onnx", "--source", "in.avi", "--video", "out.mp4", "--overwrite") == 0
    assert (place / "out.mp4").read_bytes() == first


def test_several_sources_write_into_places_of_their_own(place, capsys, cv2):
    cv2.imwrite("000000000009.png", draw_sticks(2))
    assert run("--engine", "net.onnx", "--source", "pictures", "--source", "000000000009.png", *EVERYTHING) == 0
    said = capsys.readouterr().out
    assert "4 frames, 7 people in 3 of them" in said
    assert "pictures: 3 frames, 5 people\n000000000009.png: 1 frame, 2 people\n" in said
    for folder, ending in (("json", "_keypoints.json"), ("overlay", "_rendered.png"), ("maps", "_pose_heatmaps.png")):
        assert sorted(os.listdir(folder)) == ["0-pictures", "1-000000000009"]
        assert sorted(os.listdir(folder + "/0-pictures")) == ["%012d%s" % (n, ending) for n in (1, 2, 3)]
        assert os.listdir(folder + "/1-000000000009") == ["000000000009" + ending]
    assert [e["image_id"] for e in json.loads((place / "coco-1-000000000009.json").read_text())] == [9, 9]


def test_several_sources_write_what_each_alone_writes(place):
    assert run("--engine", "net.onnx", "--source", "pictures", "--source", "pictures", "--json", "both") == 0
    assert run("--engine", "net.onnx", "--source", "pictures", "--json", "alone") == 0
    alone = [json.loads(path.read_text()) for path in sorted((place / "alone").iterdir())]
    for name in ("0-pictures", "1-pictures"):
        both = [json.loads(path.read_text()) for path in sorted((place / "both" / name).iterdir())]
        for one, other in zip(alone, both):
            points = [[p["pose_keypoints_2d"] for p in file["people"]] for file in (one, other)]
            assert points[0] == [pytest.approx(p, abs=1e-2) for p in points[1]]


@pytest.mark.parametrize("in_flight", [1, 2, 3, 5])
def test_the_same_bytes_are_written_however_many_frames_are_in_flight(place, in_flight):
    assert run("--engine", "net.onnx", "--source", "pictures", "--json", "some", "--in-flight", in_flight) == 0
    assert run("--engine", "net.onnx", "--source", "pictures", "--json", "one", "--in-flight", 1) == 0
    assert files(place / "some") == files(place / "one")


def test_the_summary_says_how_frames_went(place, capsys):
    assert run("--engine", "net.onnx", "--source", "pictures", "--json", "--in-flight", 2) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["in_flight"], summary["dropped"], summary["stopped"], summary["by_source"]) == (2, 0, False, [])
    assert sorted(summary["busy_seconds"]) == ["decode", "engine", "preprocess", "read", "write"]
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"] <= summary["latency_ms"]["p99"]
    assert run("--engine", "net.onnx", "--source", "pictures", "--in-flight", 2) == 0
    assert re.search(r"capture to result p50 [0-9.]+, p95 [0-9.]+, p99 [0-9.]+ ms; 2 in flight, 0 dropped; at work: ",
                     capsys.readouterr().out)


def test_a_network_for_one_person_says_what_it_lacks_and_runs_with_boxes(place, capsys):
    card = card_from_json(json.dumps({
        "name": "pose", "skeleton": {"name": "ONE", "keypoints": ["spot"]},
        "heads": [{"kind": "heatmap", "stride": 1, "outputs": {
            "heatmaps": {"output": "crop", "channels": [0, 1]}}}],
        "input": {"name": "crop_in", "size": [32, 24], "box_padding": 1.0}}))
    network = onnx_bytes.model([onnx_bytes.node("Identity", ["crop_in"], ["crop"])], [],
                               [("crop_in", ("N", 3, 32, 24))], [("crop", ("N", 3, 32, 24))])
    (place / "pose.onnx").write_bytes(with_card(network, card))
    assert run("--engine", "pose.onnx", "--source", "pictures") == 1
    message = capsys.readouterr().err
    assert "sees one person at a time" in message
    assert "--detector MODEL" in message
    assert len(message.splitlines()) == 1
    boxes = [{"image_id": 2, "bbox": [10, 5, 30, 40], "score": 1}, {"image_id": 3, "bbox": [50, 5, 30, 40], "score": 1}]
    (place / "boxes.json").write_text(json.dumps(boxes))
    assert run("--engine", "pose.onnx", "--source", "pictures", "--boxes", "boxes.json", "--json", "out", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["frames"], summary["people"]) == (3, 2)
    assert sorted(summary["stage_ms"]) == ["boxes", "crop", "decode", "pose", "write"]
    assert run("--engine", "pose.onnx", "--source", "one.png", "--whole-frame", "--json") == 0
    assert json.loads(capsys.readouterr().out)["people"] == 1
    assert run("--engine", "net.onnx", "--source", "one.png", "--whole-frame") == 1
    assert "finds people by itself" in capsys.readouterr().err
    assert run("--engine", "net.onnx", "--detector", "a", "--boxes", "b", "--source", "one.png") == 2
