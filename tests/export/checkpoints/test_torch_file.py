"""PyTorch files in every form that holds weights; code in them is never run."""
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.torch_file import read_torch


def _training(model):
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [100, 200])
    model(torch.ones(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    return {"state_dict": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
            "iter": 370000, "current_epoch": 280}


def _model():
    torch.manual_seed(5)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))


FORMS = [
    ("a state dict", lambda model: model.state_dict()),
    ("a state dict of DataParallel", lambda model: {f"module.{k}": v for k, v in model.state_dict().items()}),
    ("a training checkpoint", _training),
    ("a training checkpoint of DataParallel", lambda model: {
        "epoch": 3, "state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}, "best_acc": 0.4}),
    ("parameters that require gradients", lambda model: dict(model.named_parameters())
     | dict(model.named_buffers())),
]


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("content", [form[1] for form in FORMS], ids=[form[0] for form in FORMS])
def test_the_weights_are_found_in_it(tmp_path, content, new):
    model = _model()
    torch.save(content(model), tmp_path / "net.pth", _use_new_zipfile_serialization=new)
    tensors = read_torch(str(tmp_path / "net.pth")).tensors
    expected = {name: tensor for name, tensor in model.state_dict().items() if "num_batches" not in name}
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in expected.items())
    assert not any(tensor.requires_grad for tensor in tensors.values())


class Code:
    """Unpickled, it would leave a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("new", [True, False, None], ids=["zip", "legacy", "bare pickle"])
def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path, new):
    path, trace = tmp_path / "net.pth", tmp_path / "it-ran"
    content = {"state_dict": _model().state_dict(), "hook": Code(trace)}
    if new is None:
        path.write_bytes(pickle.dumps(Code(trace)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=new)
    with pytest.raises(CheckpointError) as caught:
        read_torch(str(path))
    assert not trace.exists()
    assert "posix.mkdir, which is no tensor; nothing in it was run" in str(caught.value) or new is None
    assert "\n" not in str(caught.value)


def _saved(content, **how):
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


def _tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("sys_info", "storages", "tensors", "pickle"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return file.getvalue()


def _script():
    """The entries by which torch knows a program."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/net.py", "version"):
            archive.writestr(f"net/{name}", "3\n")
    return file.getvalue()


def _swollen():
    """A zip of a few KB that announces 64 MB."""
    plain, packed = io.BytesIO(_saved({"w": torch.zeros(1 << 24)})), io.BytesIO()
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    return packed.getvalue()


STATE = {"w": torch.arange(600.0)}
HOSTILE = [
    ("empty", lambda: b"", "is empty"),
    ("a web page", lambda: b"<!DOCTYPE html><html>404</html>", "not a readable PyTorch file (31 bytes)"),
    ("a truncated zip", lambda: _saved(STATE)[:1500], "not a readable PyTorch file"),
    ("a zip without its pickle", lambda: _saved(STATE).replace(b"data.pkl", b"data.txt"), "not a readable PyTorch"),
    ("a truncated legacy file", lambda: _saved(STATE, _use_new_zipfile_serialization=False)[:900], "not a readable"),
    ("a swollen zip", _swollen, "announces 67"),
    ("a TorchScript program", _script, "is a TorchScript program"),
    ("a tar of PyTorch 0.1", _tar, "has the .tar format of PyTorch 0.1"),
    ("a whole model", lambda: _saved(torch.nn.Linear(2, 2)), "torch.nn.modules.linear.Linear, which is no tensor"),
    ("objects of NumPy", lambda: _saved({"state_dict": STATE, "best": np.float64(3)}), "scalar, which is no tensor"),
    ("a list", lambda: _saved([torch.ones(2)]), "expected tensors by name, got list"),
    ("a lone tensor", lambda: _saved(torch.ones(2)), "expected tensors by name, got Tensor"),
    ("an empty dict", lambda: _saved({}), "holds no tensors"),
    ("numbers only", lambda: _saved({"state_dict": {"a": 1.0}}), "holds no tensors"),
]


@pytest.mark.parametrize("case", [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_what_holds_no_weights_is_refused_in_one_line(tmp_path, case):
    make, says = case
    path = tmp_path / "net.pth"
    path.write_bytes(make())
    with pytest.raises(CheckpointError) as caught:
        read_torch(str(path))
    message = str(caught.value)
    assert says in message
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 400
    assert "\033" not in message


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "net.pth"
    for new in (True, False):
        whole = _saved(STATE, _use_new_zipfile_serialization=new)
        for length in range(1, len(whole), 97):
            path.write_bytes(whole[:length])
            with pytest.raises(CheckpointError):
                read_torch(str(path))
