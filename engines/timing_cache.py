"""TensorRT's timing cache and our record of how long builds took, kept for each board and TensorRT version."""
import hashlib
import json
import logging
import os
import pathlib
import re
from typing import Any, List, NamedTuple, Optional

from wholebody.errors import OutputError
from wholebody.files import write_bytes, write_text
from wholebody.jetson.identity import Board

_log = logging.getLogger(__name__)
_MOST_BUILDS = 200


class PastBuild(NamedTuple):
    """How long one build took."""

    graph_sha256: str
    precision: str
    onnx_bytes: int
    seconds: float


def default_cache(board: Board, trt_name: str) -> pathlib.Path:
    """Its place in the user's cache folder."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    name = re.sub(r"[^A-Za-z0-9.]+", "-", "%s sm%s %s" % (board.model, board.sm, trt_name)).strip("-").lower()
    return pathlib.Path(folder) / "wholebody" / "timing" / (name + ".cache")


def load_cache(config: Any, path: pathlib.Path) -> Any:
    """Gives the builder what earlier builds measured; a cache that it does not take is started anew."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    cache = config.create_timing_cache(data)
    if cache is None or not config.set_timing_cache(cache, False):
        _log.warning("%s is of another board or TensorRT: starting a new timing cache", path)
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def save_cache(config: Any, path: pathlib.Path) -> str:
    """Keeps what was measured, atomically; its sha256, empty where it cannot be kept."""
    cache = config.get_timing_cache()
    if cache is None:
        return ""
    data = bytes(memoryview(cache.serialize()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data, overwrite=True)
    except (OutputError, OSError) as error:
        _log.warning("the timing cache is not kept: %s", error)
        return ""
    return hashlib.sha256(data).hexdigest()


def expected_seconds(cache: pathlib.Path, graph_sha256: str, precision: str, onnx_bytes: int) -> Optional[float]:
    """From earlier builds beside this cache: the same one's time, else the mean per byte; None without any."""
    builds = _read_builds(cache)
    same = [b.seconds for b in builds if (b.graph_sha256, b.precision) == (graph_sha256, precision)]
    if same:
        return same[-1]
    alike = [b for b in builds if b.precision == precision] or builds
    total = sum(b.onnx_bytes for b in alike)
    return sum(b.seconds for b in alike) * onnx_bytes / total if total else None


def record_build(cache: pathlib.Path, build: PastBuild) -> None:
    """Remembers how long it took; an unwritable folder is no hindrance."""
    builds = (_read_builds(cache) + [build])[-_MOST_BUILDS:]
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_text(_builds_file(cache), json.dumps([dict(b._asdict()) for b in builds], indent=1) + "\n",
                   overwrite=True)
    except (OutputError, OSError) as error:
        _log.debug("the time of the build is not kept: %s", error)


def _read_builds(cache: pathlib.Path) -> List[PastBuild]:
    try:
        return [PastBuild(str(b["graph_sha256"]), str(b["precision"]), int(b["onnx_bytes"]), float(b["seconds"]))
                for b in json.loads(_builds_file(cache).read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _builds_file(cache: pathlib.Path) -> pathlib.Path:
    return cache.with_name(cache.name + ".builds.json")
