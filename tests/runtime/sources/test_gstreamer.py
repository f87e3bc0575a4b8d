"""GStreamer itself, on this machine: pipelines, and an RTSP server that dies and comes back."""
import ctypes
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from tensorrt_setting import write_stick_network

from wholebody.cli.run import main
from wholebody.errors import MissingPackage, SourceError
from wholebody.runtime.sources import live
from wholebody.runtime.sources.address import parse_address
from wholebody.runtime.sources.capture import CaptureEnded, NotThisWay
from wholebody.runtime.sources.captures import AvCapture, open_capture
from wholebody.runtime.sources.gst_capture import GstCapture
from wholebody.runtime.sources.gst_library import GstLibrary
from wholebody.runtime.sources.live import LiveSource

SERVER = pathlib.Path(__file__).resolve().parents[2] / "support" / "rtsp_server.py"
PACKAGES = {"videotestsrc": "gstreamer1.0-plugins-base", "rtspsrc": "gstreamer1.0-plugins-good",
            "x264enc": "gstreamer1.0-plugins-ugly", "avdec_h264": "gstreamer1.0-libav"}


def missing(text):
    line = "%s: sudo apt install %s" % (text, " ".join(sorted(PACKAGES.values())))
    if os.environ.get("CI") and sys.version_info[:2] == (3, 11):
        pytest.fail(line)
    pytest.skip(line)


@pytest.fixture(scope="module", autouse=True)
def library():
    try:
        found = GstLibrary.open()
    except MissingPackage as error:
        missing(str(error))
    for element in PACKAGES:
        if not found.has(element):
            missing("GStreamer has no " + element)
    return found


@pytest.fixture
def server():
    """Starts a server; calling it again after `kill` starts another one at the same port."""
    try:
        ctypes.CDLL("libgstrtspserver-1.0.so.0")
    except OSError as error:
        missing(str(error) + "; libgstrtspserver-1.0-0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []

    def start():
        running.append(subprocess.Popen([sys.executable, str(SERVER), str(port)], stdout=subprocess.PIPE))
        assert running[-1].stdout.readline() == b"ready\n"
        return running[-1]

    start.address = "rtsp://127.0.0.1:%d/live" % port
    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def read_all(capture):
    shots = []
    try:
        while True:
            shot = capture.read(5)
            assert shot is not None
            shots.append(shot)
    except CaptureEnded as ended:
        return shots, str(ended)
    finally:
        capture.close()
        capture.close()


@pytest.mark.parametrize("width", [320, 322, 321], ids=["lines without padding", "padded lines", "odd lines"])
@pytest.mark.parametrize("pixels", ["BGR", "BGRx"])
def test_pixels_are_those_of_the_pipeline(width, pixels, monkeypatch):
    monkeypatch.setattr("wholebody.runtime.sources.gst_capture._ON_CPU",
                        "videoconvert ! video/x-raw,format=%s ! appsink name=sink sync=false" % pixels)
    shots, reason = read_all(GstCapture(parse_address(
        "gst://videotestsrc num-buffers=2 pattern=gradient ! video/x-raw,format=RGB,width=%d,height=240" % width)))
    assert (len(shots), reason) == (2, "")
    image = shots[0].image
    assert image.shape == (240, width, 3)
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, np.broadcast_to(image[:, :1, :1], image.shape))  # a grey ramp downwards
    assert image[0, 0, 0] < 5
    assert image[-1, 0, 0] > 250


def test_a_slow_reader_gets_the_newest_picture_and_knows_its_age():
    capture = GstCapture(parse_address("gst://videotestsrc is-live=true ! video/x-raw,framerate=30/1,width=64"))
    try:
        ages = []
        for _ in range(5):
            time.sleep(0.2)
            ages.append(time.monotonic() - capture.read(2).captured_at)
        # The picture that waited is at most one period old when it is taken.
        assert min(ages) < 2 / 30.0
        assert np.median(ages) < 0.15
    finally:
        capture.close()


@pytest.mark.parametrize("text, message", [
    ("gst://nosuchelement", "no element \"nosuchelement\""),
    ("gst://filesrc location=/nowhere ! decodebin", "not found"),
    ("/dev/video99", "video99")], ids=["element", "file", "camera"])
def test_what_does_not_start_is_one_line(text, message):
    with pytest.raises(SourceError, match=message) as caught:
        GstCapture(parse_address(text))
    assert "\n" not in str(caught.value)


def test_a_camera_that_is_not_there_says_what_each_way_said():
    with pytest.raises(SourceError, match="cannot open /dev/video99: GStreamer: .*; OpenCV: .*fuser"):
        open_capture(parse_address("/dev/video99"))


def test_a_csi_camera_elsewhere_than_on_a_jetson_says_so():
    with pytest.raises(SourceError, match="on a Jetson sudo apt install nvidia-l4t-gstreamer"):
        open_capture(parse_address("csi://0"))


def test_without_the_library_another_way_is_taken(monkeypatch):
    def absent():
        raise MissingPackage("GStreamer does not load")
    monkeypatch.setattr(GstLibrary, "open", absent)
    with pytest.raises(NotThisWay, match="does not load"):
        GstCapture(parse_address("0"))


@pytest.mark.parametrize("way", [GstCapture, AvCapture])
def test_a_stream_over_rtsp_is_read(server, way):
    if way is AvCapture:
        pytest.importorskip("av", reason="FFmpeg's decoders: pip install av")
    server()
    capture = way(parse_address(server.address))
    try:
        shots = [capture.read(5) for _ in range(10)]
        assert {shot.image.shape for shot in shots} == {(240, 320, 3)}
        assert any((shots[0].image != shot.image).any() for shot in shots)  # the ball moves
        assert shots[-1].captured_at > shots[0].captured_at
    finally:
        capture.close()


def test_a_server_that_is_killed_and_started_again_is_a_gap_and_no_end(server, monkeypatch):
    monkeypatch.setattr(live, "SILENCE", 2.0)
    first, frames = server(), []
    again = threading.Timer(0.7, server)
    source = LiveSource(parse_address(server.address), patience=30.0)
    for frame in source:
        frames.append(frame)
        if len(frames) == 15:
            first.kill()
            again.start()
        if source.reconnects and len(frames) > 40:
            source.stop()
    again.join()
    source.close()
    assert source.reconnects >= 1
    assert [frame.index for frame in frames] == list(range(len(frames)))
    times = [frame.captured_at for frame in frames]
    assert times == sorted(times)
    assert source.problems == []


def test_a_server_that_is_not_there_is_an_error_at_once(server):
    started = time.monotonic()
    with pytest.raises(SourceError, match="rtsp://127.0.0.1:[0-9]+/live"):
        open_capture(parse_address(server.address))
    assert time.monotonic() - started < 8


def test_wb_run_goes_on_when_the_server_was_away_and_counts_it(server, monkeypatch, tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    monkeypatch.setattr(live, "SILENCE", 2.0)
    write_stick_network(tmp_path)
    first = server()
    timers = [threading.Timer(1.5, first.kill), threading.Timer(2.5, server)]
    for timer in timers:
        timer.start()
    status = main(["--engine", str(tmp_path / "net.onnx"), "--source", server.address, "--net-resolution", "112x64",
                   "--json-lines", "--duration", "7", "--threads", "1"])
    said = capsys.readouterr()
    for timer in timers:
        timer.join()
    assert status == 0, said.err
    indices = [json.loads(line)["index"] for line in said.out.splitlines()]
    assert indices == sorted(set(indices))
    assert len(indices) > 60
    assert said.err.count("lost: ") == said.err.count("back after") == 1
