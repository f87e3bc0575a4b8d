"""What a browser asks: the head of an HTTP request, read with a limit and a deadline."""
import re
import socket
import time
from typing import Dict, NamedTuple, Optional
from urllib.parse import parse_qsl

LONGEST = 8192      # bytes of a head; browsers send about one thousand
PATIENCE = 5.0      # seconds for all of it, so that nobody keeps a place by sending a byte now and then
_LINE = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]\Z")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([ -~\t]*)\Z")
_METHODS = ("GET", "HEAD")


class Refused(Exception):
    """The answer is a status and a line of text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Request(NamedTuple):
    """A request that is one."""

    method: str
    path: str                # as it was sent: known paths need no decoding, others are not known
    query: Dict[str, str]
    headers: Dict[str, str]  # names in lower case

    @property
    def token(self) -> Optional[str]:
        """What it shows to be let in."""
        bearer = re.match(r"Bearer +(\S+) *$", self.headers.get("authorization", ""), re.IGNORECASE)
        return bearer.group(1) if bearer else self.query.get("token")


def read_request(connection: socket.socket, patience: float = PATIENCE) -> Optional[Request]:
    """The request; None of somebody who left without a word; Refused where it is none, too long or too slow."""
    end, head = time.monotonic() + patience, b""
    while b"\r\n\r\n" not in head:
        if len(head) > LONGEST:
            raise Refused(431, "the head of the request has more than %d bytes" % LONGEST)
        left = end - time.monotonic()
        if left <= 0:
            raise Refused(408, "no request within %g s" % patience)
        connection.settimeout(left)
        try:
            more = connection.recv(LONGEST)
        except socket.timeout:
            continue
        if not more:
            if head:
                raise Refused(400, "half a request")
            return None
        head += more
    return parse_request(head[:head.index(b"\r\n\r\n")])


def parse_request(head: bytes) -> Request:
    """Of the lines before the empty one.

    >>> parse_request(b"GET /api/status?source=1 HTTP/1.1").query
    {'source': '1'}
    """
    first, _, rest = head.decode("latin-1").partition("\r\n")
    if len(head) > LONGEST:
        raise Refused(431, "the head of the request has more than %d bytes" % LONGEST)
    line = _LINE.match(first)
    if not line:
        raise Refused(400, "this is no HTTP/1.1 request")
    if line.group(1) not in _METHODS:
        raise Refused(405, "expected GET or HEAD")
    path, _, query = line.group(2).partition("?")
    headers: Dict[str, str] = {}
    for text in rest.split("\r\n") if rest else []:
        header = _HEADER.match(text)
        if not header or header.group(1).lower() in headers and header.group(1).lower() in ("host", "authorization"):
            raise Refused(400, "a header is none")
        headers[header.group(1).lower()] = header.group(2).strip()
    return Request(line.group(1), path, dict(parse_qsl(query, keep_blank_values=True)), headers)
