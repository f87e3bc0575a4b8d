"""bundle.json: what a bundle is for, and the hash of every file in it."""
import hashlib
import json
import pathlib
from typing import Any, Dict, NamedTuple, Tuple

from wholebody.engines.build_spec import BuildSpec, size_text, spec_from_dict, spec_to_dict
from wholebody.errors import ModelError, WholebodyError

BUNDLE_VERSION = 1
BUNDLE_FILE, MODEL, DETECTOR, GATE, DEVICE = "bundle.json", "model.onnx", "detector.onnx", "gate", "device"
TIMING_CACHE, CALIBRATION, CARD, START = "timing.cache", "calibration.json", "card.json", "run"
NATIVE = DEVICE + "/wholebody/runtime/native/_wholebody.so"
_CHUNK = 1 << 20


class Bundle(NamedTuple):
    """What is in the folder and how it is to be built and run."""

    board: str                      # as in jetson/tables/boards.json
    spec: BuildSpec                 # of the pose network
    least_agreement: float          # with the FP32 keypoints of the gate's pictures
    options: Dict[str, Any]         # of wholebody.open: net_resolution, detector, whole_frame
    files: Dict[str, str]           # path in the folder -> sha256
    made_by: str                    # version of wholebody
    native: str = ""                # sha256 of the native library for aarch64; "" where the board compiles it

    @property
    def engine(self) -> str:
        """Name of the engine, told by what it is: another size or precision is another file."""
        size = "-" + size_text(self.spec.opt_size) if self.spec.opt_size else ""
        return "model-%s%s.engine" % (self.spec.precision, size)


def bundle_to_json(bundle: Bundle) -> str:
    """The text of bundle.json."""
    data = dict(bundle._asdict(), spec=spec_to_dict(bundle.spec), wholebody_bundle=BUNDLE_VERSION)
    return json.dumps(data, indent=1, sort_keys=True) + "\n"


def read_bundle(folder: str) -> Bundle:
    """The bundle in a folder, or a ModelError that says why it is none."""
    path = pathlib.Path(folder) / BUNDLE_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError("%s is no bundle: cannot read %s: %s; make one: wb-export bundle MODEL --board NAME -o FOLDER"
                         % (folder, path, error.strerror or error))
    except ValueError:
        raise ModelError("%s is damaged: it is no JSON text; copy the bundle again" % path)
    if not isinstance(data, dict) or data.pop("wholebody_bundle", None) != BUNDLE_VERSION:
        raise ModelError("%s: expected wholebody_bundle %d: it is of another version of wholebody; make it again"
                         % (path, BUNDLE_VERSION))
    try:
        return Bundle(**dict(data, spec=spec_from_dict(data["spec"], str(path))))
    except (KeyError, TypeError, WholebodyError) as error:
        raise ModelError("%s is damaged: %s; copy the bundle again" % (path, error))


def is_bundle(folder: str) -> bool:
    """Whether a folder has a bundle.json."""
    return (pathlib.Path(folder) / BUNDLE_FILE).is_file()


def sha256_of(path: pathlib.Path) -> str:
    """Hash of a file; "" where there is none."""
    digest = hashlib.sha256()
    try:
        with open(str(path), "rb") as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def check_files(folder: pathlib.Path, bundle: Bundle, seen: Dict[str, Any]) -> Dict[str, Any]:
    """ModelError for the first file that is missing or not as it was made; those `seen` before are not read again."""
    now: Dict[str, Any] = {}
    for name in sorted(bundle.files):
        path = folder / name
        if not path.is_file():
            raise ModelError("%s is missing: copy the bundle again, all of it: scp -r" % path)
        now[name] = list(_stamp(path))
        if now[name] != seen.get(name) and sha256_of(path) != bundle.files[name]:
            raise ModelError("%s is not as it was made: it was cut short, or edited; copy the bundle again: scp -r"
                             % path)
    return now


def _stamp(path: pathlib.Path) -> Tuple[int, int]:
    told = path.stat()
    return told.st_size, told.st_mtime_ns
