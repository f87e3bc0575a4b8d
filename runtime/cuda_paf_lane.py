"""The lane of a PAF network on a GPU: the host puts work on streams and waits once, in decode, for a few KB.

    preprocess    the frame to the GPU, on the lane's own stream
    engine        resize and normalise -> network -> peaks -> scores -> packed block -> host, on the network's stream,
                  as one CUDA graph from the second frame on
    decode        waits for the block; people are put together on the CPU
"""
import functools
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wholebody.engines.device import Launch
from wholebody.engines.engine import Engine
from wholebody.poses import Frame
from wholebody.runtime.cuda_network import CudaNetwork
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.heads import PafHead
from wholebody.runtime.kernels.preprocessor import GpuPreprocessor
from wholebody.runtime.lane import Lane, Seen
from wholebody.runtime.paf.cuda_backend import CudaBackend
from wholebody.runtime.paf.cuda_launches import DeviceMaps
from wholebody.runtime.paf_lane import Members, group_by_size, in_frame

if TYPE_CHECKING:
    import numpy.typing as npt


class CudaGroup:
    """Frames of a lane that go through the network together, with all that their way takes."""

    def __init__(self, members: Members, shape: Tuple[int, ...], events: Tuple[int, int]) -> None:
        self.members, self.shape = members, shape             # of the network's input
        self.begun, self.done = events
        self.launches: List[Launch] = []                      # that make the input
        self.maps: "Dict[str, npt.NDArray[Any]]" = {}         # the network's outputs, on the host
        self.on_device: List[Tuple[DeviceMaps, DeviceMaps]] = []  # heat maps and PAFs of each member
        self.bound_at = -1                                    # network.changes when it was asked where they lie
        self.graph: Optional[int] = None


