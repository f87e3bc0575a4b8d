"""Pictures of one size in host memory and where the GPU finds them: one copy, and none on a Tegra."""
from typing import TYPE_CHECKING, Any, Sequence, Tuple

import numpy as np

from wholebody.engines.device import Buffer, Device
from wholebody.errors import ShapeError
from wholebody.runtime.kernels.preprocess import Source, bytes_of

if TYPE_CHECKING:
    import numpy.typing as npt

_BYTES_ACROSS = {"bgr": 3, "bgrx": 4, "nv12": 1}  # of a pixel, along a row


def picture_shape(width: int, height: int, pixel_format: str) -> Tuple[int, ...]:
    """(H, W, 3) BGR, (H, W, 4) BGRx or, "nv12", (H * 3 / 2, W) as OpenCV has it.

    >>> picture_shape(6, 4, "nv12")
    (6, 6)
    """
    if pixel_format == "nv12" and (width % 2 or height % 2):
        raise ShapeError("NV12: expected even sides, got %dx%d" % (width, height))
    return {"bgr": (height, width, 3), "bgrx": (height, width, 4), "nv12": (height * 3 // 2, width)}[pixel_format]


class DevicePictures:
    """Room for a batch; whoever makes it closes it, both within `device.active()`."""

    def __init__(self, device: Device, batch: int, width: int, height: int, pixel_format: str = "bgr") -> None:
        self._device, self.key = device, (width, height, pixel_format)
        shape = (batch,) + picture_shape(width, height, pixel_format)
        self._host: Any = None
        if device.shares_memory:
            self._host, self._buffer = device.mapped_array(shape, "uint8")
        else:
            self._host, self._buffer = device.host_array(shape, "uint8"), device.alloc(bytes_of(shape, "uint8"))

    def place(self, images: "Sequence[npt.NDArray[np.uint8]]", stream: int) -> None:
        """Puts the copy of a whole batch on a stream; that of the last call must be done with."""
        if len(images) != len(self._host) or any(image.shape != self._host.shape[1:] for image in images):
            raise ShapeError("preprocessing on the GPU: expected %d pictures %s, got %s"
                             % (len(self._host), self._host.shape[1:], [image.shape for image in images]))
        for place, image in zip(self._host, images):
            np.copyto(place, image)
        if not self._device.shares_memory:
            self._device.upload(self._buffer, self._host, stream)

    def source(self, index: int) -> Source:
        """Where one of them lies, for the kernel's table."""
        width, height, pixel_format = self.key
        at, pitch = self._buffer.address + index * self._host[0].nbytes, width * _BYTES_ACROSS[pixel_format]
        return Source(at, width, height, pitch, pixel_format, at + height * pitch, pitch)

    def close(self) -> None:
        """Free device memory."""
        self._device.free(self._buffer)


class Table:
    """Rows of bytes that the host writes and the GPU reads; grows, and is closed within `device.active()`."""

    def __init__(self, device: Device) -> None:
        self._device, self._host = device, np.zeros(0, np.uint8)
        self._buffer = Buffer(0, 0)

    @property
    def address(self) -> int:
        """Of the first row."""
        return self._buffer.address

    def place(self, rows: Sequence[bytes], stream: int) -> None:
        """Puts the copy of all rows on a stream; that of the last call must be done with."""
        content = np.frombuffer(b"".join(rows), np.uint8)
        if len(content) > len(self._host):
            self.close()
            room = max(len(content), 2 * len(self._host))
            self._host = np.asarray(self._device.host_array((room,), "uint8"), np.uint8)
            self._buffer = self._device.alloc(room)
        self._host[:len(content)] = content
        self._device.upload(self._buffer, self._host[:len(content)], stream)

    def close(self) -> None:
        """Free device memory; closing twice is allowed."""
        if self._buffer.nbytes:
            self._device.free(self._buffer)
        self._buffer, self._host = Buffer(0, 0), np.zeros(0, np.uint8)
