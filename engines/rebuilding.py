"""Builds an engine again, for the board and TensorRT that are here, as it was built before."""
import logging

from wholebody.engines.build_process import BuildOptions, build_engine
from wholebody.engines.engine_pair import read_manifest
from wholebody.engines.manifest import Manifest
from wholebody.engines.trt_opening import network_beside
from wholebody.errors import EngineMismatch, ModelError

_log = logging.getLogger(__name__)


def rebuild_engine(path: str) -> Manifest:
    """Replaces the engine and its manifest; EngineMismatch where manifest or network are not to be had."""
    manifest = read_manifest(path)
    try:
        network = network_beside(path, manifest)[0]
    except EngineMismatch:
        raise
    except ModelError as error:
        raise EngineMismatch("%s cannot be rebuilt: the network it was built from does not lie beside it: %s"
                             % (path, error))
    _log.warning("rebuilding %s from %s: minutes on a small board", path, network)
    return build_engine(str(network), path, manifest.spec, BuildOptions(overwrite=True))
