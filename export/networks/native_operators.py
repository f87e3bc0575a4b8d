"""Layers that export either as ONNX's own operator or as GridSample, which more engines have."""
from torch import nn

from wholebody.export.networks.deformable import DeformableConv
from wholebody.export.networks.roi_align import RoIAlign

NATIVE_OPERATORS = ("DeformConv", "RoiAlign")


def native_opset(network: nn.Module) -> int:
    """The opset that has all of ONNX's own operators which the network has a use for; 0 where there are none."""
    return max((layer.NATIVE_OPSET for layer in _layers(network)), default=0)


def use_native_operators(network: nn.Module, native: bool) -> None:
    """Has ONNX's own operators or GridSample written by the next export."""
    for layer in _layers(network):
        layer.native = native


def _layers(network: nn.Module) -> "list[DeformableConv | RoIAlign]":
    return [module for module in network.modules() if isinstance(module, (DeformableConv, RoIAlign))]
