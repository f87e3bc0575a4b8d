"""Frame to network input: resize, pad and normalise into one reused buffer."""
import logging
from typing import TYPE_CHECKING, Any, Optional, Tuple

import numpy as np

from wholebody.card import InputSpec
from wholebody.errors import ShapeError
from wholebody.packages import require
from wholebody.runtime.geometry import Geometry, Resolution, Shrink, openpose_scale, plan
from wholebody.runtime.heads import channels_first
from wholebody.runtime.warp import scale_from_origin

if TYPE_CHECKING:
    import numpy.typing as npt


log = logging.getLogger("wholebody")


class Preprocessor:
    """Makes the input of one network. What it returns is valid until the next call."""

    def __init__(self, spec: InputSpec, resolution: Resolution = Resolution()) -> None:
        self.spec = spec
        self.resolution = resolution
        self.shrink = Shrink()  # for the next picture; whoever changes it keeps to this thread
        # y = (x * scale - mean) / std as one multiply and one add per channel of the frame (BGR).
        order = (0, 1, 2) if spec.color == "bgr" else (2, 1, 0)  # net channel of each frame channel
        self._net_channel = order
        self._gain = [np.float32(spec.scale / spec.std[c]) for c in order]
        self._bias = [np.float32(-spec.mean[c] / spec.std[c]) for c in order]
        self._planned: Tuple[int, int, Shrink] = (0, 0, Shrink())  # size of the last picture, and how it was shrunk
        self._geometry: Optional[Geometry] = None
        self._padded: Optional[Geometry] = None  # what the buffer's padding was made for
        self._buffer: "npt.NDArray[Any]" = np.zeros((1, 3, 0, 0), spec.dtype)
        self._resized = np.zeros((0, 0, 3), np.uint8)

    def __call__(self, image: "npt.NDArray[np.uint8]") -> "Tuple[npt.NDArray[Any], Geometry]":
        """uint8 (H, W, 3) BGR -> (1, 3, h, w) or (1, h, w, 3) in the network's type, and where in it the picture is."""
        check_frame(image)
        geometry = self._prepare(image.shape[1], image.shape[0])
        resized = _resize(image, geometry, self.spec.resize, self._resized)
        planes = self._planes()[:, geometry.top:geometry.top + geometry.resized_height,
                                geometry.left:geometry.left + geometry.resized_width]
        for c in range(3):
            plane = planes[self._net_channel[c]]
            if plane.dtype == np.uint8:  # the network scales
                np.copyto(plane, resized[:, :, c])
                continue
            np.multiply(resized[:, :, c], self._gain[c], out=plane)
            plane += self._bias[c]
        return self._buffer, geometry

    def geometry(self, image: "npt.NDArray[np.uint8]") -> Geometry:
        """Where this picture will lie in the network's input."""
        check_frame(image)
        return self._plan(image.shape[1], image.shape[0])

    def use(self, buffer: "npt.NDArray[Any]") -> None:
        """Write into this array from now on (one picture of a batch), as long as pictures need its shape."""
        self._buffer, self._padded = buffer, None

    def _plan(self, width: int, height: int) -> Geometry:
        if self._geometry is None or self._planned != (width, height, self.shrink):
            self._geometry = plan(self.spec, width, height, self.resolution, self.shrink)
            self._planned = (width, height, self.shrink)
        return self._geometry

    def _prepare(self, width: int, height: int) -> Geometry:
        """The geometry for this size of picture; the buffer is laid out and padded when the size changes."""
        geometry = self._plan(width, height)
        if self._padded is not geometry:
            shape = (1,) + input_shape(self.spec, geometry)
            if self._buffer.shape != shape:
                self._buffer = np.empty(shape, self.spec.dtype)
            self._resized = np.empty((geometry.resized_height, geometry.resized_width, 3), np.uint8)
            planes = self._planes()
            for c in range(3):
                planes[self._net_channel[c]] = np.float32(self.spec.pad_value[c]) * self._gain[c] + self._bias[c]
            self._padded = geometry
        return geometry

    def _planes(self) -> "npt.NDArray[Any]":
        """The buffer seen as (3, h, w), whatever its layout."""
        return channels_first(self._buffer[0], self.spec.layout)


def warn_of_rounding(spec: InputSpec, resolution: Resolution) -> None:
    """Say that a resolution the user asked for is not quite what he gets."""
    if any(side > 0 and side % spec.multiple for side in resolution):
        log.warning("--net-resolution %dx%d: this network's sides are multiples of %d; rounded to the nearest",
                    resolution.width, resolution.height, spec.multiple)


def input_shape(spec: InputSpec, geometry: Geometry) -> Tuple[int, ...]:
    """Of one picture in the network's input: (3, h, w) or (h, w, 3)."""
    sides = (geometry.net_height, geometry.net_width)
    return (3,) + sides if spec.layout == "NCHW" else sides + (3,)


def check_frame(image: "npt.NDArray[np.uint8]") -> None:
    """ShapeError for what is no BGR picture."""
    if image is None:
        raise ShapeError("frame: expected uint8 (H, W, 3) BGR, got None; cv2.imread gives None for what it cannot read")
    shape, dtype = np.shape(image), getattr(image, "dtype", type(image).__name__)
    if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
        raise ShapeError("frame: expected uint8 (H, W, 3) BGR, got %s %s" % (dtype, shape))


def _resize(image: "npt.NDArray[np.uint8]", geometry: Geometry, how: str,
            buffer: "npt.NDArray[np.uint8]") -> "npt.NDArray[np.uint8]":
    """The picture at its size in the network's input, in `buffer` where that saves a copy."""
    size = (geometry.resized_width, geometry.resized_height)
    if size == (image.shape[1], image.shape[0]):
        return image
    if how == "openpose":
        factor = openpose_scale((image.shape[1], image.shape[0]), (geometry.net_width, geometry.net_height))
        return scale_from_origin(image, factor, size)
    cv2 = require("cv2")
    shrinks = size[0] < image.shape[1] or size[1] < image.shape[0]
    cv2.resize(image, size, dst=buffer, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return buffer
