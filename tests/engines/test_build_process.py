"""The process that builds: what it says, what it leaves when it is killed, and what TensorRT's refusals become."""
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import onnx_bytes
import pytest
from tensorrt_double import VERSIONS
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.engines import build_process
from wholebody.engines.build_process import BuildOptions, build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.engine_pair import read_manifest
from wholebody.engines.onnxfile import graph_sha256
from wholebody.errors import BuildError, OutputError
from wholebody.jetson.identity import Board

SPEC = BuildSpec("fp32", (64, 96), (64, 96), (64, 96))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, "10.3.0")
    write_stick_network(tmp_path)
    return tmp_path


def left(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in ("cache", "child.log"))


def heard_in(call):
    heard = []
    call(lambda kind, value: heard.append((kind, value)))
    return heard


@pytest.mark.parametrize("version", VERSIONS)
def test_an_operator_that_is_unknown_is_named_with_its_node_on_every_version(place, monkeypatch, version):
    use_tensorrt(monkeypatch, place, version)
    nodes = [onnx_bytes.node("Relu", ["x"], ["a"]), onnx_bytes.node("NoSuchOp", ["a"], ["y"])]
    (place / "bad.onnx").write_bytes(onnx_bytes.model(nodes, [], [("x", (1, 3, 8, 8))], [("y", (1, 3, 8, 8))]))
    with pytest.raises(BuildError, match=r"bad.onnx: the ONNX parser of TensorRT %s refuses node 'y' \(NoSuchOp\): "
                                         "Plugin not found" % version.replace(".", r"\.")) as caught:
        build_engine("bad.onnx", "bad.engine", BuildSpec("fp32"))
    assert "\n" not in str(caught.value)
    assert left(place) == ["bad.onnx", "net.onnx"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_int64_flood_is_one_line_where_there_is_one(place, monkeypatch, version):
    use_tensorrt(monkeypatch, place, version)
    shapes = [onnx_bytes.number(1, 1) + onnx_bytes.number(2, 7) + onnx_bytes.text(8, "s%d" % i) for i in range(50)]
    relu = onnx_bytes.node("Relu", ["x"], ["y"])
    (place / "many.onnx").write_bytes(onnx_bytes.model([relu], shapes, [("x", (1, 3, 8, 8))], [("y", (1, 3, 8, 8))]))
    notes = [value for kind, value in heard_in(lambda f: build_engine("many.onnx", "m.engine", BuildSpec("fp32"),
                                                                      listen=f)) if kind == "note"]
    flood = [note for note in notes if "INT64" in note]
    assert len(flood) == (1 if version.startswith("8") else 0)
    assert not flood or "in 50 constants" in flood[0]


FATES = [("kill", r"killed \(signal 9\), most likely because memory ran out: .*--workspace \d+, --own-kernels"),
         ("crash", r"crashed while building \(signal 11\).*-v")]


@pytest.mark.parametrize("fate, message", FATES, ids=[fate for fate, _ in FATES])
def test_a_building_process_that_dies_is_explained_and_leaves_nothing(place, monkeypatch, fate, message):
    monkeypatch.setenv("WB_DOUBLE_BUILD", fate)
    with pytest.raises(BuildError, match=message):
        build_engine("net.onnx", "net.engine", SPEC)
    assert left(place) == ["net.onnx"]


def test_an_engine_that_was_built_is_kept_when_looking_at_its_layers_fails(place, monkeypatch):
    monkeypatch.setenv("WB_DOUBLE_BUILD", "kill-later")
    manifest = build_engine("net.onnx", "net.engine", SPEC)
    assert manifest.layers is None
    assert read_manifest("net.engine") == manifest


def test_int8_on_a_tx2_is_refused_before_anything_starts(place, monkeypatch):
    monkeypatch.setattr(build_process, "_run_worker", None)
    with pytest.raises(BuildError, match="Jetson TX2 has no INT8 arithmetic .*build with --fp16"):
        build_engine("net.onnx", "net.engine", SPEC._replace(precision="int8"), board=Board("Jetson TX2", "6.2"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL],
                         ids=["Ctrl-C", "SIGTERM", "SIGKILL"])
def test_a_build_that_is_stopped_leaves_no_file_and_no_process(place, how):
    env = dict(os.environ, WB_DOUBLE_BUILD="sleep")
    (place / "net.engine").write_bytes(b"the old one")
    with open("child.log", "wb") as log:
        child = subprocess.Popen([sys.executable, "-m", "wholebody.cli.export", "build", "net.onnx", "--fp32", "--size",
                                  "96x64", "-o", "net.engine", "--overwrite"], stderr=log, env=env)
    worker = wait_for(lambda: children(child.pid), child)
    wait_for(lambda: b"TensorRT 10.3.0 has" in (place / "child.log").read_bytes(), child)
    child.send_signal(how)
    assert child.wait(20) == (-9 if how == signal.SIGKILL else 130)
    wait_for(lambda: not any(alive(pid) for pid in worker), None)
    assert left(place) == ["net.engine", "net.onnx"]
    assert (place / "net.engine").read_bytes() == b"the old one"


def wait_for(condition, child):
    for _ in range(200):
        found = condition()
        if found:
            return found
        assert child is None or child.poll() is None
        time.sleep(0.05)
    raise AssertionError("waited ten seconds in vain")


def children(pid):
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("needs /proc")
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as file:
                if int(file.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(name))
        except OSError:
            continue
    return found


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_neither_torch_nor_opencv_is_in_the_building_process():
    code = ("import wholebody.engines.build_worker, sys; "
            "print([m for m in ('torch', 'cv2', 'onnx', 'onnxruntime') if m in sys.modules])")
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"[]"


def test_progress_and_estimate_are_told(place):
    first = heard_in(lambda f: build_engine("net.onnx", "a.engine", SPEC, listen=f))
    assert ("expected", None) in first
    assert [value for kind, value in first if kind == "progress"] == [["Building", 1, 2], ["Building", 2, 2]]
    second = heard_in(lambda f: build_engine("net.onnx", "b.engine", SPEC, listen=f))
    expected = [value for kind, value in second if kind == "expected"]
    assert expected == [read_manifest("a.engine").build_seconds]


def test_the_timing_cache_is_kept_by_board_and_version_and_taken_again(place, monkeypatch):
    orin = Board("NVIDIA Jetson AGX Orin", "8.7")
    first = build_engine("net.onnx", "a.engine", SPEC, board=orin)
    files = list((place / "cache/wholebody/timing").glob("*.cache"))
    assert [f.name for f in files] == ["nvidia-jetson-agx-orin-sm8.7-tensorrt-10.3.0.cache"]
    assert build_engine("net.onnx", "b.engine", SPEC, board=orin).timing_cache_sha256 != first.timing_cache_sha256
    assert files[0].read_bytes().endswith(b"++")  # the fake adds one each time
    build_engine("net.onnx", "c.engine", SPEC, board=Board())
    assert len(list((place / "cache/wholebody/timing").glob("*.cache"))) == 2


@pytest.mark.parametrize("content", [b"of another board", b""], ids=["of another board", "empty"])
def test_a_timing_cache_that_does_not_fit_is_started_anew(place, content):
    (place / "mine.cache").write_bytes(content)
    build_engine("net.onnx", "a.engine", SPEC._replace(timing_cache="mine.cache"))
    assert (place / "mine.cache").read_bytes().startswith(b"timing 10.3.0")


def test_nothing_is_built_over_a_file_unasked(place):
    (place / "net.engine.json").write_text("mine")
    with pytest.raises(OutputError, match="net.engine.json exists; add --overwrite"):
        build_engine("net.onnx", "net.engine", SPEC)
    build_engine("net.onnx", "net.engine", SPEC, BuildOptions(overwrite=True))


def test_the_memory_check_stops_a_build_before_it_starts(place, monkeypatch):
    monkeypatch.setattr(build_process, "available_mb", lambda: 100)
    with pytest.raises(BuildError, match="not enough memory"):
        build_engine("net.onnx", "net.engine", SPEC)
    build_engine("net.onnx", "net.engine", SPEC, BuildOptions(ignore_memory=True))


NOT_HERE = [
    ("8.2.1", {"version_compatible": True}, "TensorRT 8.2.1 does not know --version-compatible"),
    ("8.6.0", {"strip": True}, "does not know --strip"),
    ("8.5.2.2", {"optimization_level": 1}, "does not know --optimization-level"),
    ("11.4.0", {"dla_core": 0, "precision": "fp16"}, "TensorRT 11.4.0|converts? a graph|DLA"),
    ("8.5.2.2", {"dla_core": 0, "precision": "fp16"}, "--dla 0: this board has no DLA"),
    ("8.5.2.2", {"keep_fp32": ("nobody",), "precision": "fp16"}, "the network has no layer 'nobody'"),
]


@pytest.mark.parametrize("version, change, message", NOT_HERE)
def test_what_this_tensorrt_or_board_lacks_is_one_line(place, monkeypatch, version, change, message):
    use_tensorrt(monkeypatch, place, version)
    with pytest.raises(BuildError, match=message):
        build_engine("net.onnx", "net.engine", SPEC._replace(**change))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_option_a_version_knows_reaches_its_builder(place, monkeypatch, version):
    use_tensorrt(monkeypatch, place, version)
    monkeypatch.setenv("WB_DOUBLE_DLA", "2")
    new = version not in ("8.2.1", "8.5.2.2")
    spec = SPEC._replace(workspace_mb=99, own_kernels=True, optimization_level=2 if new else None,
                         version_compatible=new, strip=version.startswith("1"))
    assert build_engine("net.onnx", "net.engine", spec).workspace_mb == 99
    if not version.startswith("11"):
        dla = SPEC._replace(precision="fp16", dla_core=1, gpu_fallback=True, keep_fp32=("all",))
        manifest = build_engine("net.onnx", "dla.engine", dla)
        assert manifest.builder_flags == ("FP16", "OBEY_PRECISION_CONSTRAINTS")
        assert {layer["name"]: layer["precision"] for layer in manifest.layers}["all"] == "FP32"


@pytest.mark.parametrize("slow, precision, message", [("int8", "int8", "no fast INT8"), ("fp16", "fp16", "")])
def test_what_the_builder_says_of_its_gpu_counts(place, monkeypatch, slow, precision, message):
    monkeypatch.setenv("WB_DOUBLE_SLOW", slow)
    spec = SPEC._replace(precision=precision, calibration="table.json" if precision == "int8" else "")
    write_table(place)
    if message:
        with pytest.raises(BuildError, match=message):
            build_engine("net.onnx", "net.engine", spec)
    else:
        heard = heard_in(lambda f: build_engine("net.onnx", "net.engine", spec, listen=f))
        assert any("hardly be faster" in str(value) for _, value in heard)


def write_table(place, **changes):
    table = {"graph_sha256": graph_sha256((place / "net.onnx").read_bytes()),
             "ranges": {"image": 1.0, "all": 2.0, "heatmaps": 2.0}}
    (place / "table.json").write_text(json.dumps(dict(table, **changes)))


def test_ranges_of_a_table_reach_the_builder_and_the_manifest(place):
    write_table(place)
    heard = []
    manifest = build_engine("net.onnx", "net.engine", SPEC._replace(precision="int8", calibration="table.json"),
                            listen=lambda kind, value: heard.append(value))
    assert len(manifest.calibration_sha256) == 64
    assert manifest.builder_flags == ("INT8", "FP16")
    assert "1 tensors have no range in the table: their layers run in FP16" in heard


def test_what_a_table_keeps_computes_in_fp16_and_what_the_user_keeps_in_fp32(place):
    write_table(place, keep=["all"])
    spec = SPEC._replace(precision="int8", calibration="table.json")
    for keep, held in (((), "FP16"), (("all",), "FP32")):
        manifest = build_engine("net.onnx", "%s.engine" % held, spec._replace(keep_fp32=keep))
        assert manifest.builder_flags == ("INT8", "FP16", "OBEY_PRECISION_CONSTRAINTS")
        assert {layer["name"]: layer["precision"] for layer in manifest.layers}["all"] == held
        assert manifest.kept_fp32 == ("all",)


TABLES = [({"graph_sha256": "0"}, "was measured on another network"), ({"ranges": {}}, "has no range"),
          ({"ranges": {"image": -1}}, "not positive for image"), ({"ranges": 3}, "is no calibration table"),
          ({"wholebody_calibration": 9}, "of version 9, expected 1"), ({"keep": ["nobody"]}, "no layer 'nobody'")]


@pytest.mark.parametrize("change, message", TABLES, ids=[message for _, message in TABLES])
def test_a_table_that_does_not_fit_is_refused(place, change, message):
    write_table(place, **change)
    with pytest.raises(BuildError, match=message):
        build_engine("net.onnx", "net.engine", SPEC._replace(precision="int8", calibration="table.json"))


def test_a_network_that_takes_pixels_is_refused_where_uint8_is_unknown(place, monkeypatch):
    use_tensorrt(monkeypatch, place, "8.2.1")
    # TensorProto.DataType 2 is uint8: the element type in the input's value_info.
    cast = onnx_bytes.node("Cast", ["x"], ["y"], onnx_bytes.text(1, "to") + onnx_bytes.number(3, 1)
                           + onnx_bytes.number(20, 2))
    data = onnx_bytes.model([cast], [], [("x", (1, 8, 8, 3))], [("y", (1, 8, 8, 3))])
    floats = onnx_bytes.value_info("x", (1, 8, 8, 3))
    (place / "pixels.onnx").write_bytes(data.replace(floats, floats.replace(b"\x08\x01\x12", b"\x08\x02\x12", 1)))
    with pytest.raises(BuildError, match="TensorRT 8.2.1 takes no uint8 input, as x is: .* without --fold-input"):
        build_engine("pixels.onnx", "pixels.engine", BuildSpec("fp32"))
    use_tensorrt(monkeypatch, place, "8.5.2.2")
    assert build_engine("pixels.onnx", "pixels.engine", BuildSpec("fp32")).inputs[0].dtype == "uint8"


def test_a_network_that_changes_while_it_is_built_is_noticed(place, monkeypatch):
    job = build_process.BuildJob

    def change(*parts):
        (place / "net.onnx").write_bytes(onnx_bytes.paf_net())
        return job(*parts)
    monkeypatch.setattr(build_process, "BuildJob", change)
    with pytest.raises(BuildError, match="net.onnx changed while it was being built"):
        build_engine("net.onnx", "net.engine", SPEC)
    assert left(place) == ["net.onnx"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_leaves_nothing(place, monkeypatch):
    full = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115 - closed by the build
    monkeypatch.setattr(build_process, "_unnamed_file", lambda engine: full)
    with pytest.raises(BuildError, match="cannot write the engine: No space left on device .disk full: free some"):
        build_engine("net.onnx", "net.engine", SPEC)
    assert left(place) == ["net.onnx"]


def test_weights_beside_the_network_count(place):
    (place / "w.bin").write_bytes(np.array([5], np.float32).tobytes())
    where = onnx_bytes.text(1, "location") + onnx_bytes.text(2, "w.bin")
    w = (onnx_bytes.number(1, 1) + onnx_bytes.number(2, 1) + onnx_bytes.text(8, "w")
         + onnx_bytes.encode_bytes(13, where) + onnx_bytes.number(14, 1))
    add = onnx_bytes.node("Add", ["x", "w"], ["y"])
    (place / "far.onnx").write_bytes(onnx_bytes.model([add], [w], [("x", (4,))], [("y", (4,))]))
    first = build_engine("far.onnx", "far.engine", BuildSpec("fp32")).graph_sha256
    (place / "w.bin").write_bytes(np.array([6], np.float32).tobytes())
    assert build_engine("far.onnx", "b.engine", BuildSpec("fp32")).graph_sha256 != first
