"""From options to an open TopDownEstimator: what finds the people is decided here."""
import logging
from typing import Optional

from wholebody.engines.device import Device
from wholebody.engines.engine import Engine
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.engines.trt_engine import TrtEngine
from wholebody.errors import CardError, MissingPackage, ModelError
from wholebody.runtime.cuda_network import CudaNetwork
from wholebody.runtime.detection import BoxFinder
from wholebody.runtime.detection.given import BoxesOfFile, WholeFrame
from wholebody.runtime.detection.network import BoxOptions, DetectorNetwork
from wholebody.runtime.topdown.backend import Backend
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.estimator import TopDownEstimator, TopDownOptions

_log = logging.getLogger(__name__)


def open_topdown(engine: Engine, options: TopDownOptions, opening: OpenOptions, most: int = -1) -> TopDownEstimator:
    """An estimator around a network for one person, which it closes; `most` people of a frame, -1 for all."""
    backend = choose_backend(options.decoder)
    finder = _finder(engine, options, opening, most, backend)
    try:
        return TopDownEstimator(engine, finder, backend, options, _network_on_gpu(engine, options.decoder))
    except BaseException:
        finder.close()
        raise


def _network_on_gpu(engine: Engine, decoder: str) -> Optional[CudaNetwork]:
    """The engine's network where people are cut out on its GPU; None where the CPU does it, said once."""
    if decoder not in ("auto", "cuda") or engine.card is None:
        return None
    if not isinstance(engine, TrtEngine) or not isinstance(engine.device, Device):
        return None
    try:
        return CudaNetwork(engine, engine.device, engine.card.input.name)
    except (ModelError, MissingPackage) as error:
        if decoder == "cuda":
            raise
        _log.warning("people are cut out of frames on the CPU: %s", error)
        return None


def _finder(engine: Engine, options: TopDownOptions, opening: OpenOptions, most: int, backend: Backend) -> BoxFinder:
    ways = [name for name in ("detector", "boxes", "whole_frame") if getattr(options, name)]
    if len(ways) != 1:
        said = "one of --detector MODEL, --boxes FILE.json (COCO) and --whole-frame (one person fills it)"
        raise CardError("%s sees one person at a time and is not told where: give %s" % (engine.path, said)
                        if not ways else "%s: where people are is told twice: give %s" % (engine.path, said))
    if options.whole_frame:
        return WholeFrame()
    if options.boxes:
        return BoxesOfFile(options.boxes, backend, most=most)
    detector = open_engine(options.detector, opening)
    try:
        return DetectorNetwork(detector, BoxOptions(options.box_score, options.box_overlap, most), backend)
    except BaseException:
        detector.close()
        raise
