"""Headless Chromium driven over its debugging protocol, with a WebSocket client of a page."""
import base64
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import time
import urllib.request

PATIENCE = 20.0


def chromium():
    """Where it is; None where it is not."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One page; a context manager that ends the browser."""

    def __init__(self, folder, width=1280, height=800, dark=False, phone=False):
        folder = str(folder)
        self._process = subprocess.Popen(
            [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-port=0", "--user-data-dir=" + folder, "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--disable-component-update", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._socket, self._held, self._count = None, b"", 0
        self.events = []
        try:
            self._connect(pathlib.Path(folder, "DevToolsActivePort"))
            self.send("Page.enable")
            self.send("Runtime.enable")
            self.send("Log.enable")
            self.send("Network.enable")
            self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, mobile=phone,
                      deviceScaleFactor=2 if phone else 1)
            self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme",
                                                               "value": "dark" if dark else "light"}])
        except BaseException:
            self.close()
            raise

    def _connect(self, file):
        end = time.monotonic() + PATIENCE
        while not (file.exists() and file.read_text().strip()):
            assert time.monotonic() < end, "Chromium takes too long to start"
            assert self._process.poll() is None, "Chromium does not start"
            time.sleep(0.05)
        port = int(file.read_text().split()[0])
        page = next(target for target in json.loads(urllib.request.urlopen(
            "http://127.0.0.1:%d/json" % port, timeout=PATIENCE).read().decode()) if target["type"] == "page")
        path = page["webSocketDebuggerUrl"].split(str(port), 1)[1]
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
                              % (path, port, key)).encode())
        while b"\r\n\r\n" not in self._held:
            self._held += self._socket.recv(4096)
        self._held = self._held.split(b"\r\n\r\n", 1)[1]

    def send(self, method, **parameters):
        """A command, and its result; events that come meanwhile are kept."""
        self._count += 1
        data = json.dumps({"id": self._count, "method": method, "params": parameters}).encode()
        mask = os.urandom(4)
        size = (struct.pack(">BB", 0x81, 0x80 | len(data)) if len(data) < 126 else
                struct.pack(">BBH", 0x81, 0xfe, len(data)) if len(data) < 65536 else
                struct.pack(">BBQ", 0x81, 0xff, len(data)))
        self._socket.sendall(size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _receive(self):
        text = b""
        while True:
            first, length = self._take(2)
            length &= 0x7f
            if length > 125:
                length, = struct.unpack(">H" if length == 126 else ">Q", self._take(2 if length == 126 else 8))
            part = self._take(length)
            if first & 0x0f in (0, 1):
                text += part
                if first & 0x80:
                    return json.loads(text.decode())

    def _take(self, count):
        while len(self._held) < count:
            more = self._socket.recv(1 << 20)
            assert more, "Chromium has gone"
            self._held += more
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def open(self, url):
        """Go there."""
        self.send("Page.navigate", url=url)

    def ask(self, script):
        """What an expression of JavaScript is; promises are waited for."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True,
                           userGesture=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, script, seconds=PATIENCE):
        """Until it is true; what it is then."""
        end = time.monotonic() + seconds
        while True:
            value = self.ask(script)
            if value:
                return value
            assert time.monotonic() < end, "still not true: %s" % script
            time.sleep(0.1)

    def screenshot(self, path):
        """What is in the window."""
        picture = self.send("Page.captureScreenshot", format="png")["data"]
        with open(str(path), "wb") as file:
            file.write(base64.b64decode(picture))

    def complaints(self):
        """What the console and the log said of errors, and that it could not load."""
        self.ask("1")
        said = []
        for event in self.events:
            what = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                said.append(str(what["exceptionDetails"]))
            if event["method"] == "Log.entryAdded" and what["entry"]["level"] == "error":
                said.append(what["entry"]["text"] + " " + what["entry"].get("url", ""))
        return said

    def addresses(self):
        """All that was asked for."""
        self.ask("1")
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def close(self):
        """End it."""
        if self._socket is not None:
            self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
