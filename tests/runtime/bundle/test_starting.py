"""A bundle on its board: what is done first, what is not done twice, and what is refused."""
import json
import platform

import pytest
from bundle_folder import SIZE, write_bundle
from fake_device import FakeDevice
from tensorrt_setting import use_tensorrt

import wholebody
from wholebody.engines.build_process import build_engine
from wholebody.errors import BuildError, ModelError
from wholebody.jetson.identity import Board
from wholebody.runtime.bundle import starting
from wholebody.runtime.bundle.contents import BUNDLE_FILE, read_bundle
from wholebody.runtime.bundle.starting import run_words, start_bundle
from wholebody.runtime.native.library import load_library

pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
ORIN = Board("NVIDIA Jetson Orin Nano Developer Kit", "8.7", "35.4.1", "11.4")


def board_is(monkeypatch, board):
    for module in ("runtime.bundle.starting", "engines.trt_opening"):
        monkeypatch.setattr("wholebody.%s.read_board" % module, lambda: board)


@pytest.fixture
def cv2():
    return pytest.importorskip("cv2", reason="pictures are read with OpenCV")


@pytest.fixture
def bundle(tmp_path, cv2, monkeypatch):
    """A folder; compiling takes no time."""
    monkeypatch.setattr(starting, "build", lambda folder: folder / "_wholebody.so")
    monkeypatch.setattr("wholebody.runtime.estimator.CudaDevice", FakeDevice)
    folder = tmp_path / "bundle"
    write_bundle(folder, cv2)
    return folder


