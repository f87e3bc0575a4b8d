"""Requests that no browser sends, by the thousand: each is answered or ended, and the preview goes on."""
import random
import socket

import pytest
from fake_viewing import wait_until

from wholebody.runtime.web.requests import Refused, parse_request

SEEDS = range(4)
WORDS = [b"GET", b"HEAD", b"POST", b" ", b"/", b"/api/status", b"/api/picture.jpg", b"/metrics", b"?source=",
         b"?token=", b"..", b"%2e%2e", b"%00", b"\0", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"HTTP/1.1",
         b"HTTP/9.9", b"Host: localhost",
         b"Host:", b":", b"Authorization: Bearer ", b"Content-Length: 99999999", b"Transfer-Encoding: chunked",
         b"\xff\xfe",
         b"\xe2\x80\xa8", b"A" * 500, b"A" * 9000, b"source=999999999999", b"&" * 300, b"=", b"Range: bytes=0-",
         b"Expect: 100-continue", b"Upgrade: websocket", b"Connection: keep-alive"]
KNOWN = {200, 400, 403, 404, 405, 408, 431, 503}


def made_up(rng):
    if rng.random() < 0.3:
        request = bytearray(b"GET /api/status?source=0 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n")
        for _ in range(rng.randint(1, 6)):
            request[rng.randrange(len(request))] = rng.randrange(256)
        return bytes(request)
    return b"".join(rng.choice(WORDS) for _ in range(rng.randint(1, 20)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_head_is_a_request_or_refused(seed):
    rng = random.Random(seed)
    for _ in range(1500):
        head = made_up(rng)
        try:
            request = parse_request(head)
        except Refused as refused:
            assert refused.status in KNOWN
            assert "\n" not in refused.text
        else:
            assert request.method in ("GET", "HEAD")
            assert request.path.startswith("/")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_preview_outlives_whatever_is_sent(running, caplog, seed):
    rng = random.Random(100 + seed)
    running.frame(0)
    for _ in range(60):
        with running.connect() as connection:
            try:
                connection.sendall(made_up(rng))
                if rng.random() < 0.3:
                    continue  # gone without waiting for an answer
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(200)
            except OSError:
                continue
        assert not answer or int(answer.split()[1]) in KNOWN
    assert running.get("/api/status")[0] == 200
    wait_until(lambda: running.preview.server.connections == 0)
    assert not caplog.records, "nothing that a stranger sends is worth a line in the log"
