"""wholebody: from a pose network's checkpoint to poses on a Jetson.

>>> import wholebody
>>> with wholebody.open("pose.onnx") as estimate:   # doctest: +SKIP
...     poses = estimate(frame_bgr)
"""
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wholebody.runtime.parts.opening import AnyEstimator

__version__ = "0.1.0"
__all__ = ["open", "__version__"]


def open(model: str = "", **options: Any) -> "AnyEstimator":  # noqa: A001 - the name users expect
    """An estimator for a model file or a bundle's folder: call it with a BGR frame, get Poses in the frame's pixels.

    Without a model it is the network that comes along.

    Options are those of `wholebody.runtime.estimator.EstimatorOptions`; for a network that sees one person at a time
    also those of `wholebody.runtime.topdown.estimator.TopDownOptions`, such as detector="yolox.onnx".
    Those of `wholebody.runtime.parts.estimator.PartOptions`, such as face="face.onnx" and hands="hands.onnx", add faces
    and hands to the bodies.
    """
    if os.path.isdir(model):
        from wholebody.runtime.bundle.opening import made_ready
        model, options = made_ready(model, options)
    from wholebody.default_model import default_model_path
    from wholebody.runtime.parts.opening import open_whole
    return open_whole(model or default_model_path(), **options)
