"""Poses to a real broker on loopback: every one, in order, also across a broker that dies and comes back."""
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from wholebody.errors import OutputError
from wholebody.poses import Frame, Poses, Result
from wholebody.runtime.sinks import MqttMessages
from wholebody.runtime.sinks.mqtt import Broker
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_17")
BROKERS = [("mqtt://host/a/b", Broker("host", 1883, "a/b")),
           ("mqtt://me:p%40ss@host:1884/t", Broker("host", 1884, "t", "me", "p@ss")),
           ("mqtts://host/t", Broker("host", 8883, "t", encrypted=True))]


@pytest.mark.parametrize("text, broker", BROKERS, ids=[case[0] for case in BROKERS])
def test_a_broker_as_it_is_typed(text, broker):
    assert Broker.parse(text) == broker


@pytest.mark.parametrize("text", ["mqtt://host", "mqtt://host/", "http://host/t", "host/t", "mqtt://host:x/t",
                                  "mqtt://host/a/#", "mqtt://host/+/a", "mqtt:///t"])
def test_what_is_no_broker_and_topic_is_one_line(text):
    with pytest.raises(OutputError) as caught:
        Broker.parse(text)
    assert "\n" not in str(caught.value)


@pytest.fixture
def mosquitto(tmp_path):
    """Starts a broker; again after `kill` at the same port."""
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        if os.environ.get("CI") and sys.version_info[:2] == (3, 11):
            pytest.fail("mosquitto is not installed: sudo apt install mosquitto")
        pytest.skip("mosquitto is not installed: sudo apt install mosquitto")
    pytest.importorskip("paho.mqtt.client", reason="the client: pip install paho-mqtt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []

    def start():
        running.append(subprocess.Popen([program, "-p", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return running[-1]
            time.sleep(0.05)
        raise AssertionError("mosquitto does not start")

    start.url = "mqtt://127.0.0.1:%d/hall/poses" % port
    start.port = port
    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


class Listener:
    """Another client that keeps what it hears."""

    def __init__(self, port, topic="hall/poses"):
        import paho.mqtt.client as mqtt
        versions = getattr(mqtt, "CallbackAPIVersion", None)
        self.client = mqtt.Client(*([versions.VERSION2] if versions else []))
        self.heard, subscribed = [], threading.Event()
        self.client.on_message = lambda client, data, message: self.heard.append(json.loads(message.payload.decode()))
        self.client.on_connect = lambda client, *more: client.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *more: subscribed.set()
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert subscribed.wait(5)

    def wait_for(self, count):
        end = time.monotonic() + 10
        while len(self.heard) < count and time.monotonic() < end:
            time.sleep(0.01)
        return [message["index"] for message in self.heard]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def frame_and_result(index):
    drawn = np.random.RandomState(index)
    poses = Poses(drawn.uniform(0, 60, (2, 17, 2)), drawn.uniform(0, 1, (2, 17)), np.ones(2), SKELETON,
                  ids=np.array([7, 8]))
    frame = Frame(np.zeros((48, 64, 3), np.uint8), index, time.monotonic(), "hall")
    return frame, Result(index, frame.captured_at, poses, {}, 5.0)


def test_the_broker_receives_every_pose_in_order(mosquitto):
    mosquitto()
    listener = Listener(mosquitto.port)
    with MqttMessages(mosquitto.url) as sink:
        for index in range(300):
            frame, result = frame_and_result(index)
            sink.write(frame, result, None)
            if index % 50 == 49:  # a camera gives it time; 300 at once are more than may wait
                assert listener.wait_for(index + 1) == list(range(index + 1))
    assert listener.wait_for(300) == list(range(300))
    assert sink.lost == 0
    person = listener.heard[5]["people"][1]
    expected = frame_and_result(5)[1].poses
    assert person["id"] == 8
    np.testing.assert_allclose([k[:2] for k in person["keypoints"]], expected.keypoints[1], atol=6e-4)
    listener.close()


def test_a_broker_that_dies_and_comes_back_gets_the_rest(mosquitto, caplog):
    first = mosquitto()
    with MqttMessages(mosquitto.url) as sink:
        sink.write(*frame_and_result(0), details=None)
        first.kill()
        first.wait()
        for index in range(1, 400):  # more than may wait
            sink.write(*frame_and_result(index), details=None)
        assert sink.lost > 200
        mosquitto()
        listener = Listener(mosquitto.port)
        end = time.monotonic() + 15
        while not sink._client.is_connected() and time.monotonic() < end:
            time.sleep(0.05)
        sink.write(*frame_and_result(1000), details=None)
    heard = listener.wait_for(1)
    assert heard[-1] == 1000
    assert heard == sorted(heard)
    assert "the broker is away" in caplog.text
    assert "messages were dropped" in caplog.text
    listener.close()


def test_what_was_written_while_the_broker_was_away_is_waited_for_at_the_end(mosquitto):
    first = mosquitto()
    with MqttMessages(mosquitto.url) as sink:
        first.kill()
        first.wait()
        while sink._client.is_connected():
            time.sleep(0.01)
        for index in range(5):
            sink.write(*frame_and_result(index), details=None)
        mosquitto()
        listener = Listener(mosquitto.port)  # before paho tries again, a second later
    assert listener.wait_for(5) == list(range(5))
    listener.close()


def test_no_broker_is_one_line_with_the_next_command(mosquitto):
    with pytest.raises(OutputError, match="cannot reach mqtt://127.0.0.1:.*/hall/poses: .*mosquitto -v"):
        MqttMessages(mosquitto.url)


def test_a_password_is_in_no_message(mosquitto):
    with pytest.raises(OutputError) as caught:
        MqttMessages(mosquitto.url.replace("mqtt://", "mqtt://me:secret@"))
    assert "secret" not in str(caught.value)
