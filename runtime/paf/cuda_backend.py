"""PAF decoding on a GPU: peaks and scores by CUDA kernels, a few KB back, people on the CPU."""
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Tuple

import numpy as np

from wholebody.engines.device import Buffer, Device, Launch
from wholebody.errors import ModelError, ShapeError
from wholebody.poses import Poses
from wholebody.runtime.kernels.compiling import load_kernels
from wholebody.runtime.paf.backend import Backend, HostBackend
from wholebody.runtime.paf.block import read_peaks
from wholebody.runtime.paf.cuda_launches import PEAKS_MAX, TYPES, WORD, DeviceMaps
from wholebody.runtime.paf.cuda_workspace import PafWorkspace
from wholebody.runtime.paf.options import PafOptions
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

_log = logging.getLogger(__name__)


class CudaBackend(Backend):
    """Decodes one frame at a time: `enqueue`, wait for the stream, `collect`. Frames in flight need one each."""

    def __init__(self, skeleton: Skeleton, stride: int, options: PafOptions, host: HostBackend, device: Device,
                 module: Optional[int] = None, owns_device: bool = False) -> None:
        """`host` makes people, and is closed with this; `module`: the kernels, if they are loaded already."""
        if options.max_peaks > PEAKS_MAX:
            raise ValueError("PAF option max_peaks: expected at most %d on a GPU, got %d"
                             % (PEAKS_MAX, options.max_peaks))
        self._skeleton, self._device, self._host, self._owns_device = skeleton, device, host, owns_device
        self._known: Tuple[Any, ...] = ()
        self._launches: List[Launch] = []
        self._inputs: List[Buffer] = []
        self._staging: List[Any] = []
        self._closed = False
        self._found: "npt.NDArray[np.int32]" = np.zeros(0, np.int32)
        with device.active():
            self._module = load_kernels(device) if module is None else module
            self._stream = device.new_stream()
            self._workspace = PafWorkspace(device, skeleton, stride, options, self._stream)

    def prepare(self, heatmaps: DeviceMaps, pafs: DeviceMaps) -> None:
        """Makes room for these maps: then `enqueue` of them allocates nothing, as a capture into a graph demands."""
        self._check_open()
        if self._known == (heatmaps, pafs):
            return
        self._check_maps(heatmaps, pafs)
        with self._device.active():
            if heatmaps.shape[1:] != self._workspace.shape:
                self._workspace.fit(heatmaps.shape)
        self._launches, self._known = self._workspace.launches(heatmaps, pafs), (heatmaps, pafs)

    def enqueue(self, heatmaps: DeviceMaps, pafs: DeviceMaps, stream: int) -> None:
        """Puts the kernels and the copy back on a stream. `collect` comes before the next."""
        self.prepare(heatmaps, pafs)
        self._put(self._launches, stream)

    def collect(self) -> Poses:
        """The people of what was enqueued last, or launched as a graph; the caller has waited for it."""
        self._check_open()
        self._found = self._fetched()
        return self._host.assemble(self._found)

    def peaks(self) -> "List[npt.NDArray[np.float32]]":
        """Peaks (n, 3) of every keypoint of what was collected last."""
        return read_peaks(self._found, self._workspace.keypoints)

    def decode(self, heatmaps: "npt.NDArray[np.float32]", pafs: "npt.NDArray[np.float32]") -> Poses:
        """Poses from maps in host memory: copied to the GPU first."""
        return self.decoding(heatmaps, pafs)()

    def decoding(self, heatmaps: "npt.NDArray[np.float32]", pafs: "npt.NDArray[np.float32]") -> Callable[[], Poses]:
        """What decodes maps that are copied to the GPU now, as often as it is called before other maps come."""
        self._check_open()
        with self._device.active():
            maps = self._uploaded([heatmaps, pafs])

        def decode() -> Poses:
            with self._device.active():
                self.enqueue(maps[0], maps[1], self._stream)
                self._device.synchronize(self._stream)
                return self.collect()
        return decode

    def candidates(self, heatmaps: "npt.NDArray[np.float32]") -> "List[npt.NDArray[np.float32]]":
        """Peaks (n, 3) of every keypoint, from maps in host memory."""
        self._check_open()
        points = self._workspace.keypoints
        if not heatmaps[0].size:
            return [np.zeros((0, 3), np.float32)] * points
        with self._device.active():
            heat, = self._uploaded([heatmaps])
            self._put(self._workspace.launches_of_peaks(heat), self._stream)
            self._device.synchronize(self._stream)
            return read_peaks(self._fetched(limbs=0), points)

    def close(self) -> None:
        """Free device memory; closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        with self._device.active():
            self._workspace.close()
            for buffer in self._inputs:
                self._device.free(buffer)
        self._inputs, self._staging = [], []
        self._host.close()
        if self._owns_device:
            self._device.close()

    def _put(self, launches: List[Launch], stream: int) -> None:
        with self._device.active():
            for launch in launches:
                self._device.launch(self._module, launch, stream)
            self._workspace.download(stream)

    def _fetched(self, limbs: int = -1) -> "npt.NDArray[np.int32]":
        """The whole block on the host; a second copy where it did not fit."""
        used = self._workspace.words_used()
        if used <= self._workspace.capacity:
            return self._workspace.host[:used]
        _log.info("peaks and connections of %d KB: fetched in a second copy", used * WORD // 1024)
        with self._device.active(), contextlib.ExitStack() as after:
            larger = self._device.alloc(used * WORD)
            after.callback(self._device.free, larger)
            array: Any = self._device.host_array((used,), "int32")
            self._device.launch(self._module, self._workspace.pack_into(larger.address, used, limbs), self._stream)
            self._device.download(array, larger, self._stream)
            self._device.synchronize(self._stream)
            return array  # type: ignore[no-any-return]

    def _uploaded(self, arrays: "List[npt.NDArray[Any]]") -> List[DeviceMaps]:
        """The maps on the GPU, in memory that is kept."""
        # All memory first: with a copy under way none may be freed.
        if arrays[0].shape[1:] != self._workspace.shape:
            self._workspace.fit(arrays[0].shape)
            self._known = ()
        for i, array in enumerate(arrays):
            self._make_room(i, array.nbytes)
        maps = []
        for array, buffer, staging in zip(arrays, self._inputs, self._staging):
            staged = staging[:array.nbytes].view(array.dtype).reshape(array.shape)
            staged[...] = array
            self._device.upload(buffer, staged, self._stream)
            maps.append(DeviceMaps(buffer.address, array.shape, array.dtype.name))
        return maps

    def _make_room(self, i: int, nbytes: int) -> None:
        if i < len(self._inputs) and self._inputs[i].nbytes >= nbytes:
            return
        if i < len(self._inputs):
            self._device.free(self._inputs.pop(i))
            del self._staging[i]
        self._inputs.insert(i, self._device.alloc(nbytes))
        self._staging.insert(i, self._device.host_array((nbytes,), "uint8"))

    def _check_maps(self, heatmaps: DeviceMaps, pafs: DeviceMaps) -> None:
        skeleton = self._skeleton
        wanted = (("heatmaps", heatmaps, len(skeleton.keypoints)), ("pafs", pafs, skeleton.paf_channel_count))
        for name, maps, channels in wanted:
            if maps.shape[0] < channels or min(maps.shape) < 1 or maps.shape[1:] != heatmaps.shape[1:]:
                raise ShapeError("%s of %s on the GPU: expected (%d or more, h, w), one h and w for both, got %s"
                                 % (name, skeleton.name, channels, maps.shape))
            if maps.dtype not in TYPES:
                raise ShapeError("%s of %s on the GPU: expected %s, got %s"
                                 % (name, skeleton.name, " or ".join(TYPES), maps.dtype))

    def _check_open(self) -> None:
        if self._closed:
            raise ModelError("this PafDecoder is closed; make a new one")
