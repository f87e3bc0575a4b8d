"""PyTorch's .pth and .pt, read as weights only: torch's restricted unpickler makes tensors and plain data."""
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.checkpoint import TORCH, Checkpoint, check_file, one_line

_NESTED = ("state_dict", "model_state_dict", "model", "net")  # where training scripts keep the weights
_SLACK = 16 << 20  # what a TorchScript program may pack: small texts
_SAVE_AGAIN = "save the weights alone: torch.save(model.state_dict(), 'weights.pth')"


def read_torch(path: str) -> Checkpoint:
    """The state dict of the file; optimizer and other things beside it are left out."""
    size = check_file(path)
    _refuse_packed(path, size)
    return Checkpoint(path, TORCH, state_dict_of(_load(path, size), path))


def state_dict_of(content: Any, path: str) -> dict[str, Tensor]:
    """The tensors of what was saved, without the `module.` of DataParallel and without counters of batches."""
    if isinstance(content, Mapping):
        nested = [content[key] for key in _NESTED if isinstance(content.get(key), Mapping)]
        content = nested[0] if nested else content
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: expected tensors by name, got {type(content).__name__}; {_SAVE_AGAIN}")
    tensors = {str(name): value.detach() for name, value in content.items() if isinstance(value, Tensor)
               and not str(name).endswith("num_batches_tracked")}
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors by name; {_SAVE_AGAIN}")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name[len("module."):]: value for name, value in tensors.items()}
    return tensors


def _load(path: str, size: int) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror or one_line(error)}") from error
    except Exception as error:  # damaged bytes end in whatever error the unpickler meets
        raise CheckpointError(f"{path} {_what_is_wrong(error, size)}") from error


def _what_is_wrong(error: Exception, size: int) -> str:
    """torch's page of advice as half a sentence."""
    message = str(error)
    found = re.search(r"(?:GLOBAL|[Gg]lobal|class) ([\w.]+\.[\w.]+)", message)
    if isinstance(error, pickle.UnpicklingError) and found:
        return (f"holds {found[1][:80]}, which is no tensor; nothing in it was run. "
                f"If you trust the file, load it with its own code and {_SAVE_AGAIN}")
    if "TorchScript" in message:
        return f"is a TorchScript program, not weights; {_SAVE_AGAIN}"
    if "legacy .tar" in message:
        return ("has the .tar format of PyTorch 0.1, which cannot be read without running code; "
                f"load it with an old PyTorch and {_SAVE_AGAIN}")
    reason = "" if isinstance(error, pickle.UnpicklingError) else f": {one_line(error, 80)}"
    return f"is not a readable PyTorch file ({size} bytes){reason}; copy or download it again"


def _refuse_packed(path: str, size: int) -> None:
    """torch.save stores its tensors uncompressed: a zip that announces more than it holds would only fill memory."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            announced = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CheckpointError(f"{path} is not a readable PyTorch file ({size} bytes): {one_line(error, 80)}; "
                              "copy or download it again") from error
    if announced > size + _SLACK:
        raise CheckpointError(f"{path} announces {announced} bytes of data and has {size}; copy or download it again")
