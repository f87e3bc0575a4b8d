"""Manifest: what an engine is and how it was built, in a JSON file that ends with the hash of its own bytes."""
import hashlib
import json
import re
from typing import Any, Dict, NamedTuple, Optional, Tuple

from wholebody.card import ModelCard, card_from_json, card_to_json
from wholebody.engines.build_spec import BuildSpec, spec_from_dict, spec_to_dict
from wholebody.engines.engine import TensorInfo
from wholebody.engines.shapes import InputShape, shape_from_dict, shape_to_dict
from wholebody.errors import EngineMismatch, WholebodyError
from wholebody.jetson.identity import Board

MANIFEST_VERSION = 1
_TAIL = re.compile(r',\n  "manifest_sha256": "([0-9a-f]{64})"\n}\n\Z')


class Manifest(NamedTuple):
    """The card of a network, and everything its engine depends on."""

    card: Optional[ModelCard]
    spec: BuildSpec
    inputs: Tuple[InputShape, ...]
    outputs: Tuple[TensorInfo, ...]
    onnx_file: str                 # name of the file that it was built from
    graph_sha256: str              # of that file's graph and weights
    engine_sha256: str
    engine_bytes: int
    product: str                   # TensorRT or TensorRT-RTX
    tensorrt: str
    board: Board
    strategy: str                  # how the precision was told
    builder_flags: Tuple[str, ...]
    workspace_mb: int
    timing_cache_sha256: str
    calibration_sha256: str
    build_seconds: float
    built_by: str                  # version of wholebody
    accuracy: Optional[Dict[str, Any]] = None  # what the accuracy gate measured
    layers: Optional[Any] = None   # as the inspector told on the machine that built it
    kept_fp32: Tuple[str, ...] = ()  # nodes of the network that compute in FP32 in an FP16 engine

    @property
    def input_infos(self) -> Tuple[TensorInfo, ...]:
        """The inputs as an engine shows them."""
        return tuple(TensorInfo(shape.name, shape.dims, shape.dtype) for shape in self.inputs)


def manifest_to_json(manifest: Manifest) -> str:
    """The text of the file, with its hash at the end."""
    data = dict(manifest._asdict(), wholebody_manifest=MANIFEST_VERSION,
                card=None if manifest.card is None else json.loads(card_to_json(manifest.card)),
                spec=spec_to_dict(manifest.spec), board=dict(manifest.board._asdict()),
                inputs=[shape_to_dict(shape) for shape in manifest.inputs],
                outputs=[dict(info._asdict()) for info in manifest.outputs])
    body = json.dumps(data, indent=2, sort_keys=True)[:-len("\n}")]
    return body + ',\n  "manifest_sha256": "%s"\n}\n' % _sha256(body)


def manifest_from_json(data: bytes, where: str) -> Manifest:
    """The manifest of a file; EngineMismatch when any of its bytes is not as it was written."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise EngineMismatch("%s is damaged: it is not UTF-8 text" % where)
    tail = _TAIL.search(text)
    if not tail or tail.group(1) != _sha256(text[:tail.start()]):
        raise EngineMismatch("%s is damaged or was edited: %s" % (
            where, "its bytes do not fit the hash at its end" if tail else "it does not end with its own hash"))
    loaded = json.loads(text)
    if loaded.get("wholebody_manifest") != MANIFEST_VERSION:
        raise EngineMismatch("%s: expected wholebody_manifest %d, got %r: it is of another version of wholebody"
                             % (where, MANIFEST_VERSION, loaded.get("wholebody_manifest")))
    try:
        return _manifest(loaded, where)
    except (KeyError, TypeError, ValueError, WholebodyError) as error:
        raise EngineMismatch("%s is no manifest of this version of wholebody: %s: %s"
                             % (where, type(error).__name__, error))


def _manifest(data: Dict[str, Any], where: str) -> Manifest:
    known = {name: data[name] for name in Manifest._fields}
    known.update(
        card=None if data["card"] is None else card_from_json(json.dumps(data["card"]), where + ": card"),
        spec=spec_from_dict(data["spec"], where + ": spec"), board=Board(**data["board"]),
        inputs=tuple(shape_from_dict(shape) for shape in data["inputs"]),
        outputs=tuple(TensorInfo(o["name"], tuple(o["shape"]), o["dtype"]) for o in data["outputs"]),
        builder_flags=tuple(data["builder_flags"]), kept_fp32=tuple(data["kept_fp32"]))
    return Manifest(**known)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
