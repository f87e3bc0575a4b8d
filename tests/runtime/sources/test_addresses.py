"""Cameras as the user types them, and the GStreamer pipelines they become."""
import pytest

from wholebody.errors import SourceError
from wholebody.runtime.sources.address import Address, parse_address
from wholebody.runtime.sources.capture import NotThisWay
from wholebody.runtime.sources.gst_capture import pipeline_text

DESKTOP = {"v4l2src", "rtspsrc", "videoconvert", "decodebin"}
JETSON = DESKTOP | {"nvarguscamerasrc", "nvvidconv"}
END = " ! appsink name=sink max-buffers=1 drop=true sync=false"
CASES = [
    ("0", Address("camera", "/dev/video0", "/dev/video0")),
    ("12", Address("camera", "/dev/video12", "/dev/video12")),
    ("/dev/video7?format=yuyv&fps=60", Address("camera", "/dev/video7", "/dev/video7", fps=60, format="yuyv")),
    ("v4l2:///dev/video0", Address("camera", "/dev/video0", "/dev/video0")),
    ("/dev/v4l/by-id/usb-A_B-video-index0", Address("camera", "/dev/v4l/by-id/usb-A_B-video-index0",
                                                    "/dev/v4l/by-id/usb-A_B-video-index0")),
    ("csi://1?width=1280&height=720&fps=60&flip=2", Address("csi", "1", "csi://1", 1280, 720, 60, 2)),
    ("rtsp://host/live?channel=2", Address("stream", "rtsp://host/live?channel=2", "rtsp://host/live?channel=2")),
    ("RTSP://u:p@host:554/x#latency=0&transport=udp", Address("stream", "RTSP://u:p@host:554/x",
                                                              "RTSP://u:***@host:554/x", latency=0, transport="udp")),
    ("-", Address("pipe", "-", "stdin", live=False)),
    ("-?format=nv12&width=64&height=48&live=1", Address("pipe", "-", "stdin", 64, 48, format="nv12", live=True)),
    ("gst://videotestsrc ! queue", Address("pipeline", "videotestsrc ! queue", "gst://videotestsrc ! queue")),
]
WRONG = [
    ("0?width=0", "width is a number from 1 to 16384, got '0'"), ("0?fps=fast", "fps is a number"),
    ("0?flip=2", "unknown option 'flip'; known after \\?: width, height, fps, format"),
    ("csi://0?flip=8", "flip is a number from 0 to 7"), ("0?format=h264", "format is one of mjpeg, yuyv"),
    ("rtsp://h/#transport=sctp", "transport is one of tcp, udp"), ("-?format=bgr24", "raw pictures need their size"),
    ("-?format=nv12&width=63&height=48", "even sides"), ("-?format=jpeg", "format is one of bgr24, rgb24, nv12"),
]
PIPELINES = [
    ("csi://0?width=1280&height=720&fps=30&flip=2", JETSON,
     "nvarguscamerasrc sensor-id=0 ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! "
     "nvvidconv flip-method=2 ! video/x-raw,format=BGRx" + END),
    ("0?width=640&height=480", DESKTOP,
     'v4l2src device=/dev/video0 ! capsfilter caps="image/jpeg,width=640,height=480;video/x-raw,width=640,height=480" '
     "! decodebin ! videoconvert ! video/x-raw,format=BGR" + END),
    ("0?format=yuyv", JETSON, 'v4l2src device=/dev/video0 ! capsfilter caps="video/x-raw,format=YUY2" ! decodebin ! '
                              "nvvidconv ! video/x-raw,format=BGRx" + END),
    ('rtsp://h/a"b#latency=20', DESKTOP,
     'rtspsrc location="rtsp://h/a\\"b" latency=20 protocols=tcp drop-on-latency=true ! decodebin ! '
     "videoconvert ! video/x-raw,format=BGR" + END),
    ("gst://videotestsrc", DESKTOP, "videotestsrc ! videoconvert ! video/x-raw,format=BGR" + END),
]


@pytest.mark.parametrize("text, expected", CASES, ids=[case[0] for case in CASES])
def test_an_address_is_taken_apart(text, expected):
    assert parse_address(text) == expected


@pytest.mark.parametrize("path", ["photo.jpg", "./0", "a/b", "/dev/null", "ftp://host/x", "", "C:\\0", "csi://a", "-x"])
def test_a_path_is_no_address(path):
    assert parse_address(path) is None


@pytest.mark.parametrize("text, message", WRONG, ids=[case[0] for case in WRONG])
def test_an_option_that_is_wrong_is_one_line(text, message):
    with pytest.raises(SourceError, match=message) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text, elements, expected", PIPELINES, ids=[case[0] for case in PIPELINES])
def test_the_pipeline_of_an_address(text, elements, expected):
    assert pipeline_text(parse_address(text), elements.__contains__) == expected


@pytest.mark.parametrize("text, elements, message", [
    ("csi://0", DESKTOP, "nvidia-l4t-gstreamer"), ("0", set(), "no v4l2src"), ("rtsp://h", set(), "no rtspsrc"),
    ("udp://h:5000", DESKTOP, "not for udp"), ("-", DESKTOP, "not for stdin")],
    ids=["CSI on a desktop", "no plugins", "no RTSP", "another protocol", "a pipe"])
def test_what_gstreamer_has_no_part_for_is_left_to_another_way(text, elements, message):
    with pytest.raises(NotThisWay, match=message):
        pipeline_text(parse_address(text), elements.__contains__)
