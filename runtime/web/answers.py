"""What is answered to whom: known paths, the right token, and headers that let no other page in."""
import contextlib
import json
import re
import socket
import struct
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence

from wholebody.runtime.drawing import style_of
from wholebody.runtime.web.address import WebAddress
from wholebody.runtime.web.figures import Figures, prometheus
from wholebody.runtime.web.newest import Newest
from wholebody.runtime.web.page import Page
from wholebody.runtime.web.requests import PATIENCE, Refused, Request, read_request
from wholebody.runtime.web.server import STALLED
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    Answer = Callable[[socket.socket, Request], None]

STILL_HERE = 2.0   # seconds between signs of life where no frame comes
_FIRST = 5.0       # seconds that a single picture is waited for
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
            405: "Method Not Allowed", 408: "Request Timeout", 431: "Request Header Fields Too Large",
            503: "Service Unavailable"}
_HEADERS = ("Cache-Control: no-store", "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer",
            "Cross-Origin-Resource-Policy: same-origin", "X-Frame-Options: DENY", "Connection: close")
_NOTHING_ELSE = "default-src 'none'; frame-ancestors 'none'"
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"


class Answers:
    """Serves one connection after the other; any thread may."""

    def __init__(self, address: WebAddress, newest: Newest, figures: Figures, sources: Sequence[str],
                 skeleton: Skeleton) -> None:
        self._address, self._newest, self._figures = address, newest, figures
        self._sources = len(sources)
        self._page = Page.load()
        self._setup = json.dumps({"sources": list(sources), "skeleton": _drawn(skeleton)})
        self._known: "Dict[str, Answer]" = {
            "/": self._give_page, "/api/setup": self._give_setup, "/api/status": self._give_status,
            "/api/history": self._give_history, "/api/poses": self._stream_poses, "/api/stream": self._stream_pictures,
            "/api/picture.jpg": self._give_picture, "/metrics": self._give_metrics}

    def serve(self, connection: socket.socket, patience: float = PATIENCE) -> None:
        """One request; what is wrong with it is said in one line."""
        request: Optional[Request] = None
        try:
            request = read_request(connection, patience)
            if request is None:
                return
            answer = self._answer_to(request)
            connection.settimeout(STALLED)
            answer(connection, request)
        except Refused as refused:
            connection.settimeout(1.0)
            _give(connection, request, (refused.text + "\n").encode(), _TEXT, status=refused.status)
            _let_arrive(connection)

    def _answer_to(self, request: Request) -> "Answer":
        if not self._address.is_ours(request.headers.get("host", "")):
            raise Refused(403, "this address is served to this machine only; use http://127.0.0.1")
        if not self._address.lets_in(request.token):
            raise Refused(401, "add the token that wb-run was given: ?token=TOKEN, "
                               "or the header Authorization: Bearer TOKEN")
        if request.path not in self._known:
            raise Refused(404, "there are: " + " ".join(sorted(self._known)))
        return self._known[request.path]

    def _give_page(self, connection: socket.socket, request: Request) -> None:
        _give(connection, request, self._page.html, "text/html; charset=utf-8", self._page.policy)

    def _give_setup(self, connection: socket.socket, request: Request) -> None:
        _give(connection, request, self._setup.encode(), _JSON)

    def _give_status(self, connection: socket.socket, request: Request) -> None:
        _give(connection, request, json.dumps(self._figures.now).encode(), _JSON)

    def _give_history(self, connection: socket.socket, request: Request) -> None:
        _give(connection, request, json.dumps(self._figures.past()).encode(), _JSON)

    def _give_metrics(self, connection: socket.socket, request: Request) -> None:
        _give(connection, request, prometheus(self._figures.now).encode(), "text/plain; version=0.0.4; charset=utf-8")

    def _give_picture(self, connection: socket.socket, request: Request) -> None:
        source = self._source_of(request)
        with self._newest.watch(source, pictures=True):
            shot = self._newest.after(source, 0, _FIRST)
            while shot is not None and not shot.jpeg:
                shot = self._newest.after(source, shot.number, _FIRST)
        if shot is None:
            raise Refused(503, "there is no picture yet")
        _give(connection, request, shot.jpeg, "image/jpeg")

    def _stream_poses(self, connection: socket.socket, request: Request) -> None:
        def event(number: int, message: bytes, _: bytes) -> bytes:
            return b"id: %d\ndata: %s\n\n" % (number, message) if message else b": still here\n\n"

        self._stream(connection, request, "text/event-stream", False, event)

    def _stream_pictures(self, connection: socket.socket, request: Request) -> None:
        def record(_: int, message: bytes, jpeg: bytes) -> bytes:
            return struct.pack(">II", len(message), len(jpeg)) + message + jpeg

        self._stream(connection, request, "application/octet-stream", True, record)

    def _stream(self, connection: socket.socket, request: Request, kind: str, pictures: bool,
                form: Callable[[int, bytes, bytes], bytes]) -> None:
        """The newest frame, again and again; who takes long skips those in between."""
        source, number = self._source_of(request), 0
        connection.sendall(_head(200, kind, None))
        if request.method == "HEAD":
            return
        with self._newest.watch(source, pictures):
            while not self._newest.ended:
                shot = self._newest.after(source, number, STILL_HERE)
                if shot is None:
                    connection.sendall(form(number, b"", b""))
                    continue
                number = shot.number
                if shot.jpeg or not pictures:
                    connection.sendall(form(number, shot.message, shot.jpeg))

    def _source_of(self, request: Request) -> int:
        text = request.query.get("source", "0")
        if not re.match(r"[0-9]{1,3}\Z", text) or int(text) >= self._sources:
            raise Refused(404, "source: expected a number from 0 to %d" % (self._sources - 1))
        return int(text)


def _give(connection: socket.socket, request: Optional[Request], body: bytes, kind: str,
          policy: str = _NOTHING_ELSE, status: int = 200) -> None:
    head = _head(status, kind, len(body), policy)
    connection.sendall(head if request is not None and request.method == "HEAD" else head + body)


def _head(status: int, kind: str, length: Optional[int], policy: str = _NOTHING_ELSE) -> bytes:
    lines: List[str] = ["HTTP/1.1 %d %s" % (status, _REASONS[status]), "Content-Type: " + kind,
                        "Content-Security-Policy: " + policy]
    if length is not None:
        lines.append("Content-Length: %d" % length)
    if status == 401:
        lines.append("WWW-Authenticate: Bearer")
    if status == 405:
        lines.append("Allow: GET, HEAD")
    return ("\r\n".join(lines + list(_HEADERS)) + "\r\n\r\n").encode()


def _let_arrive(connection: socket.socket) -> None:
    """A connection that is closed with something unread is reset, and our answer with it: read a little more."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(0.2)
        for _ in range(16):
            if not connection.recv(65536):
                return


def _drawn(skeleton: Skeleton) -> Dict[str, Any]:
    """What the page needs to draw people as --overlay does."""
    scales, thresholds = style_of(skeleton)
    return {"name": skeleton.name, "keypoints": skeleton.keypoints, "limbs": skeleton.limbs,
            "colors": ["#%02x%02x%02x" % color for color in skeleton.colors_rgb],
            "scales": scales.tolist(), "thresholds": thresholds.tolist(),
            "parts": {name: indices for name, indices in skeleton.parts if indices}}
