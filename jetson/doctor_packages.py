"""wb-doctor's questions about Python and its packages. Each is imported in a process of its own: some crash."""
import json
import platform
import sys
from typing import Dict, Optional

from wholebody.jetson.findings import LOOK, MEND, OK, Finding, ask
from wholebody.packages import install_command

# Prints where a module comes from and what it says of itself, as JSON on the last line.
_PROBE = """
import importlib, json, os, sys
module = importlib.import_module(sys.argv[1])
said = {"version": str(getattr(module, "__version__", getattr(module, "VERSION_TEXT", "?"))),
        "file": str(getattr(module, "__file__", "?"))}
if sys.argv[1] == "cv2":
    said["gstreamer"] = any("GStreamer" in line and "YES" in line for line in module.getBuildInformation().splitlines())
if sys.argv[1] == "onnxruntime":
    said["providers"] = module.get_available_providers()
print()
print(json.dumps(said))
"""


def probe(module: str, python: str = sys.executable) -> "Dict[str, object]":
    """What a module says of itself, or {"error": why it cannot be imported}."""
    said = ask([python, "-c", _PROBE, module])
    lines = said.text.strip().splitlines() or [""]
    if said.code == 0:
        try:
            found: Dict[str, object] = json.loads(lines[-1])
            return found
        except ValueError:
            pass
    if said.code is not None and said.code < 0:
        return {"error": "importing it ends the process with signal %d" % -said.code}
    return {"error": lines[-1][:200]}


def check_python() -> Finding:
    """The interpreter that runs this."""
    version = "%s at %s" % (platform.python_version(), sys.executable)
    return Finding("Python", OK if sys.version_info >= (3, 6) else MEND, version,
                   "" if sys.version_info >= (3, 6) else "use the Python that JetPack brings: /usr/bin/python3")


def check_numpy(tensorrt: Optional[str]) -> Finding:
    """NumPy, without which nothing goes; TensorRT 8.5's module breaks with 1.24 and later."""
    found = probe("numpy")
    if "error" in found:
        return Finding("NumPy", MEND, str(found["error"]), install_command("numpy"))
    version = str(found["version"])
    new = tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) >= (1, 24)
    if new and tensorrt is not None and tensorrt.startswith("8."):
        return Finding("NumPy", LOOK, "%s; the module of TensorRT %s uses names that NumPy 1.24 took away"
                       % (version, tensorrt), "pip install 'numpy<1.24', should TensorRT complain of np.bool")
    return Finding("NumPy", OK, version)


def check_tensorrt(on_jetson: bool) -> Finding:
    """TensorRT's Python module."""
    found = probe("tensorrt")
    if "error" not in found:
        return Finding("TensorRT", OK, str(found["version"]))
    # A PC runs ONNX files; a board without TensorRT is not what anybody bought it for.
    mend = install_command("tensorrt", None if on_jetson else "tensorrt")
    if on_jetson and "No module" in str(found["error"]) and "site-packages" not in sys.path[-1]:
        mend += "; in a virtual environment make it with --system-site-packages"
    return Finding("TensorRT", MEND if on_jetson else LOOK, str(found["error"]), mend)


def check_pycuda(on_jetson: bool) -> Finding:
    """pycuda, by which the runtime talks to the GPU."""
    found = probe("pycuda.driver")
    if "error" not in found:
        return Finding("pycuda", OK, str(found["version"]))
    return Finding("pycuda", MEND if on_jetson else LOOK, str(found["error"]),
                   "export PATH=/usr/local/cuda/bin:$PATH; " + install_command("pycuda", None))


def check_opencv(on_jetson: bool) -> Finding:
    """OpenCV, and whether a wheel from pip stands before JetPack's, which has GStreamer."""
    found = probe("cv2")
    if "error" in found:
        return Finding("OpenCV", MEND, str(found["error"]), install_command("cv2"))
    text = "%s, %s GStreamer, %s" % (found["version"], "with" if found.get("gstreamer") else "without", found["file"])
    shadows = "site-packages" in str(found["file"]) and not found.get("gstreamer")
    if on_jetson and shadows:
        return Finding("OpenCV", LOOK, text + "; a wheel from pip stands before JetPack's",
                       "pip uninstall opencv-python opencv-python-headless opencv-contrib-python")
    return Finding("OpenCV", OK, text)


def check_onnxruntime(on_jetson: bool) -> Finding:
    """ONNX Runtime, which runs ONNX files on the CPU; a board with TensorRT can do without."""
    found = probe("onnxruntime")
    if "error" not in found:
        return Finding("ONNX Runtime", OK, str(found["version"]))
    return Finding("ONNX Runtime", OK if on_jetson else MEND,
                   str(found["error"]) + ("; engines do without it" if on_jetson else ""),
                   "" if on_jetson else install_command("onnxruntime"))
