"""wb-export build CHECKPOINT: exported to an ONNX file beside the engine, then built."""
import sys

import pytest
import torch
from checkpoint_files import as_torch, official_tensors
from tensorrt_setting import use_tensorrt

from wholebody.cli.export import main
from wholebody.engines.engine_pair import onnx_beside, read_manifest


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, "8.5.2.2")
    torch.save({"state_dict": as_torch(official_tensors("lightweight-openpose-1"))}, "checkpoint.pth")
    return tmp_path


def test_a_checkpoint_becomes_an_engine_with_its_network_beside_it(place, capsys):
    words = ["build", "checkpoint.pth", "--arch", "lightweight-openpose-1", "--fp16", "--size", "96x64",
             "-o", "pose.engine"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "checkpoint.pth is lightweight-openpose-1; exporting it to pose.onnx" in said.err
    assert "wrote pose.engine" in said.out
    manifest = read_manifest("pose.engine")
    assert onnx_beside("pose.engine", manifest).is_file()
    assert (manifest.card.name, manifest.card.input.size) == ("lightweight-openpose-1", (64, 96))
    assert main(words) == 1
    assert "pose.engine exists; add --overwrite" in capsys.readouterr().err


def test_without_torch_the_extra_is_named(place, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["build", "checkpoint.pth", "--fp16", "--size", "96x64", "-o", "pose.engine"]) == 1
    assert "pip install 'wholebody[export]'" in capsys.readouterr().err
