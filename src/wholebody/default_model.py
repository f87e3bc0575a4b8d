"""The network that comes along: what finds people when nobody names a model."""
import pathlib

from wholebody.errors import ModelError

DEFAULT_MODEL = "wholebody-lite.onnx"
MODEL_DIR = pathlib.Path(__file__).resolve().parent / "data" / "models"


def default_model_path() -> str:
    """Where the network that comes along lies.

    >>> default_model_path().endswith("wholebody-lite.onnx")
    True
    """
    path = MODEL_DIR / DEFAULT_MODEL
    if not path.is_file():
        raise ModelError("this installation has no %s: install wholebody again, or name a model of your own" % path)
    return str(path)
