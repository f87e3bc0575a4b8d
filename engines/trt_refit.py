"""Gives a stripped engine its weights back, from the ONNX file that it was built from."""
from typing import Any

from wholebody.engines.trt_logger import LogBook
from wholebody.engines.trt_module import TensorRT
from wholebody.errors import ModelError


def refit(trt: TensorRT, engine: Any, logger: Any, book: LogBook, onnx: bytes, path: str) -> Any:
    """The refitter, which must live as long as the engine."""
    if not trt.features.refit_from_onnx:
        raise ModelError("%s is stripped of its weights, and %s cannot give them back: build it without --strip"
                         % (path, trt))
    refitter = trt.module.Refitter(engine, logger)
    parser = trt.module.OnnxParserRefitter(refitter, logger)
    if not parser.refit_from_bytes(onnx) or not refitter.refit_cuda_engine():
        raise ModelError("%s: %s cannot give it its weights back: %s" % (path, trt, book.last_errors()))
    return parser, refitter
