"""Which board this is, from files that L4T leaves and from the CUDA driver; nothing is imported or started."""
import ctypes
import json
import pathlib
import re
from typing import NamedTuple, Optional

UNKNOWN = "unknown"
# GPU generation by system on chip: linux/Documentation/devicetree/bindings/arm/tegra.yaml, NVIDIA's CUDA GPU list.
_SM_BY_CHIP = {"tegra210": "5.3", "tegra186": "6.2", "tegra194": "7.2", "tegra234": "8.7", "tegra264": "11.0"}
_SM_MAJOR, _SM_MINOR = 75, 76  # CUdevice_attribute


class Board(NamedTuple):
    """What an engine depends on besides TensorRT; "unknown" where the machine does not say."""

    model: str = UNKNOWN  # the device tree's, such as NVIDIA Jetson AGX Orin Developer Kit
    sm: str = UNKNOWN     # compute capability of the GPU, such as 8.7
    l4t: str = UNKNOWN    # such as 35.4.1
    cuda: str = UNKNOWN   # such as 11.4.19

    @property
    def is_jetson(self) -> bool:
        """CPU and GPU share their memory here."""
        return self.l4t != UNKNOWN

    def __str__(self) -> str:
        return "%s (sm_%s)" % (self.model, self.sm.replace(".", "")) if self.sm != UNKNOWN else self.model


def read_board(root: str = "/") -> Board:
    """The board whose files lie below `root`; the CUDA driver is asked on this machine itself only."""
    base = pathlib.Path(root)
    model = _text(base / "proc/device-tree/model").strip("\0 \n")
    chips = re.findall(r"nvidia,(tegra\d+)", _text(base / "proc/device-tree/compatible"))
    sm = next((_SM_BY_CHIP[chip] for chip in chips if chip in _SM_BY_CHIP), None)
    if sm is None and root == "/":
        sm = _driver_sm()
    return Board(model or UNKNOWN, sm or UNKNOWN, _l4t(_text(base / "etc/nv_tegra_release")) or UNKNOWN,
                 _cuda(base / "usr/local/cuda") or UNKNOWN)


def _l4t(text: str) -> Optional[str]:
    """35.4.1 from `# R35 (release), REVISION: 4.1, GCID: ...`."""
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    return "%s.%s" % found.groups() if found else None


def _cuda(folder: pathlib.Path) -> Optional[str]:
    """Its version.json (CUDA 11 on) or version.txt."""
    try:
        return str(json.loads(_text(folder / "version.json"))["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        found = re.search(r"CUDA Version ([\d.]+)", _text(folder / "version.txt"))
        return found.group(1) if found else None


def _driver_sm() -> Optional[str]:
    """Compute capability of the first GPU; cuInit makes no context and takes no memory of the GPU."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
        device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        failed = (cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0)
                  or cuda.cuDeviceGetAttribute(ctypes.byref(major), _SM_MAJOR, device)
                  or cuda.cuDeviceGetAttribute(ctypes.byref(minor), _SM_MINOR, device))
    except (OSError, AttributeError):
        return None
    return None if failed else "%d.%d" % (major.value, minor.value)


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
