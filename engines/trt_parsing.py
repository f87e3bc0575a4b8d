"""An ONNX file into a TensorRT network; what the parser refuses becomes one line that names the node."""
import pathlib
from typing import Any, Optional, Tuple

from wholebody.engines.inspection import node_at
from wholebody.engines.onnxfile import parse_onnx
from wholebody.engines.trt_features import ALWAYS
from wholebody.engines.trt_logger import LogBook, one_line
from wholebody.engines.trt_module import TensorRT
from wholebody.engines.trt_operators import advice_on
from wholebody.errors import BuildError


def parse_network(trt: TensorRT, builder: Any, logger: Any, book: LogBook, data: bytes, path: str,
                  strongly_typed: bool) -> Tuple[Any, Any]:
    """The network and the parser, which must live as long as the network does."""
    network = builder.create_network(_creation_flags(trt, strongly_typed))
    parser = trt.module.OnnxParser(network, logger)
    # Weights beside the file are found relative to the path.
    external = parse_onnx(data, path).external_files
    read = parser.parse(data, str(pathlib.Path(path).resolve())) if external else parser.parse(data)
    if not read:
        raise BuildError("%s: the ONNX parser of %s refuses %s" % (path, trt, _reason(trt, parser, book, data)))
    return network, parser


def _creation_flags(trt: TensorRT, strongly_typed: bool) -> int:
    kinds, flags = trt.module.NetworkDefinitionCreationFlag, 0
    if trt.features.explicit_batch_flag:
        flags |= 1 << int(kinds.EXPLICIT_BATCH)
    if strongly_typed and trt.features.strongly_typed != ALWAYS:
        flags |= 1 << int(kinds.STRONGLY_TYPED)
    return flags


def _reason(trt: TensorRT, parser: Any, book: LogBook, data: bytes) -> str:
    if not parser.num_errors:
        return "it: " + book.last_errors()
    # The first error is the cause, later ones follow from it.
    error = parser.get_error(0)
    name, operator = _node(trt, error, data)
    where = "node %r (%s)" % (name, operator) if operator else "the graph"
    reason = one_line(error.desc())
    return "%s: %s%s" % (where, reason or book.last_errors(), advice_on(operator or ""))


def _node(trt: TensorRT, error: Any, data: bytes) -> Tuple[Optional[str], Optional[str]]:
    """Name and operator; before TensorRT 10 the error has the node's index alone."""
    if trt.features.parser_names_nodes and error.node_operator() and error.node_name():
        return error.node_name(), error.node_operator()
    return node_at(data, int(error.node()))
