"""wb-export build, wb-export inspect ENGINE and wb-run on an engine, over fakes of TensorRT and of a GPU's memory."""
import json
import sys

import pytest
from fake_device import FakeDevice
from tensorrt_double import VERSIONS
from tensorrt_setting import use_tensorrt

from wholebody.cli.export import main as wb_export
from wholebody.cli.run import main as wb_run
from wholebody.engines.manifest import manifest_from_json

ONE_SIZE = ["build", "net.onnx", "--fp32", "--size", "112x64", "-o", "net.engine"]


@pytest.fixture
def tensorrt(place, monkeypatch):
    """The fakes; call it with a version to change it."""
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    monkeypatch.setattr("wholebody.runtime.cuda.CudaDevice", FakeDevice)
    monkeypatch.setattr("wholebody.runtime.estimator.CudaDevice", FakeDevice)

    def use(version):
        use_tensorrt(monkeypatch, place, version)
    use("8.5.2.2")
    return use


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_finds_who_the_network_finds(place, tensorrt, capsys, version):
    tensorrt(version)
    assert wb_export(ONE_SIZE) == 0
    said = capsys.readouterr()
    assert "wrote net.engine" in said.out
    assert "Next: wb-run --engine net.engine --source photo.jpg --overlay out" in said.out
    assert "FP32: TensorRT %s" % version in said.err
    for engine, folder in (("net.onnx", "onnx"), ("net.engine", "trt")):
        words = ["--net-resolution", "112x64"] if engine == "net.onnx" else []
        assert wb_run(["--engine", engine, "--source", "four.png", "--json", folder] + words) == 0
    expected, found = (json.loads((place / folder / "four_keypoints.json").read_text()) for folder in ("onnx", "trt"))
    assert len(found["people"]) == 4
    assert found == expected
    assert FakeDevice.open_devices == 0


@pytest.mark.parametrize("words", [[], ["--arch", "default"]], ids=["nothing", "--arch default"])
def test_without_a_model_the_one_that_comes_along_is_built_and_kept_beside_it(place, tensorrt, capsys, words):
    assert wb_export(["build"] + words + ["--fp32", "--size", "112x64", "-o", "lite.engine"]) == 0
    assert (place / "wholebody-lite.onnx").is_file()
    assert "wrote lite.engine" in capsys.readouterr().out
    assert wb_run(["--engine", "lite.engine", "--source", "four.png", "--json", "out"]) == 0
    assert wb_export(["build", "--fp32", "--size", "112x64", "-o", "lite.engine", "--overwrite"]) == 0
    (place / "wholebody-lite.onnx").write_bytes(b"mine")
    assert wb_export(["build", "--fp32", "--size", "112x64", "-o", "other.engine"]) == 1
    assert "wholebody-lite.onnx exists" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["net.onnx", "--arch", "default"], ["--arch", "body25"]], ids=" ".join)
def test_a_model_and_the_default_do_not_go_together(tensorrt, capsys, words):
    with pytest.raises(SystemExit) as stop:
        wb_export(["build"] + words + ["--fp32", "-o", "net.engine"])
    assert stop.value.code == 2
    assert "--arch" in capsys.readouterr().err


def test_an_engine_of_many_sizes_runs_at_the_size_it_is_tuned_for_or_as_asked(place, tensorrt, capsys):
    words = ["build", "net.onnx", "--fp32", "--min-size", "64x64", "--opt-size", "112x64", "--max-size", "256x128"]
    assert wb_export(words + ["-o", "net.engine"]) == 0
    run = ["--engine", "net.engine", "--source", "four.png", "--overwrite", "--json", "out"]
    for more in ([], ["--net-resolution", "160x96"]):
        assert wb_run(run + more) == 0
    capsys.readouterr()
    assert wb_run(run + ["--net-resolution", "512x96"]) == 1
    assert "it takes float32 image 1x3x64x64 to 1x3x128x256" in capsys.readouterr().err


@pytest.mark.parametrize("version, words, checked", [("11.4.0", ["--strongly-typed"], True), ("8.5.2.2", [], False)])
def test_an_fp16_graph_is_run_once_before_it_is_built(place, tensorrt, capsys, version, words, checked):
    tensorrt(version)
    words = ["--fp16", "--size", "112x64", "-o", "net.engine"] + words
    assert wb_export(["build", "net.onnx"] + words) == 0
    said = capsys.readouterr().err
    assert ("FP16 check by one run on noise of [1, 3, 64, 112]: no tensor goes beyond it" in said) is checked
    capsys.readouterr()
    assert wb_run(["--engine", "net.engine", "--source", "four.png", "--json", "out"]) == 0
    assert len(json.loads((place / "out" / "four_keypoints.json").read_text())["people"]) == 4


def test_without_onnxruntime_an_fp16_graph_is_built_unchecked(tensorrt, capsys, monkeypatch):
    tensorrt("11.4.0")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert wb_export(["build", "net.onnx", "--fp16", "--size", "112x64", "-o", "net.engine", "--strongly-typed"]) == 0
    assert "FP16 was not checked for numbers beyond it: onnxruntime" in capsys.readouterr().err


