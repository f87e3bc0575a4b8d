"""Pictures of one size from host memory to a network's input on the GPU: one copy, one launch."""
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple

import numpy as np

from wholebody.card import InputSpec
from wholebody.engines.device import Buffer, Device, Launch
from wholebody.errors import ShapeError
from wholebody.runtime.geometry import Geometry, Resolution, Shrink, plan
from wholebody.runtime.kernels.compiling import load_kernels
from wholebody.runtime.kernels.pictures import DevicePictures, picture_shape
from wholebody.runtime.kernels.preprocess import (
    PICTURE_BYTES,
    TapAddresses,
    bytes_of,
    picture_entry,
    preprocess_launch,
)
from wholebody.runtime.kernels.taps import picture_taps
from wholebody.runtime.preprocess import check_frame, input_shape

if TYPE_CHECKING:
    import numpy.typing as npt


class GpuPreprocessor:
    """Writes what `Preprocessor` does, to one grey level. Frames in flight need one each; nothing is shared."""

    def __init__(self, device: Device, spec: InputSpec, resolution: Resolution = Resolution(), batch: int = 1,
                 dtype: Optional[str] = None, module: Optional[int] = None) -> None:
        """`dtype`: of the input, by default as the card says, or float16; `module`: the kernels, if they are loaded."""
        self._device, self._spec, self._resolution, self._batch = device, spec, resolution, batch
        self._dtype = dtype or spec.dtype
        self.prepared = 0  # times; launches of an earlier time are of no use
        self.shrink = Shrink()  # for the next `prepare`
        self._key: Tuple[int, int, str, Shrink] = (0, 0, "", Shrink())
        self._geometry: Optional[Geometry] = None
        self._buffers: Dict[str, Buffer] = {}
        self._pictures: Optional[DevicePictures] = None
        with device.active():
            self._module = load_kernels(device) if module is None else module
            self._stream = device.new_stream()

    @property
    def shape(self) -> Tuple[int, ...]:
        """Of the input: (batch, 3, h, w) or (batch, h, w, 3)."""
        assert self._geometry is not None, "prepare comes first"
        return (self._batch,) + input_shape(self._spec, self._geometry)

    @property
    def nbytes(self) -> int:
        """Of the input."""
        return bytes_of(self.shape, self._dtype)

    def prepare(self, width: int, height: int, pixel_format: str = "bgr") -> Geometry:
        """Room and tables for pictures of this size (`picture_shape`); after it `enqueue` of them allocates nothing."""
        if self._geometry is not None and self._key == (width, height, pixel_format, self.shrink):
            return self._geometry
        picture_shape(width, height, pixel_format)  # refuses what no picture can be
        geometry = plan(self._spec, width, height, self._resolution, self.shrink)
        with self._device.active():
            self._free()
            self._pictures = DevicePictures(self._device, self._batch, width, height, pixel_format)
            self._add_tables(width, height, self._pictures, geometry)
        self._key, self._geometry = (width, height, pixel_format, self.shrink), geometry
        self.prepared += 1
        return geometry

    def prepare_for(self, image: "npt.NDArray[np.uint8]") -> Geometry:
        """Room and tables for pictures like this BGR one."""
        check_frame(image)
        return self.prepare(image.shape[1], image.shape[0])

    def place(self, images: "Sequence[npt.NDArray[np.uint8]]", stream: int) -> None:
        """Puts the copy of pictures to the GPU on a stream; those of the last call must be done with."""
        assert self._pictures is not None, "prepare comes first"
        with self._device.active():
            self._pictures.place(images, stream)

    def launch_into(self, out: Buffer) -> Launch:
        """What makes the input at `out` of the pictures that were placed last."""
        assert self._geometry is not None, "prepare comes first"
        if out.nbytes < self.nbytes:
            raise ShapeError("preprocessing on the GPU: expected an input of %d bytes, got %d"
                             % (self.nbytes, out.nbytes))
        size = (self._geometry.net_width, self._geometry.net_height)
        return preprocess_launch(self._buffers["table"].address, self._batch, out.address, size, self._dtype,
                                 self._spec)

    def launch(self, out: Buffer, stream: int) -> None:
        """The kernel alone, on the pictures that are there already."""
        with self._device.active():
            self._device.launch(self._module, self.launch_into(out), stream)

    def enqueue(self, images: "Sequence[npt.NDArray[np.uint8]]", out: Buffer, stream: int) -> None:
        """Copy and kernel on one stream."""
        launch = self.launch_into(out)
        self.place(images, stream)
        with self._device.active():
            self._device.launch(self._module, launch, stream)

    def close(self) -> None:
        """Free device memory; closing twice is allowed."""
        with self._device.active():
            self._free()

    def _free(self) -> None:
        for buffer in self._buffers.values():
            self._device.free(buffer)
        if self._pictures is not None:
            self._pictures.close()
        self._buffers, self._geometry, self._pictures = {}, None, None

    def _add_tables(self, width: int, height: int, pictures: DevicePictures, geometry: Geometry) -> None:
        rows, columns = picture_taps(width, height, geometry, self._spec.resize)
        tables = [rows.first, columns.first, rows.weights, columns.weights]
        addresses = [self._upload("taps %d" % i, table) for i, table in enumerate(tables)]
        taps = TapAddresses(*(addresses + [rows.weights.shape[1], columns.weights.shape[1]]))
        entries = [picture_entry(pictures.source(i), geometry, taps) for i in range(self._batch)]
        assert len(entries[0]) == PICTURE_BYTES
        self._upload("table", np.frombuffer(b"".join(entries), np.uint8))

    def _upload(self, name: str, table: "npt.NDArray[Any]") -> int:
        host = self._device.host_array(table.shape, table.dtype.name)
        host[...] = table
        buffer = self._buffers[name] = self._device.alloc(table.nbytes)
        self._device.upload(buffer, host, self._stream)
        self._device.synchronize(self._stream)
        return buffer.address
