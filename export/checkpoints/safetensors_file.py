"""The .safetensors format, read by its own library."""
from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.checkpoint import SAFETENSORS, Checkpoint, check_file, one_line
from wholebody.export.checkpoints.torch_file import state_dict_of
from wholebody.packages import require


def read_safetensors(path: str) -> Checkpoint:
    """All tensors of the file; its library checks the header against the size before anything is read."""
    size = check_file(path)
    library = require("safetensors.torch", "export")
    try:
        content = library.load_file(path, device="cpu")
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror or one_line(error)}") from error
    except Exception as error:  # SafetensorError, and what torch says of types it does not know
        raise CheckpointError(f"{path} is not a readable safetensors file ({size} bytes): {one_line(error, 80)}; "
                              "copy or download it again") from error
    return Checkpoint(path, SAFETENSORS, state_dict_of(content, path))
