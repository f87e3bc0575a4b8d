"""Operators that some parsers do not have: said before they are asked, with the network that does without."""
from wholebody.card import METADATA_KEY
from wholebody.engines.inspection import Inspection
from wholebody.engines.onnxfile import card_of
from wholebody.engines.trt_module import TensorRT
from wholebody.errors import BuildError

_DEFORMABLE = "-dcn"  # of networks with deformable convolutions; without it the name is that of their siblings
_NATIVE = ("DeformConv", "RoiAlign")


def check_operators(trt: TensorRT, inspection: Inspection, path: str) -> None:
    """BuildError for an operator that this TensorRT does not have: GridSample came with 8.5."""
    count = dict(inspection.operators).get("GridSample", 0)
    if count and not trt.features.grid_sample:
        raise BuildError("%s: %s has no GridSample (TensorRT 8.5 and later do), of which the network has %d: build %s"
                         % (path, trt, count, _sibling(inspection, path)))


def advice_on(operator: str) -> str:
    """What to do about an operator that a parser has refused; empty where nothing is known."""
    return "; export the network again without --native-ops" if operator in _NATIVE else ""


def _sibling(inspection: Inspection, path: str) -> str:
    name = card_of(inspection.model, path).name if METADATA_KEY in inspection.model.metadata else ""
    if name.endswith(_DEFORMABLE):
        return "%s, the same network without deformable convolutions" % name[:-len(_DEFORMABLE)]
    return "a network without it"
