"""Opens a TensorRT engine: every check comes before TensorRT sees a byte of the file, which is code."""
import pathlib
from typing import Callable, List, Optional, Tuple, Type

from wholebody.engines.device import DeviceMemory
from wholebody.engines.engine import TensorInfo
from wholebody.engines.engine_pair import (
    Here,
    check_here,
    check_trusted,
    onnx_beside,
    read_manifest,
    read_plan,
    rebuild_command,
)
from wholebody.engines.fit import check_fit
from wholebody.engines.fp16_graph import convert
from wholebody.engines.manifest import Manifest
from wholebody.engines.onnxfile import graph_sha256, parse_onnx, read_bytes
from wholebody.engines.precision import GRAPH
from wholebody.engines.trt_bindings_engine import TrtBindingsEngine
from wholebody.engines.trt_engine import TrtEngine, deserialize
from wholebody.engines.trt_module import RTX, TENSORRT, TensorRT, load_tensorrt
from wholebody.engines.trt_tensors_engine import TrtTensorsEngine
from wholebody.errors import EngineMismatch, ModelError
from wholebody.jetson.identity import Board, read_board


def open_trt_engine(path: str, device: Optional[Callable[[], DeviceMemory]], trust: str = "",
                    board: Optional[Board] = None) -> TrtEngine:
    """The engine, if it and its manifest belong together, to this board and to this TensorRT."""
    manifest = read_manifest(path)
    plan = read_plan(path, manifest)
    if trust:
        check_trusted(path, manifest, trust)
    if manifest.card is not None:
        check_fit(manifest.card, manifest.input_infos, manifest.outputs, path)
    trt = load_tensorrt(RTX if manifest.spec.target else TENSORRT)
    check_here(path, manifest, Here(board or read_board(), trt.name, trt.features.version))
    onnx = _weights(path, manifest) if manifest.spec.strip else None
    if device is None:
        raise ModelError("%s needs the memory of a GPU to run in" % path)
    memory = device()
    try:
        with memory.active():
            parts = deserialize(path, plan, manifest, trt, onnx)
        kind = engine_class(trt)
        _check_tensors(path, manifest, kind.tensors(parts.engine, trt))
        return kind(parts, memory)
    except BaseException:
        memory.close()
        raise


def engine_class(trt: TensorRT) -> Type[TrtEngine]:
    """One of the two ways of running."""
    return TrtTensorsEngine if trt.features.named_tensors else TrtBindingsEngine


def network_beside(engine: str, manifest: Manifest) -> Tuple[pathlib.Path, bytes]:
    """The ONNX file that the engine was built from, if it still lies beside it unchanged."""
    path = onnx_beside(engine, manifest)
    data = read_bytes(path)
    files = [path.parent / name for name in parse_onnx(data, str(path)).external_files]
    if graph_sha256(data, files) != manifest.graph_sha256:
        raise EngineMismatch("%s is not the network that %s was built from: put that one there, or build anew: %s"
                             % (path, engine, rebuild_command(engine, manifest)))
    return path, data


def _weights(engine: str, manifest: Manifest) -> bytes:
    try:
        path, data = network_beside(engine, manifest)
        # A network that was made FP16 for the builder takes FP16 weights back.
        converted = manifest.strategy == GRAPH and manifest.spec.precision == "fp16"
        return convert(data, manifest.spec.keep_fp32, str(path)).data if converted else data
    except EngineMismatch:
        raise
    except ModelError as error:
        raise EngineMismatch("%s is stripped: its weights are read from the network beside it: %s" % (engine, error))


def _check_tensors(path: str, manifest: Manifest,
                   found: Tuple[Tuple[TensorInfo, ...], Tuple[TensorInfo, ...]]) -> None:
    """A last look: what TensorRT opened has the inputs and outputs that the manifest promised."""
    def names(infos: Tuple[TensorInfo, ...]) -> List[Tuple[str, str]]:
        return sorted((info.name, info.dtype) for info in infos)

    if [names(infos) for infos in found] != [names(manifest.input_infos), names(manifest.outputs)]:
        raise EngineMismatch("%s has other inputs or outputs than its manifest says: rebuild: %s"
                             % (path, rebuild_command(path, manifest)))