class CudaPafLane(Lane):
    """One batch in flight: memory for its frames, a decoder for each, and events instead of waiting."""

    def __init__(self, network: CudaNetwork, head: PafHead, new_preprocessor: Callable[[], GpuPreprocessor],
                 new_decoder: Callable[[], CudaBackend], keep_maps: bool = False) -> None:
        """`keep_maps`: bring the network's maps to the host as well, for `seen`."""
        super().__init__()
        self.network, self._head, self._keep_maps = network, head, keep_maps
        self._new_preprocessor, self._new_decoder = new_preprocessor, new_decoder
        with network.device.active():
            self._stream, self._placed = network.device.new_stream(), network.device.new_event()
        self.geometries: List[Geometry] = []
        self.groups: List[CudaGroup] = []
        # By frame of the lane, and by group; kept, whatever the sizes.
        self._preprocessors: List[GpuPreprocessor] = []
        self._decoders: List[CudaBackend] = []
        self._events: List[Tuple[int, int]] = []
        self._laid_out: List[Any] = []

    def take(self, frames: Sequence[Frame]) -> None:
        """Set out with these frames."""
        super().take(frames)
        self.geometries = []

    def preprocess(self, limit: Optional[int]) -> None:
        """Every frame on its way to the GPU; at most `limit` frames of one size go together."""
        device = self.network.device
        while len(self._preprocessors) < len(self.frames):
            self._preprocessors.append(self._new_preprocessor())
            self._decoders.append(self._new_decoder())
        places = list(zip(self._preprocessors, (frame.image for frame in self.frames)))
        for place, _ in places:
            place.shrink = place.shrink._replace(share=self.share)
        self.geometries = [place.prepare_for(image) for place, image in places]
        with device.active():
            self._lay_out(limit)
            for place, image in places:
                place.place([image], self._stream)
            device.record(self._placed, self._stream)

    def infer(self, engine: Engine, name: str) -> None:
        """Put everything on the network's stream, from pictures to blocks; nothing here waits."""
        del engine, name  # the network's
        device, stream = self.network.device, self.network.stream
        with device.active():
            device.wait(stream, self._placed)
            for group in self.groups:
                self._bind(group)
                device.record(group.begun, stream)
                if group.graph is not None:
                    device.launch_graph(group.graph, stream)
                else:
                    self._put(group)
                    group.graph = self.network.captured(functools.partial(self._put, group))
                device.record(group.done, stream)

    def find(self, head: PafHead) -> None:
        """The people of every frame, in its pixels."""
        del head
        device, engine_ms = self.network.device, 0.0
        found: Dict[int, Any] = {}
        with device.active():
            for group in self.groups:
                device.wait_host(group.done)
                engine_ms += device.elapsed_ms(group.begun, group.done)
                for index in group.members:
                    found[index] = in_frame(self._decoders[index].collect(), self.geometries[index])
        self.poses += [found[index] for index in range(len(self.frames))]
        self.stage_ms["engine"] = engine_ms  # putting it on the stream took no time worth telling

    def seen(self, index: int, candidates: bool = False) -> Seen:
        """Geometry of one frame, its peaks, and its maps where they are kept."""
        geometry = self.geometries[index]
        group, place = next((g, g.members.index(index)) for g in self.groups if index in g.members)
        peaks = None
        if candidates:
            peaks = [np.concatenate([geometry.to_frame(p[:, :2]), p[:, 2:]], axis=1)
                     for p in self._decoders[index].peaks()]
        if not self._keep_maps:
            return Seen(geometry, candidates=peaks)
        maps = self._head(group.maps, geometry.net_width, geometry.net_height, place)
        return Seen(geometry, maps.heatmaps, maps.pafs, peaks)

    @property
    def decoder(self) -> CudaBackend:
        """Of the first frame."""
        return self._decoders[0]

    def close(self) -> None:
        """Free everything, once what is under way is done; closing twice is allowed."""
        with self.network.device.active():
            self.network.device.synchronize(self.network.stream)
            self.network.device.synchronize(self._stream)
            self._drop()
            while self._decoders:
                self._preprocessors.pop().close()
                self._decoders.pop().close()

    def _put(self, group: CudaGroup) -> None:
        """From pictures to blocks, in the order of the stream."""
        for launch in group.launches:
            self.network.launch(launch)
        self.network.run()
        for index, maps in zip(group.members, group.on_device):
            self._decoders[index].enqueue(maps[0], maps[1], self.network.stream)
        if self._keep_maps:
            for name, array in group.maps.items():
                self.network.download(name, array)

    def _bind(self, group: CudaGroup) -> None:
        """Says where inputs and maps will lie, whenever that has changed."""
        network = self.network
        network.fit(group.shape)
        if group.bound_at == network.changes:
            return
        group.maps = {name: network.device.host_array(shape, dtype) for name, (shape, dtype) in network.outputs.items()}
        group.on_device, group.launches = [], []
        for place, index in enumerate(group.members):
            group.launches.append(self._preprocessors[index].launch_into(network.input_of(place)))
            geometry = self.geometries[index]
            maps = self._head(group.maps, geometry.net_width, geometry.net_height, place)
            group.on_device.append((self._on_device(group, "heatmaps", maps.heatmaps),
                                    self._on_device(group, "pafs", maps.pafs)))
            self._decoders[index].prepare(*group.on_device[-1])
        self._forget_graph(group)
        group.bound_at = network.changes

    def _on_device(self, group: CudaGroup, role: str, view: "npt.NDArray[Any]") -> DeviceMaps:
        """Where on the GPU the maps lie that `view` shows on the host."""
        name = self._head.head.output(role).output
        offset = _address(view) - _address(group.maps[name])
        strides: Any = tuple(stride // view.itemsize for stride in view.strides)
        return DeviceMaps(self.network.buffer(name).address + offset, view.shape, view.dtype.name, strides)

    def _lay_out(self, limit: Optional[int]) -> None:
        """Groups for the sizes at hand; those of the last frames stay where nothing changed."""
        # A preprocessor that was prepared anew has other tables: launches and graphs know the old ones.
        wanted = [(geometry, place.prepared) for geometry, place in zip(self.geometries, self._preprocessors)]
        if wanted == self._laid_out:
            return
        self._drop()
        members = group_by_size([(g.net_width, g.net_height) for g in self.geometries], limit)
        device = self.network.device
        while len(self._events) < len(members):
            self._events.append((device.new_event(), device.new_event()))
        for indices, events in zip(members, self._events):
            self.groups.append(CudaGroup(indices, (len(indices),) + self._preprocessors[indices[0]].shape[1:], events))
        self._laid_out = wanted

    def _drop(self) -> None:
        for group in self.groups:
            self._forget_graph(group)
        self.groups, self._laid_out = [], []

    def _forget_graph(self, group: CudaGroup) -> None:
        if group.graph is not None:
            self.network.device.drop_graph(group.graph)
        group.graph = None


def _address(array: "npt.NDArray[Any]") -> int:
    return int(array.__array_interface__["data"][0])
