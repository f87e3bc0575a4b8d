"""Viewers that stall, trickle, crowd in and stay: none of them costs the run anything."""
import functools
import json
import time

import numpy as np
import pytest
from fake_viewing import SKELETON, read_answer, wait_until, web_threads

from wholebody.errors import OutputError
from wholebody.runtime.web import WebAddress, WebPreview, answers
from wholebody.runtime.web.server import Server

STREAM = b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
STATUS = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
LOOPBACK = WebAddress.parse("127.0.0.1:0")
NOISE = np.random.RandomState(0).randint(0, 255, (720, 1280, 3)).astype(np.uint8)


def watching(running):
    return running.preview.newest._pictures_watched[0]


def test_without_a_viewer_no_picture_is_made(running):
    for index in range(20):
        running.frame(index)
    time.sleep(0.1)
    assert running.preview.newest.encoded == 0


def test_a_frame_is_encoded_once_however_many_watch(running):
    viewers = [running.connect() for _ in range(6)]
    for viewer in viewers:
        viewer.sendall(STREAM)
    wait_until(lambda: watching(running) == 6)
    for index in range(10):
        running.frame(index)
        wait_until(lambda wanted=index + 1: running.preview.newest.encoded >= wanted)
    time.sleep(0.1)
    assert running.preview.newest.encoded == 10
    for viewer in viewers:
        viewer.close()
    wait_until(lambda: watching(running) == 0, 3 * answers.STILL_HERE)


def test_a_viewer_that_reads_nothing_keeps_nobody_waiting_and_is_sent_away(running, monkeypatch):
    monkeypatch.setattr(answers, "STALLED", 1.0)
    stalled, awake = running.connect(), running.connect()
    for viewer in (stalled, awake):
        viewer.sendall(STREAM)
    wait_until(lambda: watching(running) == 2)
    awake.settimeout(5)
    got, index, longest, end = 0, 0, 0.0, time.monotonic() + 15
    while watching(running) == 2:
        assert time.monotonic() < end, "the one that reads nothing stays"
        started = time.monotonic()
        running.frame(index, image=NOISE)
        longest, index = max(longest, time.monotonic() - started), index + 1
        got += len(awake.recv(1 << 20))
        time.sleep(0.002)
    assert longest < 0.5, "the run waited"
    assert got > 3 * len(running.preview.newest.after(0, 0, 1).jpeg), "the other one waited"
    awake.close()
    stalled.close()


def test_a_frame_that_makes_no_picture_is_told_once_and_the_next_one_comes(running, caplog):
    with running.connect() as viewer:
        viewer.sendall(STREAM)
        wait_until(lambda: watching(running) == 1)
        for index in range(2):
            running.frame(index, image=np.zeros((48, 64, 7), np.uint8))
            wait_until(lambda wanted=index + 1: running.preview.newest.failed == wanted)
        running.frame(2)
        wait_until(lambda: running.preview.newest.encoded == 1)
    assert ["makes no picture" in record.getMessage() for record in caplog.records] == [True]


@pytest.fixture
def impatient(running):
    """A server for the same answers that waits only a moment for a request, and takes three connections."""
    found = running.preview.server._serve.__self__
    server = Server(LOOPBACK, functools.partial(found.serve, patience=0.4), most=3)
    running.port = server.port
    yield server
    server.close()
    assert server.connections == 0


def test_who_sends_a_byte_now_and_then_is_sent_away_in_time(running, impatient):
    started = time.monotonic()
    with running.connect() as slow:
        slow.settimeout(0.1)
        answer = b""
        for byte in STATUS:
            assert time.monotonic() - started < 3
            try:
                slow.send(bytes([byte]))
                answer += slow.recv(4096)
            except OSError as error:
                if "timed out" not in str(error):
                    break
        assert b"408 Request Timeout" in answer
    wait_until(lambda: impatient.connections == 0)


def test_half_open_connections_take_all_places_for_a_moment_only(running, impatient):
    held = [running.connect() for _ in range(3)]
    wait_until(lambda: impatient.connections == 3)
    with running.connect() as late:
        assert read_answer(late)[0] == 503
    wait_until(lambda: impatient.connections == 0)
    assert running.ask(STATUS)[0] == 200
    for connection in held:
        assert read_answer(connection)[0] == 408
        connection.close()


def test_a_connection_that_says_nothing_and_goes_leaves_nothing(running):
    for _ in range(50):
        running.connect().close()
    wait_until(lambda: running.preview.server.connections == 0)


def test_closing_sends_everybody_away_at_once(running):
    viewers = [running.connect() for _ in range(4)]
    for viewer, request in zip(viewers, (STREAM, STREAM, STREAM.replace(b"stream", b"poses"), b"GET /")):
        viewer.sendall(request)
    wait_until(lambda: running.preview.server.connections == 4)
    started = time.monotonic()
    running.preview.close()
    assert time.monotonic() - started < 5
    assert not web_threads()
    running.preview.close()


def test_an_address_that_is_taken_is_told_in_one_line(running):
    before = len(web_threads())
    with pytest.raises(OutputError, match="Address already in use; try another port: --web 127.0.0.1:%d"
                                          % (running.port % 65535 + 1)):
        WebPreview(WebAddress.parse("127.0.0.1:%d" % running.port), running.status, SKELETON)
    assert len(web_threads()) == before


def test_figures_are_looked_at_once_a_second_however_many_ask(running):
    running.frame(0)
    started = time.monotonic()
    asked = [json.loads(running.get("/api/status")[2].decode())["seconds"] for _ in range(40)]
    assert len(set(asked)) <= time.monotonic() - started + 2
