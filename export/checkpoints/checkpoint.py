"""What every reader gives."""
import hashlib
import pathlib
from dataclasses import dataclass

from torch import Tensor

from wholebody.errors import CheckpointError

CAFFE, TORCH, SAFETENSORS, KERAS = "caffemodel", "torch", "safetensors", "keras"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """Tensors of one file. Shapes are the file's own: who copies or converts a tensor checks its shape first."""

    path: str
    format: str
    tensors: dict[str, Tensor]


def check_file(path: str) -> int:
    """Size of a regular, non-empty file, or a CheckpointError that says what is there instead."""
    file = pathlib.Path(path)
    try:
        if file.exists() and not file.is_file():  # reading a pipe would wait for ever
            raise CheckpointError(f"cannot read checkpoint {path}: it is not a regular file")
        size = file.stat().st_size
        with file.open("rb"):
            pass
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    if size == 0:
        raise CheckpointError(f"{path} is empty (0 bytes); copy or download it again")
    return size


def file_sha256(path: str) -> str:
    """Hash of the whole file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    return digest.hexdigest()


def one_line(error: BaseException, limit: int = 200) -> str:
    """The first words of another library's message."""
    return " ".join(str(error).split())[:limit].rstrip() or type(error).__name__
