"""Device memory of PAF decoding: tables, what the kernels hand each other, and the block that goes to the host."""
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

from wholebody.engines.device import Buffer, Device, Launch
from wholebody.runtime.paf.cuda_launches import (
    CONNECTION_WORDS,
    HEADER_WORDS,
    PEAK_BYTES,
    PEAK_WORDS,
    WORD,
    DeviceMaps,
    Scratch,
    Tables,
    check_maps,
    limb_table,
    pack_launch,
    peaks_launch,
    scores_launch,
    tap_tables,
)
from wholebody.runtime.paf.options import PafOptions
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Room of the block, for each keypoint and limb. What a dense crowd has more is fetched in a second copy.
PEAKS_EACH, CONNECTIONS_EACH = 64, 64


class PafWorkspace:
    """Made and closed within `device.active()`. Nothing but `fit` allocates, so launches keep their addresses."""

    def __init__(self, device: Device, skeleton: Skeleton, stride: int, options: PafOptions, stream: int) -> None:
        self.keypoints, self.limbs = len(skeleton.keypoints), len(skeleton.paf_pairs)
        self.shape = (0, 0)  # height and width of the maps there is room for
        self._device, self._stride, self._options = device, stride, options
        self._buffers: Dict[str, Buffer] = {}
        weights, first = tap_tables(stride, options)
        tables = {"weights": weights, "first": first, "limbs": limb_table(skeleton)}
        try:
            self._allocate({name: table.nbytes for name, table in tables.items()})
        except Exception:
            self.close()
            raise
        self._tables = Tables(*(self._buffers[name].address for name in Tables._fields))
        self._fill(tables, stream)

    def fit(self, shape: Tuple[int, int, int]) -> None:
        """Room for maps of this shape; nothing may be under way on the GPU when it changes."""
        check_maps(shape, self._stride, self._options)
        strips = self.keypoints * shape[1]
        if "strip_counts" not in self._buffers or strips * WORD > self._buffers["strip_counts"].nbytes:
            for name in ("strip_counts", "strip_peaks"):
                if name in self._buffers:
                    self._device.free(self._buffers.pop(name))
            # The larger first: where there is no memory for it, the smaller does not say that there was.
            self._buffers["strip_peaks"] = self._device.alloc(strips * self._options.max_peaks * PEAK_BYTES)
            self._buffers["strip_counts"] = self._device.alloc(strips * WORD)
        self.shape = shape[1:]

    def launches(self, heat: DeviceMaps, pafs: DeviceMaps) -> List[Launch]:
        """From maps to the block."""
        return [self._peaks(heat, self.limbs),
                scores_launch(pafs, self.limbs, self._stride, self._options, self._tables, self._scratch()),
                self.pack_into(self.block.address, self.capacity)]

    def launches_of_peaks(self, heat: DeviceMaps) -> List[Launch]:
        """The same without limbs."""
        return [self._peaks(heat, self.limbs), self.pack_into(self.block.address, self.capacity, limbs=0)]

    def pack_into(self, address: int, capacity: int, limbs: int = -1) -> Launch:
        """What was found last, once more into another block."""
        return pack_launch(address, capacity, self.keypoints, self.limbs if limbs < 0 else limbs, self._options,
                           self._tables, self._scratch())

    def download(self, stream: int) -> None:
        """Bring the block to the host; where that is the GPU's own memory, there is nothing to do."""
        if not self._device.shares_memory:
            self._device.download(self.host, self.block, stream)

    def words_used(self) -> int:
        """Words of the block on the host, of which there may be more than it holds."""
        keypoints, limbs, peaks, connections = (int(word) for word in self.host[:HEADER_WORDS])
        return HEADER_WORDS + keypoints + limbs + PEAK_WORDS * peaks + CONNECTION_WORDS * connections

    def close(self) -> None:
        """Free the memory; closing twice is allowed."""
        for buffer in self._buffers.values():
            self._device.free(buffer)
        self._buffers = {}

    def _allocate(self, sizes: Dict[str, int]) -> None:
        """All memory but what depends on the size of the maps, the block included."""
        points, limbs, peaks = self.keypoints, self.limbs, self._options.max_peaks
        sizes.update(tickets=points * WORD, counts=points * WORD, peaks=points * peaks * PEAK_BYTES,
                     limb_counts=limbs * WORD, scores=limbs * peaks * peaks * WORD)
        for name, nbytes in sizes.items():
            self._buffers[name] = self._device.alloc(nbytes)
        self.capacity = (HEADER_WORDS + points + limbs + PEAK_WORDS * PEAKS_EACH * points
                         + CONNECTION_WORDS * CONNECTIONS_EACH * limbs)
        array: Any
        if self._device.shares_memory:
            array, self.block = self._device.mapped_array((self.capacity,), "int32")
            array[...] = 0
        else:
            array = self._device.host_array((self.capacity,), "int32")
            self.block = self._device.alloc(self.capacity * WORD)
        self._buffers["block"] = self.block
        self.host: "npt.NDArray[np.int32]" = array

    def _fill(self, tables: Dict[str, Any], stream: int) -> None:
        staged = {}
        for name, table in tables.items():
            staged[name] = self._device.host_array(table.shape, table.dtype.name)
            staged[name][...] = table
            self._device.upload(self._buffers[name], staged[name], stream)
        self._device.fill(self._buffers["tickets"], 0, self._buffers["tickets"].nbytes, stream)
        if not self._device.shares_memory:
            self._device.fill(self.block, 0, self.block.nbytes, stream)  # what no frame fills is copied too
        self._device.synchronize(stream)

    def _scratch(self) -> Scratch:
        return Scratch(*(self._buffers[name].address for name in Scratch._fields))

    def _peaks(self, heat: DeviceMaps, limbs: int) -> Launch:
        return peaks_launch(heat, self.keypoints, limbs, self._stride, self._options, self._tables, self._scratch())
