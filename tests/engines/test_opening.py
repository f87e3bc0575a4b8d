"""Opening a model: which class, and what is said when it does not open."""
import os

import numpy as np
import onnx_bytes
import pytest

from wholebody.engines.opening import open_engine
from wholebody.errors import ModelError


def test_an_onnx_file_runs_on_onnx_runtime(tmp_path):
    (tmp_path / "net.onnx").write_bytes(onnx_bytes.paf_net(heatmaps=2, pafs=4))
    with open_engine(str(tmp_path / "net.onnx")) as engine:
        outputs = engine.infer({"image": np.ones((1, 3, 16, 8), np.float32)})
        assert [(info.name, outputs[info.name].shape) for info in engine.outputs] == [
            ("heatmaps", (1, 2, 2, 1)), ("pafs", (1, 4, 2, 1))]
        np.testing.assert_allclose(outputs["pafs"][0, :, 0, 0], [3, 4, 5, 6], rtol=1e-6)


def test_a_shape_that_the_network_does_not_take_is_one_line(tmp_path):
    (tmp_path / "net.onnx").write_bytes(onnx_bytes.paf_net())
    with open_engine(str(tmp_path / "net.onnx")) as engine, pytest.raises(ModelError) as caught:
        engine.infer({"image": np.ones((1, 4, 16, 8), np.float32)})
    assert "net.onnx cannot run on image float32 [1, 4, 16, 8]" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_model_is_refused_in_one_line(tmp_path):
    data = onnx_bytes.paf_net()
    (tmp_path / "net.onnx").write_bytes(data[:len(data) // 2])
    with pytest.raises(ModelError, match="net.onnx is not a readable ONNX file") as caught:
        open_engine(str(tmp_path / "net.onnx"))
    assert "\n" not in str(caught.value)


def test_a_graph_that_makes_no_sense_is_refused_in_one_line(tmp_path):
    bad = onnx_bytes.model([onnx_bytes.node("Relu", ["nobody"], ["y"])], [], [("x", ("N",))], [("y", ("N",))])
    (tmp_path / "net.onnx").write_bytes(bad)
    with pytest.raises(ModelError, match="ONNX Runtime .* cannot open .*net.onnx") as caught:
        open_engine(str(tmp_path / "net.onnx"))
    assert "\n" not in str(caught.value)


def test_a_misspelt_name_is_answered_with_the_nearest_file(tmp_path):
    (tmp_path / "pose.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match="no model at .*pse.onnx; did you mean .*pose.onnx?"):
        open_engine(str(tmp_path / "pse.onnx"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_never_waited_for(tmp_path):
    os.mkfifo(str(tmp_path / "pipe.onnx"))
    with pytest.raises(ModelError, match="pipe.onnx: it is not a regular file"):
        open_engine(str(tmp_path / "pipe.onnx"))


@pytest.mark.parametrize("name, message", [
    ("x" * 300 + ".onnx", "cannot open model .*name too long"), ("pose.txt/net.onnx", "there is no folder"),
    ("empty.onnx", r"empty.onnx is empty \(0 bytes\)"), ("pose", "opens .onnx and .engine files; got no ending"),
    ("nowhere/pose.onnx", "there is no folder"), ("pose.txt", r"opens .onnx and .engine files; got \.txt"),
    ("folder", "got a folder")])
def test_what_is_no_model_file_is_refused(tmp_path, name, message):
    for file, content in (("pose.txt", "x"), ("pose", "x"), ("empty.onnx", "")):
        (tmp_path / file).write_text(content)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match=message):
        open_engine(str(tmp_path / name))