@pytest.fixture
def no_tensorrt(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorrt", None)


@pytest.fixture
def builds(monkeypatch, tmp_path):
    """A fake TensorRT, and the names of what it built."""
    use_tensorrt(monkeypatch, tmp_path, "8.5.2.2")
    board_is(monkeypatch, ORIN)
    built = []

    def watched(onnx, engine, *more):
        built.append((engine.split("/")[-1], more[0]))
        return build_engine(onnx, engine, *more)
    monkeypatch.setattr(starting, "build_engine", watched)
    return built


def test_without_tensorrt_the_network_runs_on_onnx_runtime_and_that_is_said(bundle, no_tensorrt, caplog):
    ready = start_bundle(str(bundle))
    assert (ready.passed, ready.model.endswith("model.onnx")) == (True, True)
    assert ready.verdict.agreement > 0.99
    assert "no TensorRT here: the network runs on the CPU" in caplog.text
    assert "made for tx2; this is no board that is known" in caplog.text


def test_the_engine_is_built_once_and_the_gate_asked_once(bundle, builds, monkeypatch):
    first = start_bundle(str(bundle))
    assert [name for name, _ in builds] == ["model-fp32-112x64.engine"]
    assert builds[0][1].timing_cache == str(bundle / "timing.cache")
    assert (first.passed, first.verdict.agreement > 0.99) == (True, True)
    monkeypatch.setattr(starting, "check_gate", None)  # to ask it again would fail
    assert start_bundle(str(bundle)) == first
    assert len(builds) == 1


def test_on_another_board_it_is_built_again(bundle, builds, monkeypatch):
    start_bundle(str(bundle))
    board_is(monkeypatch, ORIN._replace(model="NVIDIA Jetson AGX Orin Developer Kit"))
    start_bundle(str(bundle))
    assert len(builds) == 2


def test_a_damaged_engine_is_built_again(bundle, builds):
    start_bundle(str(bundle))
    engine = bundle / "model-fp32-112x64.engine"
    engine.write_bytes(engine.read_bytes()[:-100])
    assert start_bundle(str(bundle)).passed
    assert len(builds) == 2


def test_a_build_that_was_interrupted_is_taken_up_where_it_was(bundle, builds, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(starting, "build_engine", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            start_bundle(str(bundle))
    assert sorted(json.loads((bundle / "state.json").read_text())["files"]) == ["gate/000.png", "gate/001.png",
                                                                               "gate/002.png", "gate/expected.json",
                                                                               "model.onnx"]
    monkeypatch.setattr("wholebody.runtime.bundle.contents.sha256_of", None)  # files are not read a second time
    assert start_bundle(str(bundle)).passed


def test_where_memory_is_short_less_of_it_is_taken(bundle, builds, monkeypatch):
    monkeypatch.setattr(starting, "available_mb", lambda: 480)
    start_bundle(str(bundle))
    spec = builds[0][1]
    assert spec.own_kernels
    assert 64 <= spec.workspace_mb < 480 - 400


def test_where_there_is_next_to_none_the_build_says_what_it_needs(bundle, builds, monkeypatch):
    for module in ("wholebody.runtime.bundle.starting", "wholebody.engines.build_process"):
        monkeypatch.setattr(module + ".available_mb", lambda: 200)
    with pytest.raises(BuildError, match="not enough memory: the build needs about"):
        start_bundle(str(bundle))


@pytest.mark.parametrize("name, message", [("model.onnx", "is not as it was made"), ("gate/001.png", "is missing")])
def test_what_was_not_copied_whole_is_refused_by_name(bundle, no_tensorrt, name, message):
    path = bundle / name
    if message == "is missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="%s %s.*copy the bundle again" % (name, message)):
        start_bundle(str(bundle))


def test_a_network_that_finds_others_does_not_pass(bundle, no_tensorrt):
    expected = bundle / "gate" / "expected.json"
    data = json.loads(expected.read_text())
    for row in data["pictures"]:
        for person in row["people"]:
            person["keypoints"] = [[x + 40, y, score] for x, y, score in person["keypoints"]]
    expected.write_text(json.dumps(data))
    told = json.loads((bundle / BUNDLE_FILE).read_text())
    told["files"].pop("gate/expected.json")
    (bundle / BUNDLE_FILE).write_text(json.dumps(told))
    ready = start_bundle(str(bundle))
    assert not ready.passed
    assert ready.verdict.agreement < 0.5
    with pytest.raises(ModelError, match="does not pass its gate: agreement 0"):
        wholebody.open(str(bundle))


def test_wholebody_opens_the_folder(bundle, no_tensorrt, cv2):
    with wholebody.open(str(bundle)) as estimate:
        assert len(estimate(cv2.imread(str(bundle / "gate" / "001.png")))) == 4


@pytest.mark.parametrize("text, message", [
    (None, "is no bundle: cannot read"), ("{", "is no JSON text"), ("[]", "expected wholebody_bundle 1"),
    ('{"wholebody_bundle": 1, "spec": {}, "x": 2}', "is damaged")])
def test_what_is_no_bundle_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / BUNDLE_FILE).write_text(text)
    with pytest.raises(ModelError, match=message):
        read_bundle(str(tmp_path))


@pytest.mark.parametrize("state", ["{", "[]", '{"files": 3}', '{"gate": {"key": 1}}', '{"native": null}'])
def test_a_state_that_makes_no_sense_is_forgotten(bundle, no_tensorrt, state):
    (bundle / "state.json").write_text(state)
    assert start_bundle(str(bundle)).passed


def test_the_words_of_wb_run_are_the_bundles_and_then_the_users(bundle, no_tensorrt):
    ready = start_bundle(str(bundle))
    assert run_words(ready, ["--source", "0"]) == ["--engine", ready.model, "--net-resolution", SIZE, "--source", "0"]
    assert run_words(ready, ["--net-resolution", "-1x64"]).count("--net-resolution") == 1


def test_a_native_library_of_another_machine_is_not_loaded_but_compiled(bundle, no_tensorrt, monkeypatch):
    native = bundle / "device/wholebody/runtime/native/_wholebody.so"
    native.parent.mkdir(parents=True)
    native.write_bytes(b"\x7fELF of another machine")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    calls = []
    monkeypatch.setattr(starting, "build", lambda folder: calls.append(folder) or folder / "_wholebody.so")
    monkeypatch.setattr(starting, "load_library", lambda folder: load_library())
    start_bundle(str(bundle))
    assert calls == [native.parent]
    start_bundle(str(bundle))
    assert len(calls) == 1, "what was compiled here is loaded the next time"
