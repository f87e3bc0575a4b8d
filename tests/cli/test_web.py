"""wb-run --web for real: a camera on stdin, a viewer, and every way to end it."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from wholebody.cli.run import main

MODEL = pathlib.Path(__file__).resolve().parents[2] / "examples" / "mannequins" / "mannequin.onnx"
FRAME = np.random.RandomState(0).randint(0, 255, (96, 128, 3)).astype(np.uint8).tobytes()
pytestmark = pytest.mark.skipif(not MODEL.is_file(), reason="the mannequins' network is not here")


class Run:
    """wb-run with frames on its stdin, 30 a second, until it ends."""

    def __init__(self, *flags):
        src = str(pathlib.Path(__file__).resolve().parents[2] / "src")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wholebody.cli.run", "--engine", str(MODEL), "--net-resolution", "128x96",
             "--threads", "1", "--source=-?format=bgr24&width=128&height=96&live=1", "--web", "127.0.0.1:0",
             *flags],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join([src, os.environ.get("PYTHONPATH", "")])))
        self._feeding = threading.Thread(target=self._feed)
        self._feeding.start()
        line = self.process.stderr.readline().decode()
        while "web preview" not in line:
            assert line, "ended before it listened"
            line = self.process.stderr.readline().decode()
        self.port = int(re.search(r"http://127.0.0.1:(\d+)/", line).group(1))

    def _feed(self):
        try:
            while True:
                self.process.stdin.write(FRAME)
                self.process.stdin.flush()
                time.sleep(1 / 30.0)
        except (OSError, ValueError):
            pass

    def view(self, path):
        viewer = socket.create_connection(("127.0.0.1", self.port), 10)
        viewer.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path).encode())
        return viewer

    def end(self):
        """Its exit code and what it said, in time."""
        out = self.process.stderr.read().decode()
        code = self.process.wait(15)
        self._feeding.join(5)
        return code, out

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start():
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    pytest.importorskip("cv2", reason="JPEGs are made with OpenCV")
    runs = []

    def start(*flags):
        runs.append(Run(*flags))
        return runs[-1]

    yield start
    for run in runs:
        run.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_run_and_viewers(start, number):
    run = start()
    stream, poses = run.view("/api/stream"), run.view("/api/poses")
    for viewer in (stream, poses):
        while b"keypoints" not in viewer.recv(65536) and b"people" not in viewer.recv(65536):
            pass
    run.process.send_signal(number)
    started = time.monotonic()
    code, said = run.end()
    assert (code, time.monotonic() - started < 8) == (130, True), said
    assert "Traceback" not in said
    for viewer in (stream, poses):
        while viewer.recv(65536):
            pass
        viewer.close()


def test_a_browser_that_is_closed_is_nothing_to_the_run(start):
    run = start("--limit", "60")
    for _ in range(5):
        viewer = run.view("/api/stream")
        viewer.recv(4096)
        viewer.close()
    code, said = run.end()
    assert code == 0, said
    assert "Traceback" not in said


def test_the_status_of_a_real_run(start):
    run = start()
    viewer = run.view("/api/poses")
    while b"data: " not in viewer.recv(65536):
        pass
    time.sleep(1.2)
    answer = b""
    with run.view("/api/status") as status:
        more = status.recv(65536)
        while more:
            answer += more
            more = status.recv(65536)
    now = json.loads(answer.split(b"\r\n\r\n", 1)[1].decode())
    assert now["fps"] > 0
    assert set(now["stage_ms"]) >= {"preprocess", "engine", "decode"}
    viewer.close()


def test_an_address_open_to_others_needs_a_token(capsys):
    assert main(["--source", "x.jpg", "--web", "0.0.0.0:8080"]) == 1
    assert "add --web-token TOKEN, or listen at 127.0.0.1:8080 only" in capsys.readouterr().err


def test_a_token_without_a_preview_is_told(capsys):
    assert main(["--source", "x.jpg", "--web-token", "secret-token"]) == 1
    assert "--web-token is for --web HOST:PORT" in capsys.readouterr().err
