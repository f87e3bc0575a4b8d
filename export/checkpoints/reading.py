"""One reader for each kind of file."""
import pathlib

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.caffe import read_caffemodel
from wholebody.export.checkpoints.checkpoint import Checkpoint, check_file
from wholebody.export.checkpoints.keras import read_keras
from wholebody.export.checkpoints.safetensors_file import read_safetensors
from wholebody.export.checkpoints.torch_file import read_torch

READERS = {
    ".caffemodel": read_caffemodel,
    ".pth": read_torch,
    ".pt": read_torch,
    ".safetensors": read_safetensors,
    ".h5": read_keras,
}


def read_checkpoint(path: str) -> Checkpoint:
    """All tensors of a checkpoint; what kind of file it is, is in its name."""
    suffix = pathlib.Path(path).suffix.lower()
    check_file(path)
    if suffix not in READERS:
        raise CheckpointError(f"{path}: unknown kind of checkpoint {suffix or '(no suffix)'}; "
                              f"known: {', '.join(READERS)}; rename the file if it is one of these")
    return READERS[suffix](path)
