"""Connections: so many at a time, a thread each, none that outlives the server."""
import contextlib
import logging
import socket
import threading
import time
from typing import Callable, Dict, List

from wholebody.errors import OutputError
from wholebody.runtime.web.address import WebAddress

log = logging.getLogger("wholebody")
MOST = 64             # connections at a time
STALLED = 10.0        # seconds that a viewer may leave a frame unread
_SEND_BUFFER = 65536  # bytes; a small one so that frames do not grow old in it
_BUSY = (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class Server:
    """Listens until `close`; `serve(connection)` is called in a thread for each connection, and closes none."""

    def __init__(self, address: WebAddress, serve: Callable[[socket.socket], None], most: int = MOST) -> None:
        """OutputError where the address is taken or not ours."""
        self._serve, self._most = serve, most
        self._closing = False
        self._lock = threading.Lock()
        self._connections: Dict[socket.socket, threading.Thread] = {}
        self._listener = _listen(address)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="wholebody-web", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._connections)

    def close(self) -> None:
        """Everybody is sent away; all threads end."""
        self._closing = True
        _shut(self._listener)  # wakes accept
        self._thread.join(STALLED)
        self._listener.close()
        with self._lock:
            left: List[threading.Thread] = list(self._connections.values())
            for connection in self._connections:
                _shut(connection)
        for thread in left:
            thread.join(STALLED)

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except socket.timeout:
                continue
            except OSError as error:  # out of descriptors, or the end
                if not self._closing:
                    log.debug("web preview: %s", error)
                    time.sleep(0.1)
                continue
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._work, args=(connection,), name="wholebody-web-viewer", daemon=True)
        with self._lock:
            full = len(self._connections) >= self._most or self._closing
            if not full:
                self._connections[connection] = thread
        if full:
            connection.settimeout(0)
            with contextlib.suppress(OSError):
                connection.send(_BUSY)
            connection.close()
            return
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            log.debug("web preview: %s", error)
            self._forget(connection)

    def _work(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection)
        except OSError as error:  # the viewer has gone, or reads nothing
            log.debug("web preview: %s", error)
        except Exception:
            log.warning("web preview: a request could not be answered", exc_info=log.isEnabledFor(logging.DEBUG))
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        _shut(connection)
        connection.close()
        with self._lock:
            self._connections.pop(connection, None)


def _listen(address: WebAddress) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, 0, socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _cannot(address, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        listener.bind(place)
        listener.listen(32)
        listener.settimeout(1.0)
    except OSError as error:
        listener.close()
        raise _cannot(address, error) from error
    return listener


def _cannot(address: WebAddress, error: Exception) -> OutputError:
    return OutputError("--web: cannot listen at %s:%d: %s; try another port: --web %s:%d"
                       % (address.host, address.port, getattr(error, "strerror", None) or error, address.host,
                          address.port % 65535 + 1))


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
