"""Damage and mix-ups: an engine that does not fit is refused with the reason, before TensorRT sees it."""
import hashlib
import shutil
import sys

import numpy as np
import pytest
from fake_device import FakeDevice
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.engines import trt_opening
from wholebody.engines.build_process import BuildOptions, build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.engine_pair import manifest_path, read_manifest
from wholebody.engines.manifest import manifest_from_json, manifest_to_json
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.errors import EngineMismatch
from wholebody.jetson.identity import Board

ORIN = Board("NVIDIA Jetson AGX Orin Developer Kit", "8.7", "35.4.1", "11.4")
SPEC = BuildSpec("fp16", (64, 96), (64, 96), (64, 96))
COMMAND = "wb-export build .*net.onnx --fp16 --size 96x64 -o .*net.engine"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """net.onnx, net.engine and its manifest, built on an Orin by TensorRT 8.5.2.2."""
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, "8.5.2.2")
    monkeypatch.setattr(trt_opening, "read_board", lambda: ORIN)
    write_stick_network(tmp_path)
    build_engine("net.onnx", "net.engine", SPEC, board=ORIN)
    return tmp_path


@pytest.fixture
def blind(monkeypatch):
    """From here on, TensorRT must not be given anything."""
    def look(*args):
        raise AssertionError("TensorRT saw the file")
    monkeypatch.setattr(trt_opening, "deserialize", look)


def opened(path="net.engine", **options):
    with open_engine(path, OpenOptions(device=FakeDevice, **options)) as engine:
        return engine


def test_it_opens_unharmed_also_under_another_name(place):
    opened()
    (place / "net.engine").rename(place / "other.engine")
    (place / "net.engine.json").rename(place / "other.engine.json")
    assert opened("other.engine").card.name == "stick"


