"""Optional packages, imported when used: one place that knows how each is installed."""
import importlib
import platform
import sys
from typing import Any, Optional

from wholebody.errors import MissingPackage

# Import name -> what a base install calls it, and what JetPack's Ubuntu calls it where pip must not replace it.
PIP_NAMES = {"cv2": "opencv-python-headless",
             "pycuda": "pycuda" if sys.version_info >= (3, 8) else "'pycuda<=2020.1'"}  # the last for JetPack 4
APT_NAMES = {"cv2": "python3-opencv", "tensorrt": "python3-libnvinfer"}


def require(module: str, extra: Optional[str] = None) -> Any:
    """The module, or MissingPackage with the command that installs it; `extra` names the extra that brings it.

    >>> require("math").sqrt(4)
    2.0
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.split(".")[0]
        # Installed, but a library it needs is not there (libGL for cv2, libavcodec for av): say which.
        absent = isinstance(error, ModuleNotFoundError) and error.name in (top, module)
        what = "%s is not installed" % top if absent else "%s does not load: %s" % (top, _one_line(error))
        raise MissingPackage("%s. Install it: %s" % (what, install_command(top, extra))) from error


def install_command(module: str, extra: Optional[str] = None) -> str:
    """The command that installs a package on this machine."""
    if platform.machine() == "aarch64" and module in APT_NAMES:
        return "sudo apt install %s" % APT_NAMES[module]
    if extra is not None:
        return "pip install 'wholebody[%s]'" % extra
    return "pip install %s" % PIP_NAMES.get(module, module)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
