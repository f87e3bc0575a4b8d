"""What the user typed for a camera or a stream, taken apart."""
import re
from typing import Any, Dict, NamedTuple, Optional, Tuple
from urllib.parse import parse_qsl, unquote

from wholebody.errors import SourceError

CAMERA, CSI, STREAM, PIPELINE, PIPE = "camera", "csi", "stream", "pipeline", "pipe"
PIXELS = ("mjpeg", "yuyv")                    # of a USB camera
RAW = {"bgr24": 3.0, "rgb24": 3.0, "nv12": 1.5}  # of raw pictures on stdin: bytes a pixel
_OPTIONS = {CAMERA: ("width", "height", "fps", "format"), CSI: ("width", "height", "fps", "flip"),
            STREAM: ("latency", "transport"), PIPELINE: (), PIPE: ("width", "height", "format", "fps", "live")}
_DEVICE = re.compile(r"(?:v4l2?://|usb://)?(\d+|/dev/(?:video|v4l)[\w./:-]*)", re.ASCII)
_CSI = re.compile(r"csi://(\d+)")
_STREAM = re.compile(r"(rtsps?|rtmps?|rtp|srt|udp|tcp|https?)://\S+", re.IGNORECASE)
_PASSWORD = re.compile(r"(://[^/@:]*:)[^/@]*@")
EXAMPLES = "0, /dev/video0?width=1280&height=720, csi://0?fps=30, rtsp://host/path, - for stdin"


class Address(NamedTuple):
    """A camera or stream; sizes and rates are None where the source decides."""

    kind: str
    place: str       # device, sensor number, URL or GStreamer pipeline
    name: str        # for messages and files: without a password
    width: Optional[int] = None
    height: Optional[int] = None
    fps: Optional[int] = None
    flip: int = 0              # nvvidconv's: 2 turns by 180 degrees
    format: str = ""           # one of PIXELS, or of RAW
    latency: int = 100         # milliseconds that a stream is buffered for
    transport: str = "tcp"     # of RTSP
    live: bool = True


def parse_address(text: str) -> Optional[Address]:
    """None where the text is no camera and no stream, but a path.

    >>> parse_address("0").place, parse_address("csi://1?fps=60").fps
    ('/dev/video0', 60)
    >>> parse_address("rtsp://me:secret@10.0.0.7/hall#latency=50").name
    'rtsp://me:***@10.0.0.7/hall'
    """
    if text.lower().startswith("gst://"):
        return Address(PIPELINE, text[len("gst://"):].strip(), text)
    if _STREAM.fullmatch(text):
        # A stream's own address may have a ?, so ours come behind #.
        url, _, options = text.partition("#")
        return _with_options(Address(STREAM, url, _PASSWORD.sub(r"\1***@", url)), options, "#")
    place, _, options = text.partition("?")
    if place == "-":
        return _checked_pipe(_with_options(Address(PIPE, "-", "stdin", live=False), options, "?"))
    sensor = _CSI.fullmatch(place)
    if sensor:
        return _with_options(Address(CSI, sensor.group(1), place), options, "?")
    device = _DEVICE.fullmatch(place)
    if device:
        found = device.group(1)
        path = "/dev/video%d" % int(found) if found.isdigit() else found
        return _with_options(Address(CAMERA, path, path), options, "?")
    return None


def _with_options(address: Address, text: str, mark: str) -> Address:
    known = _OPTIONS[address.kind]
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in known:
            raise SourceError("%s: unknown option %r; known after %s: %s"
                              % (address.name, name, mark, ", ".join(known) or "none"))
        address = address._replace(**{name: _value(address, name, unquote(value))})
    return address


_NUMBERS: Dict[str, Tuple[int, int]] = {"width": (1, 16384), "height": (1, 16384), "fps": (1, 1000), "flip": (0, 7),
                                        "latency": (0, 60000), "live": (0, 1)}


def _value(address: Address, name: str, value: str) -> Any:
    words = {"format": tuple(RAW) if address.kind == PIPE else PIXELS, "transport": ("tcp", "udp")}
    if name in words:
        if value not in words[name]:
            raise SourceError("%s: %s is one of %s, got %r" % (address.name, name, ", ".join(words[name]), value))
        return value
    least, most = _NUMBERS[name]
    if not re.fullmatch(r"[0-9]{1,6}", value) or not least <= int(value) <= most:
        raise SourceError("%s: %s is a number from %d to %d, got %r" % (address.name, name, least, most, value))
    return bool(int(value)) if name == "live" else int(value)


def _checked_pipe(address: Address) -> Address:
    if address.format and not (address.width and address.height):
        raise SourceError("stdin: raw pictures need their size: -?format=%s&width=640&height=480" % address.format)
    if address.format == "nv12" and ((address.width or 0) % 2 or (address.height or 0) % 2):
        raise SourceError("stdin: NV12 has even sides, got %sx%s" % (address.width, address.height))
    return address