def test_any_changed_byte_of_the_manifest_is_noticed(place):
    data = manifest_path("net.engine").read_bytes()
    manifest_from_json(data, "m")
    random = np.random.RandomState(0)
    for at in list(range(len(data) - 120, len(data))) + list(random.randint(0, len(data), 400)):
        for changed in (data[at] ^ 1, data[at] ^ 0x80, 0x20 if data[at] != 0x20 else 0x0A):
            with pytest.raises(EngineMismatch):
                manifest_from_json(data[:at] + bytes([changed]) + data[at + 1:], "m")
    for wrong in (b"", data[:-1], data[:len(data) // 2], data + b"\n", data + data, b" " + data):
        with pytest.raises(EngineMismatch):
            manifest_from_json(wrong, "m")


def test_any_changed_byte_of_the_engine_is_noticed(place, blind):
    data = (place / "net.engine").read_bytes()
    for at in np.random.RandomState(0).randint(0, len(data), 50):
        (place / "net.engine").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        with pytest.raises(EngineMismatch, match="it was damaged, or is another engine.*" + COMMAND):
            opened()


def change(name, how):
    def do(place):
        path = place / name
        path.write_bytes(how(path.read_bytes()))
    return do


def other_engine(place):
    build_engine("net.onnx", "b.engine", SPEC._replace(precision="fp32"), board=ORIN)


def swapped_engines(place):
    other_engine(place)
    (place / "net.engine").rename(place / "x")
    (place / "b.engine").rename(place / "net.engine")
    (place / "x").rename(place / "b.engine")


def foreign_manifest(place):
    other_engine(place)
    shutil.copy(str(place / "b.engine.json"), str(place / "net.engine.json"))
    (place / "b.engine").unlink()


DAMAGE = [
    ("an engine cut short", change("net.engine", lambda d: d[:100]), "it has 100 bytes, its manifest says .*cut short"),
    ("an empty engine", change("net.engine", lambda d: b""), "it has 0 bytes"),
    ("an edited manifest", change("net.engine.json", lambda d: d.replace(b'"fp16"', b'"fp32"')),
     "net.engine.json is damaged or was edited: its bytes do not fit the hash at its end"),
    ("a cut manifest", change("net.engine.json", lambda d: d[:-40]), "does not end with its own hash"),
    ("a binary manifest", change("net.engine.json", lambda d: b"\xff" + d), "not UTF-8"),
    ("no manifest", lambda place: (place / "net.engine.json").unlink(), "not opened without its manifest: cannot read"),
    ("no engine", lambda place: (place / "net.engine").unlink(), "cannot read net.engine, which .*" + COMMAND),
    ("swapped engines", swapped_engines, "the engine that b.engine.json describes: files were swapped.*" + COMMAND),
    ("another's manifest", foreign_manifest, "does not fit net.engine.json"),
]


@pytest.mark.parametrize("damage, message", [case[1:] for case in DAMAGE], ids=[case[0] for case in DAMAGE])
def test_damage_and_mix_ups_are_refused_with_their_reason(place, blind, damage, message):
    damage(place)
    with pytest.raises(EngineMismatch, match=message) as caught:
        opened()
    assert "\n" not in str(caught.value)
    assert "wb-export build" in str(caught.value)


ELSEWHERE = [
    ("another GPU generation", Board("Xavier", "7.2", "35.4.1", "11.4"), "8.5.2.2",
     r"this is TensorRT 8.5.2.2 on Xavier \(sm_72\): engines run on the GPU generation"),
    ("another board of that generation", ORIN._replace(model="NVIDIA Jetson Orin Nano"), "8.5.2.2",
     r"this is .*Orin Nano \(sm_87\): engines are tuned for the board"),
    ("a machine that says nothing", Board(), "8.5.2.2", "this is TensorRT 8.5.2.2 on unknown"),
    ("another version", ORIN, "8.6.0", "was built by TensorRT 8.5.2.2 on .*; this is TensorRT 8.6.0"),
    ("an earlier version", ORIN, "8.2.1", "open in the very version that built them"),
]


@pytest.mark.parametrize("board, version, message", [c[1:] for c in ELSEWHERE], ids=[c[0] for c in ELSEWHERE])
def test_another_board_or_version_is_refused_with_the_command(place, blind, monkeypatch, board, version, message):
    use_tensorrt(monkeypatch, place, version)
    monkeypatch.setattr(trt_opening, "read_board", lambda: board)
    with pytest.raises(EngineMismatch, match=message + ".*Rebuild: " + COMMAND):
        opened()


def test_a_version_compatible_engine_opens_in_a_later_version_of_the_same_major_one(place, monkeypatch):
    use_tensorrt(monkeypatch, place, "10.3.0")
    spec = SPEC._replace(version_compatible=True)
    build_engine("net.onnx", "net.engine", spec, BuildOptions(overwrite=True), board=ORIN)
    use_tensorrt(monkeypatch, place, "10.13.3.9")
    opened()
    use_tensorrt(monkeypatch, place, "11.4.0")
    with pytest.raises(EngineMismatch, match="the very version"):
        opened()


def test_rebuild_builds_it_again_for_this_version(place, monkeypatch):
    use_tensorrt(monkeypatch, place, "8.6.0")
    monkeypatch.setattr("wholebody.engines.build_process.read_board", lambda: ORIN)
    opened(rebuild=True)
    assert read_manifest("net.engine").tensorrt == "8.6.0"
    assert read_manifest("net.engine").spec == SPEC


@pytest.mark.parametrize("spoil, message", [
    (lambda p: (p / "net.onnx").unlink(), "the network it was built from does not lie beside it"),
    (lambda p: write_stick_network(p).write_bytes((p / "net.onnx").read_bytes().replace(b"heatmaps", b"heatmapz")),
     "net.onnx is not the network that net.engine was built from"),
    (lambda p: (p / "net.engine.json").unlink(), "not opened without its manifest")],
    ids=["no network", "another network", "no manifest"])
def test_rebuild_says_what_it_misses(place, monkeypatch, spoil, message):
    use_tensorrt(monkeypatch, place, "8.6.0")
    spoil(place)
    with pytest.raises(EngineMismatch, match=message):
        opened(rebuild=True)


def test_trust_opens_what_is_listed_and_nothing_else(place, monkeypatch):
    digest = hashlib.sha256((place / "net.engine").read_bytes()).hexdigest()
    (place / "trusted").write_text("# mine\n%s  net.engine\n" % digest.upper())
    opened(trust="trusted")
    (place / "trusted").write_text("0" * 64 + "  net.engine\n")
    with pytest.raises(EngineMismatch, match="not among the engines that trusted trusts; an engine is code"):
        opened(trust="trusted")


def test_an_engine_whose_json_and_bytes_agree_but_which_tensorrt_refuses_is_one_line(place):
    path = place / "net.engine"
    path.write_bytes(b"not a plan")
    manifest = read_manifest("net.engine")._replace(engine_sha256=hashlib.sha256(b"not a plan").hexdigest())
    manifest_path(path).write_text(manifest_to_json(manifest))
    with pytest.raises(Exception, match="cannot open it: Error Code 1: Serialization"):
        opened()
    assert FakeDevice.open_devices == 0


def test_a_stripped_engine_takes_its_weights_from_the_network_beside_it(place, monkeypatch):
    use_tensorrt(monkeypatch, place, "10.3.0")
    build_engine("net.onnx", "net.engine", SPEC._replace(strip=True), BuildOptions(overwrite=True), board=ORIN)
    with open_engine("net.engine", OpenOptions(device=FakeDevice)) as engine:
        engine.infer({"image": np.zeros((1, 3, 64, 96), np.float32)})
    (place / "net.onnx").unlink()
    with pytest.raises(EngineMismatch, match="is stripped: its weights are read from the network beside it"):
        opened()


def test_a_stripped_engine_of_a_converted_network_takes_fp16_weights(place, monkeypatch):
    use_tensorrt(monkeypatch, place, "11.4.0")
    spec = SPEC._replace(precision="fp16", strip=True, keep_fp32=("all",))
    build_engine("net.onnx", "net.engine", spec, BuildOptions(overwrite=True), board=ORIN)
    with open_engine("net.engine", OpenOptions(device=FakeDevice)) as engine:
        engine.infer({"image": np.zeros((1, 3, 64, 96), np.float32)})


def test_without_tensorrt_a_good_pair_is_answered_with_the_install_line(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(ImportError, match="tensorrt"):
        opened()
