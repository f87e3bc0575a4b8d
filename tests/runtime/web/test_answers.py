"""What the preview answers, over real sockets."""
import json
import re
import struct
import time

import numpy as np
import pytest

TOKEN = "secret-token-of-the-hall"


def test_the_page_is_one_answer_and_may_ask_nobody_but_us(running):
    status, headers, body = running.get("/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = body.decode("utf-8")
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", text)
    assert re.findall(r"https?://[^\s'\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "/*s" not in text


def test_the_setup_names_sources_and_parts(running):
    setup = json.loads(running.get("/api/setup")[2].decode())
    assert setup["sources"] == ["hall", "door"]
    assert sorted(setup["skeleton"]["parts"]) == ["body", "foot"]
    assert len(setup["skeleton"]["colors"]) == len(setup["skeleton"]["scales"]) == 25


def test_the_picture_is_the_newest_frame(running):
    import cv2
    for index in range(100, 103):
        running.frame(index, source=1)
    status, headers, body = running.get("/api/picture.jpg?source=1")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (48, 64, 3)
    assert abs(int(np.median(image)) - 102) <= 1


def test_a_wide_picture_is_made_smaller_and_its_people_are_not(running):
    import cv2
    running.frame(7, size=(1080, 1920))
    with running.connect() as viewer:
        viewer.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        message, jpeg = next(records(viewer))
    assert (message["width"], message["height"]) == (1920, 1080)
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1).shape == (720, 1280, 3)


def test_poses_come_as_events_of_the_newest_frames(running):
    with running.connect() as viewer:
        viewer.sendall(b"GET /api/poses?source=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        file = viewer.makefile("rb")
        while file.readline() != b"\r\n":
            pass
        seen = []
        for index in range(3):
            running.frame(index, source=1)
            assert file.readline().startswith(b"id: ")
            seen.append(json.loads(file.readline()[len("data: "):].decode()))
            assert file.readline() == b"\n"
    assert [one["index"] for one in seen] == [0, 1, 2]
    assert len(seen[0]["people"]) == 2
    assert len(seen[0]["people"][0]["keypoints"]) == 25
    assert running.preview.newest.encoded == 0, "nobody looked at a picture"


def records(viewer):
    """Messages and JPEGs of /api/stream."""
    file = viewer.makefile("rb")
    while file.readline() != b"\r\n":
        pass
    while True:
        words, bytes_ = struct.unpack(">II", file.read(8))
        if words:
            yield json.loads(file.read(words).decode()), file.read(bytes_)


def test_the_stream_has_the_picture_and_its_own_people(running):
    import cv2
    with running.connect() as viewer:
        viewer.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        running.frame(0)
        stream = records(viewer)
        for index in range(0, 250, 50):
            running.frame(index)
            message, jpeg = next(stream)
            while message["index"] != index:  # the first one may be older
                message, jpeg = next(stream)
            level = np.median(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1))
            assert abs(level - index) <= 1


def test_status_and_history_fill_without_a_viewer(running):
    for index in range(5):
        running.frame(index)
    time.sleep(1.2)
    now = json.loads(running.get("/api/status")[2].decode())
    assert (now["frames"], now["people"]) == (5, 2)
    assert set(now["board"]) >= {"hottest_c", "total_mw"}
    past = json.loads(running.get("/api/history")[2].decode())
    assert past[-1]["stage_ms"] == {"engine": 5.0, "decode": 1.0}


REFUSED = [("no such path", "/api/nothing", 404), ("a path upwards", "/../../etc/passwd", 404),
           ("an encoded path upwards", "/%2e%2e/%2e%2e/etc/passwd", 404), ("a file of ours", "/preview.js", 404),
           ("two slashes", "//", 404), ("a source that is not there", "/api/poses?source=2", 404),
           ("a source that is none", "/api/picture.jpg?source=-1", 404),
           ("a source in other digits", "/api/picture.jpg?source=%D9%A1", 404)]


@pytest.mark.parametrize("path, expected", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_path_that_is_not_known_is_refused(running, path, expected):
    status, headers, body = running.get(path)
    assert status == expected
    assert headers["content-type"].startswith("text/plain")
    assert body.count(b"\n") == 1


BROKEN = [("another method", b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
          ("no HTTP", b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
          ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\n", 400), ("another's address", b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
          ("a header without a colon", b"GET / HTTP/1.1\r\nnothing\r\n\r\n", 400),
          ("a folded header", b"GET / HTTP/1.1\r\nHost: localhost\r\n more\r\n\r\n", 400),
          ("two hosts", b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", 400),
          ("no host", b"GET / HTTP/1.1\r\n\r\n", 403),
          ("a foreign host", b"GET /api/status HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
          ("a huge header", b"GET / HTTP/1.1\r\nX: " + b"a" * 100000, 431),
          ("a huge path", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 431)]


@pytest.mark.parametrize("request_, expected", [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_request_that_is_none_is_refused(running, request_, expected):
    assert running.ask(request_)[0] == expected


def test_head_gets_the_head_only(running):
    status, headers, body = running.ask(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 1000
    assert running.ask(b"HEAD /api/poses HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200


PATHS = ["/", "/api/setup", "/api/status", "/api/history", "/api/poses", "/api/stream", "/api/picture.jpg", "/metrics",
         "/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_told_without_the_token(make_preview, path):
    running = make_preview(TOKEN)
    running.frame(0)
    for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Basic " + TOKEN},
                  {"Cookie": "token=" + TOKEN}):
        status, headers, body = running.get(path, **wrong)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert TOKEN.encode() not in body
    assert running.get(path + "?token=" + TOKEN[:-1])[0] == 401


def test_the_token_opens_as_a_header_and_in_the_address(make_preview):
    running = make_preview(TOKEN)
    assert running.get("/?token=" + TOKEN)[0] == 200
    assert running.get("/metrics", Authorization="Bearer " + TOKEN)[0] == 200
    assert running.ask(b"GET / HTTP/1.1\r\nHost: board.local\r\nAuthorization: bearer " + TOKEN.encode()
                       + b"\r\n\r\n")[0] == 200
