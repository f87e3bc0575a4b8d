"""The .safetensors format: the same tensors as from a .pth, damage refused in one line."""
import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.reading import read_checkpoint
from wholebody.export.checkpoints.safetensors_file import read_safetensors

STATE = {"module.conv.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "module.bn.num_batches_tracked": torch.tensor(3)}


def test_tensors_are_those_of_a_pth(tmp_path):
    save_file(STATE, tmp_path / "net.safetensors")
    torch.save(STATE, tmp_path / "net.pth")
    a, b = (read_checkpoint(str(tmp_path / name)).tensors for name in ("net.safetensors", "net.pth"))
    assert list(a) == list(b) == ["conv.weight"]
    assert torch.equal(a["conv.weight"], b["conv.weight"])


def _file(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


HOSTILE = [
    ("empty", b"", "is empty"),
    ("a web page", b"<!DOCTYPE html><html>404</html>", "not a readable safetensors file"),
    ("a header longer than the file", struct.pack("<Q", 1 << 60) + b"{}", "not a readable"),
    ("a tensor longer than the file", _file({"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}),
     "not a readable"),
    ("a shape that does not fit its bytes", _file({"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}},
                                                  bytes(4)), "not a readable"),
    ("no tensors", _file({}), "holds no tensors"),
]


@pytest.mark.parametrize("case", [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_what_holds_no_weights_is_refused_in_one_line(tmp_path, case):
    data, says = case
    path = tmp_path / "net.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_safetensors(str(path))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
