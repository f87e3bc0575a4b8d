"""Which backend does a top-down network's arithmetic: decided here and nowhere else."""
import logging
from typing import Callable, Dict, List

from wholebody.errors import ModelError
from wholebody.runtime.topdown.backend import Backend
from wholebody.runtime.topdown.native_backend import NativeBackend
from wholebody.runtime.topdown.numpy_backend import NumpyBackend

_log = logging.getLogger(__name__)
_told: List[str] = []


def _fastest() -> Backend:
    """Native where its library is built, else NumPy, said once."""
    try:
        return NativeBackend()
    except ModelError as error:
        if str(error) not in _told:
            _told.append(str(error))
            _log.warning("crops and keypoints are made by NumPy, many times slower than native: %s", error)
        return NumpyBackend()


# cuda: people are cut out on the GPU (cuda_lane.py); their keypoints are found here all the same.
BACKENDS: Dict[str, Callable[[], Backend]] = {
    "native": NativeBackend, "numpy": NumpyBackend, "auto": _fastest, "cuda": _fastest}


def choose_backend(name: str = "auto") -> Backend:
    """The backend of this name."""
    if name not in BACKENDS:
        raise ValueError("unknown top-down backend %r; known: %s" % (name, ", ".join(BACKENDS)))
    return BACKENDS[name]()
