"""The lane of a PAF network on a GPU: the host puts work on streams and waits once, in decode, for a few KB.

    preprocess    the frame into the lane's own memory
    engine        input -> network -> peaks -> scores -> packed block -> host, one CUDA graph on the network's stream
    decode        waits for the block; people are put together on the CPU
"""
import functools
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wholebody.engines.engine import Engine
from wholebody.poses import Frame
from wholebody.runtime.cuda_input import CudaInput
from wholebody.runtime.cuda_network import CudaNetwork
from wholebody.runtime.geometry import Geometry
from wholebody.runtime.heads import PafHead
from wholebody.runtime.lane import Lane, Seen
from wholebody.runtime.paf.cuda_backend import CudaBackend, DeviceMaps
from wholebody.runtime.paf_lane import Members, group_by_size, in_frame

if TYPE_CHECKING:
    import numpy.typing as npt

NewInput = Callable[[Sequence[Geometry], Sequence["npt.NDArray[np.uint8]"]], CudaInput]


class CudaGroup:
    """Frames of a lane that go through the network together, with all that their way takes."""

    def __init__(self, members: Members, place: CudaInput, events: Tuple[int, int]) -> None:
        self.members, self.place = members, place
        self.begun, self.done = events
        self.maps: "Dict[str, npt.NDArray[Any]]" = {}         # the network's outputs, on the host
        self.on_device: List[Tuple[DeviceMaps, DeviceMaps]] = []  # heat maps and PAFs of each member
        self.bound_at = -1                                    # network.changes when it was asked where they lie
        self.graph: Optional[int] = None


class CudaPafLane(Lane):
    """One batch in flight: memory for its frames, a decoder for each, and events instead of waiting."""

    def __init__(self, network: CudaNetwork, head: PafHead, new_decoder: Callable[[], CudaBackend],
                 new_input: NewInput, geometry: Callable[["npt.NDArray[np.uint8]"], Geometry],
                 keep_maps: bool = False) -> None:
        """`keep_maps`: bring the network's maps to the host as well, for `seen`."""
        super().__init__()
        self._network, self._head, self._keep_maps = network, head, keep_maps
        self._new_decoder, self._new_input, self._geometry = new_decoder, new_input, geometry
        self.geometries: List[Geometry] = []
        self.groups: List[CudaGroup] = []
        self._decoders: List[CudaBackend] = []        # by place in the batch; kept, as events are, for all sizes
        self._events: List[Tuple[int, int]] = []
        self._laid_out: Tuple[Any, ...] = ()

    def take(self, frames: Sequence[Frame]) -> None:
        """Set out with these frames."""
        super().take(frames)
        self.geometries = []

    def preprocess(self, limit: Optional[int]) -> None:
        """Every frame on its way to the GPU; at most `limit` frames of one size go together."""
        images = [frame.image for frame in self.frames]
        self.geometries = [self._geometry(image) for image in images]
        with self._network.device.active():
            self._lay_out(limit, images)
            for group in self.groups:
                group.place.fill([images[index] for index in group.members])

    def infer(self, engine: Engine, name: str) -> None:
        """Put everything on the network's stream, from input to block; nothing here waits."""
        del engine, name  # the network's
        device, stream = self._network.device, self._network.stream
        with device.active():
            for group in self.groups:
                self._bind(group)
                group.place.wait_on(stream)
                device.record(group.begun, stream)
                if group.graph is not None:
                    device.launch_graph(group.graph, stream)
                else:
                    self._put(group)
                    group.graph = self._network.captured(functools.partial(self._put, group))
                device.record(group.done, stream)

    def find(self, head: PafHead) -> None:
        """The people of every frame, in its pixels."""
        del head
        device, engine_ms = self._network.device, 0.0
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

    def close(self) -> None:
        """Free everything, once what is under way is done; closing twice is allowed."""
        with self._network.device.active():
            self._network.device.synchronize(self._network.stream)
            self._drop()
            while self._decoders:
                self._decoders.pop().close()

    def _put(self, group: CudaGroup) -> None:
        """From the input to the block, in the order of the stream."""
        group.place.write(self._network)
        self._network.run()
        for index, maps in zip(group.members, group.on_device):
            self._decoders[index].enqueue(maps[0], maps[1], self._network.stream)
        if self._keep_maps:
            for name, array in group.maps.items():
                self._network.download(name, array)

    def _bind(self, group: CudaGroup) -> None:
        """Tells the decoders where their maps will lie, whenever that has changed."""
        network = self._network
        network.fit(group.place.shape)
        if group.bound_at == network.changes:
            return
        group.maps = {name: network.device.host_array(shape, dtype) for name, (shape, dtype) in network.outputs.items()}
        group.on_device = []
        for place, index in enumerate(group.members):
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
        return DeviceMaps(self._network.buffer(name).address + offset, view.shape, view.dtype.name, strides)

    def _lay_out(self, limit: Optional[int], images: "List[npt.NDArray[np.uint8]]") -> None:
        """Memory for the sizes at hand; what fits from the last frames stays."""
        members = group_by_size([(g.net_width, g.net_height) for g in self.geometries], limit)
        wanted = (members, self.geometries, [image.shape for image in images])
        if wanted == self._laid_out:
            return
        self._drop()
        while len(self._decoders) < len(images):
            self._decoders.append(self._new_decoder())
        device = self._network.device
        while len(self._events) < len(members):
            self._events.append((device.new_event(), device.new_event()))
        for indices, events in zip(members, self._events):
            place = self._new_input([self.geometries[i] for i in indices], [images[i] for i in indices])
            self.groups.append(CudaGroup(indices, place, events))
        self._laid_out = wanted

    def _drop(self) -> None:
        for group in self.groups:
            self._forget_graph(group)
            group.place.close()
        self.groups, self._laid_out = [], ()

    def _forget_graph(self, group: CudaGroup) -> None:
        if group.graph is not None:
            self._network.device.drop_graph(group.graph)
        group.graph = None


def _address(array: "npt.NDArray[Any]") -> int:
    return int(array.__array_interface__["data"][0])
