"""A preview at a free port without a run: tests hand it frames themselves. And the fake browsers that watch it."""
import socket
import threading
import time

import numpy as np
from fake_stages import FakeCamera

from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.live_status import LiveStatus
from wholebody.runtime.sinks import Details
from wholebody.runtime.web import WebAddress, WebPreview
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("BODY_25")


def two_people():
    """With every keypoint."""
    rng = np.random.RandomState(1)
    points = (rng.rand(2, 25, 2) * (63, 47)).astype(np.float32)
    return Poses(points, np.full((2, 25), 0.9, np.float32), np.array([0.9, 0.8], np.float32), SKELETON)


class RunningPreview:
    """A preview, and the frames that a run would hand to it."""

    def __init__(self, token="", sources=("hall", "door")):
        self.status = LiveStatus([FakeCamera(0, name=name) for name in sources])
        self.preview = WebPreview(WebAddress.parse("127.0.0.1:0", token), self.status, SKELETON)
        self.port = self.preview.server.port

    def frame(self, index, source=0, size=(48, 64), image=None):
        if image is None:
            image = np.full(size + (3,), index % 256, np.uint8)
        frame = Frame(image, index, time.monotonic(), "hall_%d" % index)
        result = Result(index, frame.captured_at, two_people(), {"engine": 5.0, "decode": 1.0}, 12.0)
        details = Details(result.poses.keypoints, (64, 48))
        self.status.write(frame, result, details)
        self.preview.sinks[source].write(frame, result, details)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def ask(self, request):
        """All that is answered to these bytes: status, headers, body."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_answer(connection)

    def get(self, path, **headers):
        lines = ["GET %s HTTP/1.1" % path, "Host: 127.0.0.1:%d" % self.port]
        lines += ["%s: %s" % (name, value) for name, value in headers.items()]
        return self.ask("\r\n".join(lines + ["", ""]).encode())


def read_answer(connection):
    """Until the other side ends."""
    answer = b""
    while True:
        more = connection.recv(65536)
        if not more:
            break
        answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split()[1]) if lines[0] else 0
    return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}, body


def wait_until(true, seconds=5.0):
    """Or fail."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "still not so after %g s" % seconds
        time.sleep(0.01)


def web_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("wholebody-web")]