def test_the_manifest_is_printed_as_json(tensorrt, capsys):
    assert wb_export(ONE_SIZE + ["--json", "-q"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    manifest = manifest_from_json(said.out.encode(), "stdout")
    assert (manifest.spec.precision, manifest.card.name) == ("fp32", "stick")


USAGE = [
    (["build", "net.onnx", "-o", "x.engine"], "one of the arguments --fp32 --fp16 --int8 is required"),
    (["build", "net.onnx", "--fp16", "--int8", "-o", "x.engine"], "not allowed with argument --fp16"),
    (["build", "net.onnx", "--fp16"], "-o"),
    (ONE_SIZE + ["--max-size", "9x9"], "give one of them"),
    (ONE_SIZE + ["--batch", "2", "--max-batch", "2"], "a range"),
    (["build", "net.onnx", "--fp32", "-o", "net.plan"], "the name of an engine ends in .engine"),
    (ONE_SIZE + ["--workspace", "0"], "at least 1"), (ONE_SIZE + ["--size", "64"], "WIDTHxHEIGHT"),
    (ONE_SIZE + ["--worksapce", "9"], "did you mean --workspace"),
]


@pytest.mark.parametrize("words, message", USAGE, ids=[message for _, message in USAGE])
def test_a_wrong_command_line_is_answered_with_2(tensorrt, capsys, words, message):
    with pytest.raises(SystemExit) as caught:
        wb_export(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


ERRORS = [
    (["build", "no.onnx", "--fp16", "-o", "x.engine"], "cannot read model no.onnx"),
    (["build", "net.onnx", "--fp16", "-o", "x.engine"], "add --size WxH"),
    (["build", "net.onnx", "--int8", "--size", "112x64", "-o", "x.engine"], "or build with --fp16"),
    (["build", "net.onnx", "--fp32", "--size", "112x64", "-o", "nowhere/x.engine"], "the folder does not exist"),
    (["build", "net.onnx", "--fp32", "--size", "112x64", "--target", "rtx", "-o", "x.engine"],
     "expected --target rtx:8.6"),
    (["build", "net.pth", "--fp32", "-o", "x.engine"], "net.pth" if sys.version_info >= (3, 10) else "Python 3.10"),
    (["inspect", "net.engine"], "not opened without its manifest"),
]


@pytest.mark.parametrize("words, message", ERRORS, ids=[message for _, message in ERRORS])
def test_an_error_is_one_line(place, tensorrt, capsys, words, message):
    if "net.pth" in words and sys.version_info >= (3, 10):
        pytest.importorskip("torch", reason="reads checkpoints: pip install '.[export]'")
    assert wb_export(words) == 1
    said = capsys.readouterr().err.splitlines()
    assert message in said[-1]
    assert said[-1].startswith("wb-export: error: ")
    assert not (place / "x.engine").exists()


def test_without_tensorrt_the_install_line_is_the_answer(place, tensorrt, monkeypatch, capsys):
    monkeypatch.setenv("WB_DOUBLE_VERSION", "none")
    (place / "shadow").mkdir()
    (place / "shadow" / "tensorrt.py").write_text("raise ModuleNotFoundError('No module', name='tensorrt')")
    monkeypatch.setenv("PYTHONPATH", "%s:%s" % (place / "shadow", __import__("os").environ["PYTHONPATH"]))
    assert wb_export(ONE_SIZE) == 1
    assert "tensorrt is not installed. Install it: pip install 'wholebody[tensorrt]'" in capsys.readouterr().err


def test_inspect_asks_tensorrt_where_the_engine_opens(tensorrt, capsys):
    wb_export(["build", "net.onnx", "--fp16", "--size", "112x64", "-o", "net.engine"])
    capsys.readouterr()
    assert wb_export(["inspect", "net.engine"]) == 0
    said = capsys.readouterr().out
    for line in ("layers  3: 2 FP16, 1 reformat", "told by TensorRT's inspector, here",
                 "again   wb-export build net.onnx --fp16 --size 112x64 -o net.engine", "card    stick: paf",
                 "by      builder flags (FP16)", "reformat Reformat Reformatting CopyNode"):
        assert line in said


def test_inspect_reads_the_manifest_where_it_does_not(tensorrt, capsys):
    wb_export(ONE_SIZE)
    tensorrt("8.6.0")
    capsys.readouterr()
    assert wb_export(["inspect", "net.engine", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["precisions"] == {"FP32": 2, "reformat": 1}
    assert report["layers_from"].startswith("the manifest, as this machine does not open the engine (net.engine ")


def test_run_refuses_a_misfit_and_rebuilds_when_asked(place, tensorrt, capsys):
    wb_export(ONE_SIZE)
    tensorrt("8.6.0")
    run = ["--engine", "net.engine", "--source", "one.png", "--json", "out"]
    assert wb_run(run) == 1
    assert "Rebuild: wb-export build net.onnx --fp32 --size 112x64 -o net.engine" in capsys.readouterr().err
    assert wb_run(run + ["--rebuild"]) == 0
    assert "rebuilding net.engine from net.onnx" in capsys.readouterr().err
    (place / "trusted").write_text("")
    assert wb_run(run + ["--trust", "trusted", "--overwrite"]) == 1
    assert "not among the engines that trusted trusts" in capsys.readouterr().err
