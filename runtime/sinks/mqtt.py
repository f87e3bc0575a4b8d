"""Poses to an MQTT broker: one message a frame, in order."""
import logging
import threading
import time
from typing import Any, NamedTuple, Optional
from urllib.parse import unquote, urlsplit

from wholebody.errors import OutputError
from wholebody.packages import require
from wholebody.poses import Frame, Result
from wholebody.runtime.sinks.base import Details, Sink
from wholebody.runtime.sinks.messages import line_of, message_of

log = logging.getLogger("wholebody")
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_CONNECT_SECONDS = 10.0
_FINISH_SECONDS = 5.0   # for what is still on its way at the end
_WAITING = 100          # messages kept while the broker is away; further ones are dropped
_DELIVERED = 1          # QoS: at least once, in the order of publishing


class Broker(NamedTuple):
    """Where to, as the user typed it: mqtt://[user:password@]host[:port]/topic."""

    host: str
    port: int
    topic: str
    user: Optional[str] = None
    password: Optional[str] = None
    encrypted: bool = False

    @classmethod
    def parse(cls, text: str) -> "Broker":
        """OutputError where it is none.

        >>> Broker.parse("mqtt://10.0.0.7/hall/poses").topic
        'hall/poses'
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise OutputError("%s: %s; expected mqtt://host/topic" % (text, error)) from error
        topic = parts.path.lstrip("/")
        if parts.scheme not in _PORTS or not parts.hostname or not topic:
            raise OutputError("%s is no broker and topic; expected mqtt://host/topic" % text)
        if "+" in topic or "#" in text:
            raise OutputError("%s: a topic to publish to has no + and no #" % text)
        return cls(parts.hostname, port or _PORTS[parts.scheme], topic,
                   None if parts.username is None else unquote(parts.username),
                   None if parts.password is None else unquote(parts.password), parts.scheme == "mqtts")


class MqttMessages(Sink):
    """Publishes from paho's own thread; a broker that goes away is waited for, with up to 100 messages kept."""

    def __init__(self, address: str) -> None:
        """Connects; OutputError where the broker is not there or does not let us in."""
        self.broker = Broker.parse(address)
        self.name = "mqtt://%s:%d/%s" % (self.broker.host, self.broker.port, self.broker.topic)
        self.lost = 0  # messages that went because the broker was away too long
        self._answered, self._refusal = threading.Event(), ""
        self._taken = self._delivered = 0  # the first by the one who writes, the second by paho's thread
        self._client = self._connect()

    def write(self, frame: Frame, result: Result, details: Details) -> None:  # noqa: ARG002 - pixels of the frame
        """Hand it over; this does not wait for the broker."""
        info = self._client.publish(self.broker.topic, line_of(message_of(frame, result)), qos=_DELIVERED)
        if info.rc == self._queue_full:
            self.lost += 1
            if self.lost == 1:
                log.warning("%s: the broker is away, and %d messages wait: further ones are dropped", self.name,
                            _WAITING)
        else:  # also while the broker is away: paho keeps it and sends it later
            self._taken += 1

    def close(self) -> None:
        """Wait a little for what is on its way."""
        client, self._client = self._client, None
        if client is None:
            return
        end = time.monotonic() + _FINISH_SECONDS
        while self._delivered < self._taken and time.monotonic() < end:
            time.sleep(0.01)
        client.disconnect()
        client.loop_stop()
        if self.lost:
            log.warning("%s: %d messages were dropped", self.name, self.lost)

    def abort(self) -> None:
        """As close: what is published is published."""
        self.close()

    def _connect(self) -> Any:
        mqtt = require("paho.mqtt.client", "mqtt")
        self._queue_full = mqtt.MQTT_ERR_QUEUE_SIZE
        # Since 2.0 the way of calling back is told; 1.x knows no such thing.
        versions = getattr(mqtt, "CallbackAPIVersion", None)
        client = mqtt.Client(*([versions.VERSION2] if versions else []))
        if self.broker.user is not None:
            client.username_pw_set(self.broker.user, self.broker.password)
        if self.broker.encrypted:
            client.tls_set()
        client.max_queued_messages_set(_WAITING)
        client.reconnect_delay_set(1, 8)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish = self._on_publish
        try:
            client.connect(self.broker.host, self.broker.port, keepalive=30)
        except (OSError, ValueError) as error:
            raise OutputError("cannot reach %s: %s; is a broker running there? (mosquitto -v)"
                              % (self.name, getattr(error, "strerror", None) or error)) from error
        client.loop_start()
        if not self._answered.wait(_CONNECT_SECONDS) or self._refusal:
            client.disconnect()
            client.loop_stop()
            raise OutputError("%s: %s" % (self.name, self._refusal or "the broker does not answer"))
        return client

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, *more: Any) -> None:  # noqa: ARG002
        failed = reason.is_failure if hasattr(reason, "is_failure") else reason != 0
        self._refusal = "the broker refuses: %s" % reason if failed else ""
        self._answered.set()

    def _on_disconnect(self, client: Any, data: Any, *reasons: Any) -> None:  # noqa: ARG002
        if self._answered.is_set() and self._client is not None:
            log.warning("%s: the broker is away; trying to come back", self.name)

    def _on_publish(self, client: Any, data: Any, number: int, *more: Any) -> None:  # noqa: ARG002
        self._delivered += 1
