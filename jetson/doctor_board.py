"""wb-doctor's questions about the board: power, memory, storage, heat, cameras, CUDA."""
import os
import pathlib
import re
import shutil
from typing import List

from wholebody.jetson.boards import board_of, jetpack_of
from wholebody.jetson.findings import LOOK, MEND, OK, Finding, ask
from wholebody.jetson.identity import UNKNOWN, Board
from wholebody.jetson.power import PowerMode, read_mode, read_modes
from wholebody.jetson.telemetry import read_sample, read_throttling

PLUGINS = ("nvarguscamerasrc", "nvvidconv", "nvv4l2decoder", "nvv4l2h264enc")
_HOT_C, _TOO_HOT_C = 70.0, 85.0
_SMALL_RAM_MB, _LEAST_FREE_MB = 4300, 1024


def check_board(board: Board, root: str = "/") -> Finding:
    """Which board, and which JetPack."""
    if not board.is_jetson:
        return Finding("Board", OK, "no Jetson: ONNX files run on the CPU, engines on a GPU with TensorRT")
    facts = board_of(board.model, _text(pathlib.Path(root) / "proc/device-tree/compatible"))
    jetpack = jetpack_of(board.l4t)
    text = "%s, L4T %s (JetPack %s)" % (facts.title if facts else board.model, board.l4t,
                                        jetpack.jetpack if jetpack else UNKNOWN)
    return Finding("Board", OK if facts and jetpack else LOOK, text)


def check_cuda(board: Board) -> Finding:
    """CUDA's compiler, which the kernels need once on each board."""
    nvcc = shutil.which("nvcc") or next((path for path in ("/usr/local/cuda/bin/nvcc",) if os.path.exists(path)), None)
    if nvcc is None:
        return Finding("CUDA", MEND if board.is_jetson else LOOK, "there is no nvcc (CUDA %s)" % board.cuda,
                       "sudo apt install cuda-nvcc-%s" % "-".join(board.cuda.split(".")[:2])
                       if board.cuda != UNKNOWN else "install the CUDA toolkit")
    found = re.search(r"release ([\d.]+)", ask([nvcc, "--version"]).text)
    return Finding("CUDA", OK, "nvcc %s at %s" % (found.group(1) if found else UNKNOWN, nvcc))


def check_gstreamer(on_jetson: bool) -> Finding:
    """GStreamer's elements for the camera and the decoder of a Jetson."""
    if not on_jetson:
        return Finding("GStreamer", OK, "its camera elements exist on a Jetson only")
    if shutil.which("gst-inspect-1.0") is None:
        return Finding("GStreamer", MEND, "there is no gst-inspect-1.0", "sudo apt install gstreamer1.0-tools")
    missing = [name for name in PLUGINS if ask(["gst-inspect-1.0", name]).code != 0]
    if missing:
        return Finding("GStreamer", MEND, "no element " + ", ".join(missing),
                       "sudo apt install nvidia-l4t-gstreamer; rm -rf ~/.cache/gstreamer-1.0")
    return Finding("GStreamer", OK, "has " + ", ".join(PLUGINS))


def check_power(on_jetson: bool, root: str = "/") -> Finding:
    """The power mode: figures in another mode cannot be compared."""
    mode = read_mode()
    if mode is None:
        return Finding("Power mode", LOOK if on_jetson else OK, "nvpmodel does not say" if on_jetson else "no nvpmodel",
                       "sudo nvpmodel -q" if on_jetson else "")
    fastest = next((m for m in read_modes(root) if m.name.startswith("MAXN")), PowerMode(0, "MAXN"))
    if mode.name.startswith("MAXN"):
        return Finding("Power mode", OK, str(mode))
    return Finding("Power mode", LOOK, "%s, slower than %s" % (mode, fastest),
                   "sudo nvpmodel -m %d; sudo jetson_clocks" % fastest.id)


def check_memory(root: str = "/") -> List[Finding]:
    """Memory and swap: a build that is killed says nothing."""
    sample = read_sample(root)
    if sample.ram_total_mb is None:
        return [Finding("Memory", LOOK, "/proc/meminfo does not say")]
    free = sample.ram_total_mb - (sample.ram_used_mb or 0)
    rows = [Finding("Memory", OK if free >= _LEAST_FREE_MB else MEND,
                    "%.0f of %.0f MB are free" % (free, sample.ram_total_mb),
                    "" if free >= _LEAST_FREE_MB else "stop the desktop: sudo systemctl isolate multi-user.target")]
    swap = sample.swap_total_mb or 0
    if sample.ram_total_mb < _SMALL_RAM_MB and swap < sample.ram_total_mb / 2:
        return rows + [Finding("Swap", MEND, "%.0f MB beside %.0f MB of memory: builds are killed"
                               % (swap, sample.ram_total_mb),
                               "sudo fallocate -l 4G /swap && sudo chmod 600 /swap && sudo mkswap /swap && "
                               "sudo swapon /swap")]
    return rows + [Finding("Swap", OK, "%.0f MB" % swap)]


def check_storage(folder: str) -> Finding:
    """Room for engines, which are larger than their networks."""
    try:
        free = shutil.disk_usage(folder).free / 1e6
    except OSError as error:
        return Finding("Storage", LOOK, "%s: %s" % (folder, error.strerror))
    return Finding("Storage", OK if free > 2 * _LEAST_FREE_MB else MEND, "%.0f MB are free in %s" % (free, folder),
                   "" if free > 2 * _LEAST_FREE_MB else "sudo apt clean; docker system prune")


def check_heat(root: str = "/") -> Finding:
    """Heat, and what it slows down at this moment."""
    hottest, state = read_sample(root).hottest_c, read_throttling(root)
    slowed = ["%s at %d" % item for item in sorted(state.cooling.items()) if item[1] > 0]
    text = "no sensor says" if hottest is None else "%.0f degrees" % hottest
    if slowed:
        text += "; slowed down: " + ", ".join(slowed)
    if any(state.overcurrent.values()):
        text += "; over-current events: %d" % sum(state.overcurrent.values())
    level = OK if hottest is None or hottest < _HOT_C else MEND if hottest >= _TOO_HOT_C else LOOK
    # Processor states are Intel's words for what every laptop does all day; on a Jetson they mean throttling.
    return Finding("Heat", level, text, "" if level == OK else "a fan, or a lower power mode: sudo nvpmodel -m 1")


def check_cameras(root: str = "/") -> Finding:
    """Cameras that are there and may be opened."""
    base = pathlib.Path(root)
    devices = sorted(base.glob("dev/video[0-9]*"))
    if not devices:
        return Finding("Cameras", OK, "no /dev/video*: files and network streams only")
    shut = [device for device in devices if not os.access(str(device), os.R_OK | os.W_OK)]
    names = ", ".join("/" + str(device.relative_to(base)) for device in shut or devices)
    if shut:
        return Finding("Cameras", MEND, "no permission for " + names,
                       "sudo usermod -aG video $USER, then log in again")
    return Finding("Cameras", OK, names)


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace").replace("\0", " ")
    except OSError:
        return ""
