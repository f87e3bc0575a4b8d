"""The one place that imports TensorRT or TensorRT-RTX."""
from typing import Any, NamedTuple

from wholebody.engines.trt_features import Features, detect
from wholebody.errors import ModelError
from wholebody.packages import require

TENSORRT, RTX = "tensorrt", "rtx"


class TensorRT(NamedTuple):
    """An imported module and what it can do."""

    module: Any
    features: Features
    name: str = "TensorRT"

    def __str__(self) -> str:
        return "%s %s" % (self.name, self.features.version)


def init_plugins(trt: TensorRT, logger: Any) -> None:
    """Makes TensorRT's own plugins known, which its parser takes for some operators (InstanceNormalization in 8.x)."""
    init = getattr(trt.module, "init_libnvinfer_plugins", None)
    if init is not None:
        init(logger, "")


def load_tensorrt(kind: str = TENSORRT) -> TensorRT:
    """The module of this machine, or MissingPackage with the command that installs it."""
    if kind == RTX:
        # Loads NVIDIA's libraries first, from wherever pip put them.
        module, name = require("wholebody.engines.rtx_libraries").load_rtx(), "TensorRT-RTX"
    else:
        module, name = require("tensorrt", "tensorrt"), "TensorRT"
    try:
        return TensorRT(module, detect(module), name)
    except AttributeError as error:
        raise ModelError("%s at %s is damaged: %s; install it again"
                         % (name, getattr(module, "__file__", "an unknown place"), error))
