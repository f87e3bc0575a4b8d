"""What an ONNX file says of itself, and its metadata edited in place, without the onnx package.

Field numbers are those of onnx.proto (ModelProto, GraphProto, ValueInfoProto, TensorProto).
"""
import hashlib
import pathlib
from typing import Dict, List, NamedTuple, Sequence, Set, Tuple, Union

from wholebody.card import METADATA_KEY, ModelCard, card_from_json, card_to_json
from wholebody.engines.engine import Dim, TensorInfo
from wholebody.errors import CardError, ModelError
from wholebody.protobuf import WireError, encode_bytes, fields, nested, text

NO_CARD = ("{model} has no card: nothing says how its input is made or what its outputs are; "
           "give it one: wb-export card {model} --preset NAME -o OUT.onnx")
_MODEL_IR, _MODEL_GRAPH, _MODEL_OPSET, _MODEL_METADATA = 1, 7, 8, 14
_GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 5, 11, 12
_TENSOR_NAME, _TENSOR_EXTERNAL = 8, 13
_CHUNK = 1 << 20
_DTYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}


class OnnxFile(NamedTuple):
    """The outside of an ONNX model."""

    ir_version: int
    opset: int
    inputs: Tuple[TensorInfo, ...]
    outputs: Tuple[TensorInfo, ...]
    metadata: Dict[str, str]
    external_files: Tuple[str, ...]  # names of files beside it that hold some of its weights


def read_bytes(path: Union[str, pathlib.Path]) -> bytes:
    """The whole file, or a ModelError that says why not."""
    file = pathlib.Path(path)
    try:
        if file.exists() and not file.is_file():  # reading a pipe would wait for ever
            raise ModelError("cannot read model %s: it is not a regular file" % path)
        data = file.read_bytes()
    except OSError as error:
        raise ModelError("cannot read model %s: %s" % (path, error.strerror or error))
    if not data:
        raise ModelError("%s is empty (0 bytes); copy or export it again" % path)
    return data


def parse_onnx(data: bytes, where: str) -> OnnxFile:
    """Inputs, outputs and metadata of the model in `data`; `where` names it in errors."""
    ir_version, opset = 0, 0
    graphs: List[memoryview] = []
    metadata: Dict[str, str] = {}
    try:
        for field in fields(memoryview(data)):
            if field.number == _MODEL_IR and isinstance(field.value, int):
                ir_version = field.value
            elif field.number == _MODEL_GRAPH and isinstance(field.value, memoryview):
                graphs.append(field.value)
            elif field.number == _MODEL_OPSET and isinstance(field.value, memoryview):
                if text(field.value, 1) in ("", "ai.onnx"):
                    opset = max([f.value for f in fields(field.value) if f.number == 2 and isinstance(f.value, int)],
                                default=0)
            elif field.number == _MODEL_METADATA and isinstance(field.value, memoryview):
                metadata[text(field.value, 1)] = text(field.value, 2)
        if not graphs or not ir_version:
            raise WireError("no graph in it")
        inputs, outputs, external = _parse_graph(graphs[-1])
    except WireError as error:
        raise ModelError("%s is not a readable ONNX file (%d bytes): %s; copy or export it again"
                         % (where, len(data), error))
    return OnnxFile(ir_version, opset, inputs, outputs, metadata, external)


def with_card(data: bytes, card: ModelCard) -> bytes:
    """The same model with this card in its metadata; an earlier card is replaced."""
    message, at = memoryview(data), 0
    pieces: List[bytes] = []
    for field in fields(message):
        is_card = (field.number == _MODEL_METADATA and isinstance(field.value, memoryview)
                   and text(field.value, 1) == METADATA_KEY)
        if is_card:
            pieces.append(bytes(message[at:field.start]))
            at = field.end
    pieces.append(bytes(message[at:]))
    entry = encode_bytes(1, METADATA_KEY.encode()) + encode_bytes(2, card_to_json(card).encode())
    return b"".join(pieces) + encode_bytes(_MODEL_METADATA, entry)


def card_of(model: OnnxFile, where: str) -> ModelCard:
    """The card inside a model, or a CardError that says how to give it one."""
    if METADATA_KEY not in model.metadata:
        raise CardError(NO_CARD.format(model=where))
    try:
        return card_from_json(model.metadata[METADATA_KEY], where + ": card")
    except CardError as error:
        raise CardError("%s; give it a new one: wb-export card %s --preset NAME -o OUT.onnx" % (error, where))


def graph_sha256(data: bytes, external_files: Sequence[pathlib.Path] = ()) -> str:
    """Hash of the graph with its weights, also those in files beside it; the same with or without a card."""
    digest = hashlib.sha256()
    for graph in nested(memoryview(data), _MODEL_GRAPH):
        digest.update(graph)
    for path in external_files:
        try:
            with open(str(path), "rb") as file:
                for chunk in iter(lambda: file.read(_CHUNK), b""):  # noqa: B023 - used up within the loop
                    digest.update(chunk)
        except OSError as error:
            raise ModelError("cannot read weights %s: %s" % (path, error.strerror or error))
    return digest.hexdigest()


def _parse_graph(graph: memoryview) -> Tuple[Tuple[TensorInfo, ...], Tuple[TensorInfo, ...], Tuple[str, ...]]:
    inputs, outputs, weights = [], [], set()
    external: Set[str] = set()
    for field in fields(graph):
        if not isinstance(field.value, memoryview):
            continue
        if field.number == _GRAPH_INPUT:
            inputs.append(_tensor_info(field.value))
        elif field.number == _GRAPH_OUTPUT:
            outputs.append(_tensor_info(field.value))
        elif field.number == _GRAPH_INITIALIZER:
            weights.add(text(field.value, _TENSOR_NAME))
            external.update(text(entry, 2) for entry in nested(field.value, _TENSOR_EXTERNAL)
                            if text(entry, 1) == "location")
    # Files of IR 3 list their weights among the inputs.
    return tuple(i for i in inputs if i.name not in weights), tuple(outputs), tuple(sorted(external))


def _tensor_info(value_info: memoryview) -> TensorInfo:
    dtype = "float32"
    shape: List[Dim] = []
    for type_proto in nested(value_info, 2):
        for tensor_type in nested(type_proto, 1):
            for field in fields(tensor_type):
                if field.number == 1 and isinstance(field.value, int):
                    dtype = _DTYPES.get(field.value, "type %d" % field.value)
            for shape_proto in nested(tensor_type, 2):
                shape = [_dim(dim) for dim in nested(shape_proto, 1)]
    return TensorInfo(text(value_info, 1), tuple(shape), dtype)


def _dim(dim: memoryview) -> Dim:
    for field in fields(dim):
        if field.number == 1 and isinstance(field.value, int):
            return field.value
        if field.number == 2 and isinstance(field.value, memoryview):
            return bytes(field.value).decode("utf-8", "replace")
    return None
